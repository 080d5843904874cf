import { decodeValue, encodeValue } from './value-codec';

/** What L2 keeps under a key. */
export interface Envelope {
  /** undefined: the loader said that there is nothing. */
  value: unknown;
  /** ms since the epoch; stale afterwards. */
  freshUntil: number;
  /** Number of the newest invalidation known when the value was asked for; see InvalidationLog. */
  stamp: number;
  tags: readonly string[];
}

/** An envelope as read. */
export interface ReadEnvelope extends Envelope {
  /** All of it, encoded. */
  bytes: Buffer;
}

/** Of the layout below; an entry with another one is not read. */
const VERSION = 0x11;
const NOTHING = 0x01;
/** version u8, flags u8, freshUntil f64, stamp f64, number of tags u16; then each tag as length u16 and UTF-8; then the value. */
const FIXED_BYTES = 20;
const IDENTITY_BYTES = 18;
const MAX_U16 = 0xffff;
const NO_TAGS: string[] = [];

/** @throws Error when the value has no bytes, or a tag is too long */
export function encodeEnvelope({ value, freshUntil, stamp, tags }: Envelope): Buffer {
  const head = Buffer.alloc(FIXED_BYTES);
  head[0] = VERSION;
  head[1] = value === undefined ? NOTHING : 0;
  head.writeDoubleLE(freshUntil, 2);
  head.writeDoubleLE(stamp, 10);
  head.writeUInt16LE(tags.length, 18);
  const parts: Buffer[] = [head];
  for (const tag of tags) {
    const bytes = Buffer.from(tag);
    if (bytes.length > MAX_U16) throw new Error('a tag is longer than 65,535 bytes');
    const length = Buffer.alloc(2);
    length.writeUInt16LE(bytes.length);
    parts.push(length, bytes);
  }
  if (value !== undefined) parts.push(encodeValue(value));
  return Buffer.concat(parts);
}

/** The bytes that tell an entry from any other under the same key: its times and stamp. */
export function identityOf(bytes: Buffer): Buffer {
  return bytes.subarray(0, IDENTITY_BYTES);
}

/** null: not an entry that this version can read. */
export function decodeEnvelope(bytes: Buffer): ReadEnvelope | null {
  if (bytes[0] !== VERSION || bytes.length < FIXED_BYTES) return null;
  try {
    const count = bytes.readUInt16LE(18);
    let offset = FIXED_BYTES;
    const tags: string[] = count === 0 ? NO_TAGS : [];
    for (let index = 0; index < count; index += 1) {
      const start = offset + 2;
      offset = start + bytes.readUInt16LE(offset);
      tags.push(bytes.toString('utf8', start, offset));
    }
    return {
      value: bytes[1] === NOTHING ? undefined : decodeValue(bytes, offset),
      freshUntil: bytes.readDoubleLE(2),
      stamp: bytes.readDoubleLE(10),
      tags,
      bytes,
    };
  } catch {
    return null;
  }
}
