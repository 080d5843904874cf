import { distance } from 'fastest-levenshtein';

/** The name that was probably meant, or null. */
export function nearestName(name: string, names: readonly string[]): string | null {
  const word = name.toLowerCase();
  const containing = names.filter((candidate) => candidate.includes(word));
  // More than a third of the letters wrong is another word.
  const candidates = containing.length > 0 ? containing : names.filter((it) => distance(word, it) <= name.length / 3);
  const sorted = [...candidates].sort((a, b) => distance(word, a) - distance(word, b));
  return sorted[0] ?? null;
}
