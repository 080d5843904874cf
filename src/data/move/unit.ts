import { bucketOf, bucketSql } from '../placement/bucket';

/** What is moved at once. */
export type MoveUnit = { kind: 'guild'; guildId: bigint } | { kind: 'bucket'; bucket: number };

export interface Move {
  /** Also the token that the shard which was left shows the way with. */
  id: string;
  unit: MoveUnit;
  from: number;
  to: number;
}

export function unitNumber(unit: MoveUnit): bigint {
  return unit.kind === 'guild' ? unit.guildId : BigInt(unit.bucket);
}

export function toUnit(kind: 'guild' | 'bucket', number: bigint): MoveUnit {
  return kind === 'guild' ? { kind, guildId: number } : { kind, bucket: Number(number) };
}

export function unitName(unit: MoveUnit): string {
  return unit.kind === 'guild' ? `guild ${unit.guildId}` : `bucket ${unit.bucket}`;
}

/** Whose lock holds back everybody who enters the unit. */
export function lockBucket(unit: MoveUnit): number {
  return unit.kind === 'guild' ? bucketOf(unit.guildId) : unit.bucket;
}

/**
 * SQL condition for the rows of the unit. Guilds with a place of their own do not follow their bucket.
 * @param column SQL of the guild-id column, of type bigint, numeric or text
 * @param text it is a text column
 */
export function unitCondition(unit: MoveUnit, column: string, text: boolean, side: 'source' | 'target'): string {
  if (unit.kind === 'guild') return rowCondition(unit, column, text);
  // The source knows all guilds that have left or never came; on the target, only those that live there stay.
  const apart = side === 'source' ? '' : ' WHERE g.here';
  const own = `SELECT g.guild_id FROM botctl.guild g${apart}`;
  return `(${rowCondition(unit, column, text)} AND ${column}::bigint NOT IN (${own}))`;
}

/** As `unitCondition`, without a look at other tables: for the WHEN of a trigger. Takes in a few rows too many. */
export function rowCondition(unit: MoveUnit, column: string, text: boolean): string {
  if (unit.kind === 'guild') return `${column} = ${text ? `'${unit.guildId}'` : unit.guildId}`;
  return `${bucketSql(column)} = ${unit.bucket}`;
}
