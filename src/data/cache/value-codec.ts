import { deserialize, serialize } from 'node:v8';

/** First byte of an encoded value: which format the rest is in. */
const ASCII_JSON_FORMAT = 0x41; // A: read without decoding UTF-8, which takes a third of the time
const JSON_FORMAT = 0x4a; // J
const V8_FORMAT = 0x56; // V

/** Past these a value is not worth the look whether JSON keeps it. */
const MAX_NODES = 10_000;
const MAX_DEPTH = 32;

/**
 * The bytes of a value. JSON where it keeps the value exactly (it is 1.5 to 2 times as fast on small objects), else V8's
 * structured clone format: Date, bigint, Map, Set, Buffer, NaN, undefined members, circular references.
 * @throws Error when the value holds a function or another thing that has no bytes
 */
export function encodeValue(value: unknown): Buffer {
  if (!isJsonExact(value)) return Buffer.concat([Buffer.of(V8_FORMAT), serialize(value)]);
  const text = `J${JSON.stringify(value)}`;
  const bytes = Buffer.from(text);
  if (bytes.length === text.length) bytes[0] = ASCII_JSON_FORMAT;
  return bytes;
}

/** @throws Error when the bytes are in no format of ours, such as one of a later version */
export function decodeValue(bytes: Buffer, offset: number): unknown {
  switch (bytes[offset]) {
    case ASCII_JSON_FORMAT:
      return JSON.parse(bytes.toString('latin1', offset + 1));
    case JSON_FORMAT:
      return JSON.parse(bytes.toString('utf8', offset + 1));
    case V8_FORMAT:
      return deserialize(bytes.subarray(offset + 1));
    default:
      throw new Error(`unknown value format ${bytes[offset] ?? 'none'}`);
  }
}

function isJsonExact(value: unknown): boolean {
  let nodes = 0;
  const look = (part: unknown, depth: number): boolean => {
    if (++nodes > MAX_NODES || depth > MAX_DEPTH) return false;
    switch (typeof part) {
      case 'string':
      case 'boolean':
        return true;
      case 'number':
        return Number.isFinite(part) && !Object.is(part, -0);
      case 'object': {
        if (part === null) return true;
        if (Array.isArray(part)) {
          for (const item of part) if (!look(item, depth + 1)) return false;
          return Object.keys(part).length === part.length;
        }
        const prototype: unknown = Object.getPrototypeOf(part);
        if (prototype !== Object.prototype) return false;
        for (const key of Object.keys(part)) {
          if (key === '__proto__' || !look((part as Record<string, unknown>)[key], depth + 1)) return false;
        }
        return true;
      }
      default:
        return false;
    }
  };
  return look(value, 0);
}
