const HEADER = 16;
const SLOT = 8;
/** Values with more parts are measured by a sample of their first ones. */
const MAX_NODES = 2_000;

/**
 * About how many bytes of memory a value takes in V8. A bound for a cache, not a measurement: shared parts count once,
 * hidden classes and unused capacity do not count.
 */
export function estimateBytes(value: unknown): number {
  const seen = new Set<object>();
  let nodes = 0;

  const of = (part: unknown): number => {
    nodes += 1;
    switch (typeof part) {
      case 'string':
        return HEADER + part.length * (isLatin(part) ? 1 : 2);
      case 'bigint':
        return HEADER + SLOT * 2;
      case 'number':
        return SLOT;
      case 'object':
        return part === null || seen.has(part) ? 0 : ofObject(part);
      default:
        return SLOT;
    }
  };

  /** Sum over items; from the sample's mean when there are too many. */
  const sum = <I>(items: Iterable<I>, count: number, size: (item: I) => number): number => {
    let total = 0;
    let done = 0;
    for (const item of items) {
      if (nodes > MAX_NODES) return done === 0 ? count * SLOT : (total / done) * count;
      total += size(item) + SLOT;
      done += 1;
    }
    return total;
  };

  const ofObject = (part: object): number => {
    seen.add(part);
    if (ArrayBuffer.isView(part)) return HEADER * 4 + part.byteLength;
    if (part instanceof ArrayBuffer) return HEADER * 4 + part.byteLength;
    if (part instanceof Date) return HEADER * 4;
    if (part instanceof Map) return HEADER * 3 + sum(part, part.size, ([key, item]) => of(key) + of(item) + SLOT);
    if (part instanceof Set) return HEADER * 3 + sum(part, part.size, of);
    if (Array.isArray(part)) return HEADER * 2 + sum(part, part.length, of);
    const members = Object.values(part) as unknown[];
    return HEADER * 2 + sum(members, members.length, of);
  };

  return Math.ceil(of(value));
}

/** By its first characters: a look at all of a long string would cost more than it is worth. */
function isLatin(text: string): boolean {
  const end = Math.min(text.length, 64);
  for (let index = 0; index < end; index += 1) if (text.charCodeAt(index) > 0xff) return false;
  return true;
}
