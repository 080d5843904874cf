import { distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { schema } from './schema';

interface Described {
  def: { type: string; innerType?: z.ZodType; shape?: Record<string, z.ZodType>; element?: z.ZodType; in?: z.ZodType };
}

/** The type below defaults and optionality. */
export function unwrap(type: z.ZodType): z.ZodType {
  const { def } = type as unknown as Described;
  if (def.innerType !== undefined) return unwrap(def.innerType);
  if (def.type === 'pipe' && def.in !== undefined) return unwrap(def.in);
  return type;
}

export function kindOf(type: z.ZodType): string {
  return (unwrap(type) as unknown as Described).def.type;
}

/** Keys of a mapping with a fixed set of them, else null. */
export function shapeOf(type: z.ZodType): Record<string, z.ZodType> | null {
  return (unwrap(type) as unknown as Described).def.shape ?? null;
}

/** The schema at a path, or null where the path leaves it. */
export function schemaAt(path: readonly (string | number)[]): z.ZodType | null {
  let at: z.ZodType = schema;
  for (const key of path) {
    const { def } = unwrap(at) as unknown as Described;
    const next = typeof key === 'number' ? def.element : def.shape?.[key];
    if (next === undefined) return null;
    at = next;
  }
  return at;
}

/** Paths of all keys, `sharding.restart.jitter` and the like. */
export function allKeys(type: z.ZodType = schema, prefix = ''): string[] {
  return Object.entries(shapeOf(type) ?? {}).flatMap(([key, value]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return [path, ...allKeys(value, path)];
  });
}

/** The key that was probably meant: among its siblings, else the same name elsewhere. */
export function nearestKey(parent: readonly (string | number)[], key: string): string | null {
  const prefix = parent.join('.').replace(/\.(\d+)(?=\.|$)/g, '[$1]');
  const siblings = Object.keys(shapeOf(schemaAt(parent) ?? schema) ?? {});
  const near = closest(key, siblings);
  if (near !== null) return prefix === '' ? near : `${prefix}.${near}`;
  const elsewhere = allKeys().filter((path) => path.endsWith(`.${key}`) || path === key);
  if (elsewhere[0] !== undefined) return elsewhere[0];
  const lastNames = new Map(allKeys().map((path) => [path.slice(path.lastIndexOf('.') + 1), path]));
  const name = closest(key, [...lastNames.keys()]);
  return name === null ? null : (lastNames.get(name) ?? null);
}

function closest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  // More than a third of the letters wrong is another word.
  let limit = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const steps = distance(word.toLowerCase(), candidate.toLowerCase());
    if (steps < limit) {
      limit = steps;
      best = candidate;
    }
  }
  return best;
}
