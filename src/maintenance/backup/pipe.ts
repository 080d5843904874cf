import { createHash } from 'node:crypto';
import { pipeline, type Readable, Transform } from 'node:stream';

/** Passes data on and counts it; `sum` is known when it has ended. */
export function meter(tell: (bytes: number) => void): { stream: Transform; bytes: () => number; sha256: () => string } {
  const hash = createHash('sha256');
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      tell(bytes);
      done(null, chunk);
    },
  });
  return { stream, bytes: () => bytes, sha256: () => hash.digest('hex') };
}

/** Calls at most once in `ms`. */
export function seldom(ms: number, tell: (bytes: number) => void): (bytes: number) => void {
  let last = 0;
  return (bytes) => {
    const now = performance.now();
    if (now - last < ms) return;
    last = now;
    tell(bytes);
  };
}

/** The streams one behind the other, as one: what goes wrong in any of them is an error of the whole. */
export function chain(first: Readable, ...rest: readonly Transform[]): Readable {
  if (rest.length === 0) return first;
  const streams: (Readable | Transform)[] = [first, ...rest];
  pipeline(streams, () => undefined); // told by the last one
  return streams.at(-1) ?? first;
}
