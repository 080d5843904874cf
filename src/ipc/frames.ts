/** Longest frame accepted, bytes. A peer that sends more without a line end is cut off rather than buffered for ever. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** One frame as it goes over the wire. Throws TypeError for what JSON cannot carry (BigInt, cycles), like Node's own IPC. */
export function encodeFrame(frame: object): string {
  return JSON.stringify(frame) + '\n';
}

/** Collects chunks into lines and hands each parsed frame on. Throws when the peer does not speak JSON lines. */
export class FrameDecoder {
  #parts: Buffer[] = [];
  #size = 0;

  constructor(private readonly onFrame: (frame: unknown) => void) {}

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10, start); end !== -1; end = chunk.indexOf(10, start)) {
      const line = this.#take(chunk.subarray(start, end));
      start = end + 1;
      if (line.length > 0) this.onFrame(JSON.parse(line));
    }
    if (start < chunk.length) {
      this.#parts.push(chunk.subarray(start));
      this.#size += chunk.length - start;
      if (this.#size > MAX_FRAME_BYTES) throw new RangeError(`frame longer than ${MAX_FRAME_BYTES} bytes`);
    }
  }

  #take(last: Buffer): string {
    if (this.#parts.length === 0) return last.toString('utf8');
    const line = Buffer.concat([...this.#parts, last]).toString('utf8');
    this.#parts = [];
    this.#size = 0;
    return line;
  }
}
