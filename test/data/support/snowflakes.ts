/** Small seeded generator (mulberry32), so that a failure can be repeated. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Ids laid out as Discord's: ms since its epoch, worker and process, an increment that is mostly 0. */
export function snowflakes(count: number, seed: number): bigint[] {
  const next = random(seed);
  const years = 11n * 365n * 86_400_000n;
  return Array.from({ length: count }, () => {
    const ms = BigInt(Math.floor(next() * Number(years)));
    const worker = BigInt(Math.floor(next() * 4));
    const increment = next() < 0.9 ? 0n : BigInt(Math.floor(next() * 4));
    return ((ms << 22n) | (worker << 17n) | increment) + 1n;
  });
}
