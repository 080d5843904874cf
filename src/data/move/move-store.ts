import { randomBytes } from 'node:crypto';
import { LOCK_SPACE } from '../schema/lock-space';
import type { Session } from './session';
import { type Move, type MoveUnit, toUnit, unitName, unitNumber } from './unit';

/** Second key of the lock under which one mover works in a deployment. */
const MOVE_LOCK = 100_002;

export type MoveState = 'copying' | 'moved' | 'done' | 'aborted';

export interface MoveRecord extends Move {
  state: MoveState;
  /** Tables of which a first copy is complete. */
  copied: string[];
  rows: number | null;
  pauseMs: number | null;
  message: string | null;
  startedAt: Date;
}

/** The move cannot be begun as asked. */
export class MoveError extends Error {
  override readonly name = 'MoveError';
}

const COLUMNS = `id::text, kind, unit::text, from_shard, to_shard, state, copied, rows::text, pause_ms, message, started_at`;

interface Row {
  id: string;
  kind: 'guild' | 'bucket';
  unit: string;
  from_shard: number;
  to_shard: number;
  state: MoveState;
  copied: string[];
  rows: string | null;
  pause_ms: number | null;
  message: string | null;
  started_at: Date;
}

/** Waits until no other mover works. Held until the connection ends; by a transaction, so that it holds behind a pooler. */
export async function lockMoves(catalogue: Session, lockTimeout = 0): Promise<void> {
  await catalogue.begin({ lockTimeout });
  await catalogue.query(`SELECT pg_advisory_xact_lock(${LOCK_SPACE}, ${MOVE_LOCK})`);
}

/** Moves as the catalogue remembers them. */
export class MoveStore {
  constructor(private readonly catalogue: Session) {}

  async open(): Promise<MoveRecord[]> {
    const { rows } = await this.catalogue.query<Row>(
      `SELECT ${COLUMNS} FROM botctl.move WHERE state IN ('copying', 'moved') ORDER BY started_at`,
    );
    return rows.map(toRecord);
  }

  /** The newest ones, newest first. */
  async recent(limit: number): Promise<MoveRecord[]> {
    const { rows } = await this.catalogue.query<Row>(
      `SELECT ${COLUMNS} FROM botctl.move ORDER BY started_at DESC LIMIT $1`,
      [limit],
    );
    return rows.map(toRecord);
  }

  /** @throws MoveError when the unit is there already or is being moved elsewhere */
  async begin(unit: MoveUnit, to: number): Promise<MoveRecord> {
    const under = (await this.open()).find(
      (move) => move.unit.kind === unit.kind && unitNumber(move.unit) === unitNumber(unit),
    );
    if (under !== undefined) {
      if (under.to === to) return under;
      throw new MoveError(`${unitName(unit)} is being moved to database shard ${under.to} already.`);
    }
    const from = await this.locate(unit);
    if (from === to) throw new MoveError(`${unitName(unit)} is on database shard ${to} already.`);
    const id = (randomBytes(8).readBigUInt64BE() >> 1n).toString();
    const { rows } = await this.catalogue.query<Row>(
      `INSERT INTO botctl.move (id, kind, unit, from_shard, to_shard, state) VALUES ($1, $2, $3, $4, $5, 'copying')
       RETURNING ${COLUMNS}`,
      [id, unit.kind, unitNumber(unit), from, to],
    );
    return toRecord(rows[0] as Row);
  }

  async locate(unit: MoveUnit): Promise<number> {
    const row = await this.catalogue.one<{ shard: number }>(
      unit.kind === 'bucket'
        ? 'SELECT shard FROM botctl.placement_bucket WHERE bucket = $1'
        : `SELECT coalesce((SELECT shard FROM botctl.placement_pin WHERE guild_id = $1),
             (SELECT shard FROM botctl.placement_bucket WHERE bucket = botctl.bucket_of($1))) AS shard`,
      [unitNumber(unit)],
    );
    if (row === undefined) throw new MoveError(`${unitName(unit)} is not in the catalogue.`);
    return row.shard;
  }

  async note(
    move: Move,
    change: { state?: MoveState; copied?: string; rows?: number; pauseMs?: number; message?: string | null },
  ): Promise<void> {
    await this.catalogue.query(
      `UPDATE botctl.move SET state = coalesce($2, state), copied = CASE WHEN $3::text IS NULL THEN copied ELSE array_append(copied, $3) END,
              rows = coalesce($4, rows), pause_ms = coalesce($5, pause_ms), message = $6, updated_at = now() WHERE id = $1`,
      [
        move.id,
        change.state ?? null,
        change.copied ?? null,
        change.rows ?? null,
        change.pauseMs ?? null,
        change.message ?? null,
      ],
    );
  }

  /** The catalogue points to the new shard; the version tells every process that its map is old. */
  async place(move: Move): Promise<void> {
    const { unit, to } = move;
    await this.catalogue.transaction({}, async () => {
      if (unit.kind === 'bucket') {
        await this.catalogue.query('UPDATE botctl.placement_bucket SET shard = $2 WHERE bucket = $1', [
          unit.bucket,
          to,
        ]);
      } else {
        await this.catalogue.query('DELETE FROM botctl.placement_pin WHERE guild_id = $1', [unit.guildId]);
        await this.catalogue.query(
          `INSERT INTO botctl.placement_pin (guild_id, shard) SELECT $1::bigint, $2::int
            WHERE $2 <> (SELECT shard FROM botctl.placement_bucket WHERE bucket = botctl.bucket_of($1))`,
          [unit.guildId, to],
        );
      }
      await this.catalogue.query('UPDATE botctl.placement SET version = version + 1');
      await this.note(move, { state: 'moved' });
    });
  }
}

function toRecord(row: Row): MoveRecord {
  return {
    id: row.id,
    unit: toUnit(row.kind, BigInt(row.unit)),
    from: row.from_shard,
    to: row.to_shard,
    state: row.state,
    copied: row.copied,
    rows: row.rows === null ? null : Number(row.rows),
    pauseMs: row.pause_ms,
    message: row.message,
    startedAt: row.started_at,
  };
}
