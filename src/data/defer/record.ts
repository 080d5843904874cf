import { createHash } from 'node:crypto';

/**
 * A record in a journal file: mark (4 bytes), length, its complement (4 bytes each, against a flipped length), first 8
 * bytes of the payload's SHA-256, payload. The payload is UTF-8, in which the mark cannot occur (0xd7 begins a sequence
 * that 0x0b does not go on), so the next record is found behind whatever damage there is. The last byte is the version.
 */
const MARK = Buffer.from([0xd7, 0x0b, 0x4a, 0x01]);
const HEADER_BYTES = 20;
const SUM_BYTES = 8;

/** What one file holds; positions are bytes from its start. */
export interface Scan {
  payloads: string[];
  /** Stretches that are no record though something was there. */
  corrupt: { start: number; end: number }[];
  /** Where a last record begins that was never written to its end; null when there is none. */
  tornAt: number | null;
}

export function frame(payload: string): Buffer {
  const length = Buffer.byteLength(payload);
  const record = Buffer.allocUnsafe(HEADER_BYTES + length);
  MARK.copy(record);
  record.writeUInt32LE(length, 4);
  record.writeUInt32LE(~length >>> 0, 8);
  record.write(payload, HEADER_BYTES);
  checksum(record.subarray(HEADER_BYTES)).copy(record, 12);
  return record;
}

export function payloadOf(record: Buffer): string {
  return record.toString('utf8', HEADER_BYTES);
}

export function scan(bytes: Buffer): Scan {
  const found: Scan = { payloads: [], corrupt: [], tornAt: null };
  for (let at = 0; at < bytes.length;) {
    const end = recordEnd(bytes, at);
    if (end !== null) {
      found.payloads.push(bytes.toString('utf8', at + HEADER_BYTES, end));
      at = end;
      continue;
    }
    const next = bytes.indexOf(MARK, at + 1);
    if (next === -1 && isTorn(bytes.subarray(at))) found.tornAt = at;
    else found.corrupt.push({ start: at, end: next === -1 ? bytes.length : next });
    at = next === -1 ? bytes.length : next;
  }
  return found;
}

function recordEnd(bytes: Buffer, start: number): number | null {
  const length = lengthAt(bytes, start);
  if (length === null) return null;
  const payload = start + HEADER_BYTES;
  const end = payload + length;
  if (end > bytes.length) return null;
  return checksum(bytes.subarray(payload, end)).equals(bytes.subarray(payload - SUM_BYTES, payload)) ? end : null;
}

function lengthAt(bytes: Buffer, start: number): number | null {
  if (start + HEADER_BYTES > bytes.length || !bytes.subarray(start, start + MARK.length).equals(MARK)) return null;
  const length = bytes.readUInt32LE(start + 4);
  return bytes.readUInt32LE(start + 8) === ~length >>> 0 ? length : null;
}

/** Cut off before its end, or grown by the file system with nothing written yet (zeros; no payload ends in one). */
function isTorn(tail: Buffer): boolean {
  if (tail.at(-1) === 0) return true;
  if (tail.length < HEADER_BYTES) {
    const part = Math.min(MARK.length, tail.length);
    return tail.subarray(0, part).equals(MARK.subarray(0, part));
  }
  const length = lengthAt(tail, 0);
  return length !== null && HEADER_BYTES + length > tail.length;
}

function checksum(payload: Buffer): Buffer {
  return createHash('sha256').update(payload).digest().subarray(0, SUM_BYTES);
}
