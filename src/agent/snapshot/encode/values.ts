import type { Payload } from '../format';

/** A structure of discord.js, read by property name: many of its properties are absent until Discord has sent them. */
export type Structure = Readonly<Record<string, unknown>>;

/** Pairs of the name in Discord's API and the property of the structure. */
export type FieldTable = readonly (readonly [api: string, property: string])[];

/** Looks at a typed structure as one of unknown properties. */
export function loose(structure: object): Structure {
  return structure as Structure;
}

/** Copies fields; absent ones stay absent, null stays null. */
export function copyFields(into: Payload, from: Structure, table: FieldTable): void {
  for (const [api, property] of table) {
    const value = from[property];
    if (value !== undefined) into[api] = value;
  }
}

/** Copies fields whose structures start with null: null is left out too, which keeps the file small. */
export function copySetFields(into: Payload, from: Structure, table: FieldTable): void {
  for (const [api, property] of table) {
    const value = from[property];
    if (value !== undefined && value !== null) into[api] = value;
  }
}

/**
 * A timestamp in milliseconds as Discord writes it. Null and absence are kept. discord.js holds NaN where it parsed
 * nonsense; that becomes a text that is nonsense again.
 */
export function iso(timestamp: unknown): string | null | undefined {
  if (timestamp === null || timestamp === undefined) return timestamp;
  const date = new Date(Number(timestamp));
  return Number.isNaN(date.getTime()) ? 'invalid' : date.toISOString();
}

/** Like `iso`, for fields that start with null. */
export function isoIfSet(timestamp: unknown): string | undefined {
  return iso(timestamp) ?? undefined;
}

/** The bits of a bit field: a number, or a string where they need 64 bits. */
export function bits(field: unknown): number | string | undefined {
  if (typeof field !== 'object' || field === null || !('bitfield' in field)) return undefined;
  const { bitfield } = field;
  if (typeof bitfield === 'bigint') return bitfield.toString();
  return typeof bitfield === 'number' ? bitfield : undefined;
}

/** Like `bits`, for fields that start with no bit set. */
export function bitsIfAny(field: unknown): number | string | undefined {
  const value = bits(field);
  return value === 0 || value === '0' ? undefined : value;
}
