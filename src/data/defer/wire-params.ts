import pg from 'pg';

/** A parameter as pg sends it: text, bytes or NULL. */
export type WireParam = string | Buffer | null;

/** Part of pg since long, and not in its types. */
const { prepareValue } = (pg as unknown as { utils: { prepareValue: (value: unknown) => WireParam } }).utils;

/**
 * What pg would send, worked out now by pg itself. The journal keeps this and not the values: a statement that is
 * replayed later, by another process or version of Node, sends the very bytes that it would have sent at once, whatever
 * the parameters are (dates, arrays, objects with `toPostgres`), and changes that the caller makes later do not matter.
 * @throws Error of the value, such as an object that refers to itself
 */
export function toWire(params: readonly unknown[]): WireParam[] {
  return params.map((value) => {
    const wire = prepareValue(value);
    return Buffer.isBuffer(wire) ? Buffer.from(wire) : wire;
  });
}

/** In JSON: text and NULL as they are, bytes as `{ b: base64 }`. */
export type JsonParam = string | null | { b: string };

export function toJson(params: readonly WireParam[]): JsonParam[] {
  return params.map((value) => (Buffer.isBuffer(value) ? { b: value.toString('base64') } : value));
}

export function fromJson(params: readonly JsonParam[]): WireParam[] {
  return params.map((value) => (typeof value === 'object' && value !== null ? Buffer.from(value.b, 'base64') : value));
}
