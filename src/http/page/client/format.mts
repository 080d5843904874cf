/* Values as people read them. */

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
];
const GB = 1024 ** 3;
const MB = 1024 ** 2;

export function count(n: number): string {
  return Math.round(n).toLocaleString('en-US');
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export function orDash<T>(value: T | null, format: (value: T) => string): string {
  return value === null ? '–' : format(value);
}

/** At most two units, rounded down: 3 min 5 s. */
export function duration(ms: number): string {
  const at = UNITS.findIndex(([, size]) => ms >= size);
  const unit = UNITS[at];
  if (unit === undefined) return `${Math.max(0, Math.floor(ms))} ms`;
  const [name, size] = unit;
  const next = UNITS[at + 1];
  const rest = next === undefined ? 0 : Math.floor((ms % size) / next[1]);
  const first = `${Math.floor(ms / size)} ${name}`;
  return rest === 0 || next === undefined ? first : `${first} ${rest} ${next[0]}`;
}

/** One unit, for places where the figure need not be exact: 3 min. */
export function roughly(ms: number): string {
  return duration(ms).split(' ').slice(0, 2).join(' ');
}

export function bytes(n: number): string {
  return n >= 0.9995 * GB ? `${(n / GB).toFixed(1)} GB` : `${Math.round(n / MB)} MB`;
}

export function until(at: number): string {
  return at <= Date.now() ? 'now' : `in ${duration(at - Date.now())}`;
}

export function clock(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
}

/** Three figures: 0.034, 1.2, 21.4, 1,204. */
export function figure(n: number): string {
  if (n === 0) return '0';
  if (n >= 100) return count(n);
  return String(Number(n.toPrecision(n >= 10 ? 3 : 2)));
}

/** [0, 1, 2, 5] as 0–2, 5. */
export function ranges(numbers: readonly number[]): string {
  const found: [first: number, last: number][] = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === n - 1) last[1] = n;
    else found.push([n, n]);
  }
  return found.map(([a, b]) => (a === b ? String(a) : `${a}–${b}`)).join(', ');
}
