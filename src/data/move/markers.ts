import { LOCK_SPACE } from '../schema/lock-space';
import { bucketSql } from '../placement/bucket';
import type { Session } from './session';
import { lockBucket, type Move, unitNumber } from './unit';

/*
 * What the shards themselves know of who is where. The shard that owns a unit says so (`here`); one that was left names
 * the next and the token; one that is about to own it lets in who brings the token (`arriving`).
 */

/** Has the source given the unit away in this move? What it says decides how an interrupted move goes on. */
export async function hasLeft(source: Session, move: Move): Promise<boolean> {
  const { table, key } = place(move);
  const row = await source.one<{ here: boolean; token: string | null }>(
    `SELECT here, token::text FROM ${table} WHERE ${key} = $1`,
    [unitNumber(move.unit)],
  );
  return row !== undefined && !row.here && row.token === move.id;
}

/** Does the shard let everybody in? */
export async function owns(session: Session, { unit }: Move): Promise<boolean> {
  const row = await session.one<{ here: boolean }>(
    unit.kind === 'guild' ? 'SELECT botctl.owns($1) AS here' : 'SELECT here FROM botctl.bucket WHERE bucket = $1',
    [unitNumber(unit)],
  );
  return row?.here === true;
}

/** Holds back everybody who enters the unit, until the transaction ends. @throws SQLSTATE 55P03 when it takes too long */
export async function holdBack(source: Session, move: Move): Promise<void> {
  await source.query(`SELECT pg_advisory_xact_lock(${LOCK_SPACE}, ${lockBucket(move.unit)})`);
}

/** From the commit on, the target lets in who has been sent by the source. */
export async function announceArrival(target: Session, move: Move): Promise<void> {
  if (move.unit.kind === 'bucket') {
    await target.query('UPDATE botctl.bucket SET arriving = $2 WHERE bucket = $1', [move.unit.bucket, move.id]);
    return;
  }
  await target.query(
    `INSERT INTO botctl.guild (guild_id, here, arriving) VALUES ($1, false, $2)
     ON CONFLICT (guild_id) DO UPDATE SET here = false, arriving = $2`,
    [move.unit.guildId, move.id],
  );
}

/** The move goes no further: the target refuses everybody again. */
export async function withdrawArrival(target: Session, move: Move): Promise<void> {
  const { table, key } = place(move);
  await target.query(`UPDATE ${table} SET arriving = NULL WHERE ${key} = $1 AND arriving = $2`, [
    unitNumber(move.unit),
    move.id,
  ]);
}

/** From the commit on, the source refuses everybody and shows the way. The point of no return. */
export async function leave(source: Session, move: Move): Promise<void> {
  const { to, id, unit } = move;
  await source.query('UPDATE botctl.bucket SET epoch = epoch + 1 WHERE bucket = $1', [lockBucket(unit)]);
  if (unit.kind === 'bucket') {
    await source.query('UPDATE botctl.bucket SET here = false, moved_to = $2, token = $3 WHERE bucket = $1', [
      unit.bucket,
      to,
      id,
    ]);
    return;
  }
  await source.query(
    `INSERT INTO botctl.guild (guild_id, here, moved_to, token) VALUES ($1, false, $2, $3)
     ON CONFLICT (guild_id) DO UPDATE SET here = false, moved_to = $2, token = $3, arriving = NULL`,
    [unit.guildId, to, id],
  );
}

/** The target owns the unit without a token too. */
export async function settle(target: Session, move: Move): Promise<void> {
  const { unit, id } = move;
  await target.query('UPDATE botctl.bucket SET epoch = epoch + 1 WHERE bucket = $1', [lockBucket(unit)]);
  if (unit.kind === 'bucket') {
    await target.query(
      `UPDATE botctl.bucket SET here = true, moved_to = NULL, token = NULL, arriving = NULL
        WHERE bucket = $1 AND arriving = $2`,
      [unit.bucket, id],
    );
    return;
  }
  // Home again: it needs no place of its own any more.
  const { rowCount } = await target.query(
    `DELETE FROM botctl.guild WHERE guild_id = $1 AND arriving = $2
        AND (SELECT here FROM botctl.bucket WHERE bucket = $3)`,
    [unit.guildId, id, lockBucket(unit)],
  );
  if (rowCount !== 0) return;
  await target.query(
    `UPDATE botctl.guild SET here = true, moved_to = NULL, token = NULL, arriving = NULL
      WHERE guild_id = $1 AND arriving = $2`,
    [unit.guildId, id],
  );
}

/** With a bucket goes the knowledge which of its guilds live elsewhere. */
export async function handOverExceptions(source: Session, target: Session, move: Move): Promise<void> {
  if (move.unit.kind !== 'bucket') return;
  const inBucket = `${bucketSql('guild_id')} = ${move.unit.bucket}`;
  await target.query(`DELETE FROM botctl.guild WHERE NOT here AND ${inBucket}`);
  const { rows } = await source.query<{
    guild_id: string;
    moved_to: number | null;
    token: string | null;
    here: boolean;
  }>(`SELECT guild_id::text, here, moved_to, token::text FROM botctl.guild WHERE ${inBucket}`);
  for (const { guild_id, here, moved_to, token } of rows) {
    // One that stays on the source by a pin is found there by the catalogue.
    await target.query(
      `INSERT INTO botctl.guild (guild_id, here, moved_to, token) VALUES ($1, false, $2, $3) ON CONFLICT DO NOTHING`,
      [guild_id, here ? null : moved_to, here ? null : token],
    );
  }
}

function place(move: Move): { table: string; key: string } {
  return move.unit.kind === 'guild'
    ? { table: 'botctl.guild', key: 'guild_id' }
    : { table: 'botctl.bucket', key: 'bucket' };
}
