import {
  ControlError,
  type ControlHandlers,
  type DbOverview,
  type MoveRequest,
  type Progress,
  type RebalanceRequest,
} from '../../control/contract';
import { DataError } from '../../data/data-error';
import { MoveError, type MoveRecord } from '../../data/move/move-store';
import type { MoveProgress } from '../../data/move/mover';
import { TableError } from '../../data/move/tables';
import { ChecksumError } from '../../data/move/transfer';
import { type MoveUnit, unitName } from '../../data/move/unit';
import { parseGuildId } from '../../data/placement/guild-id';
import { MigrationError } from '../../data/schema/migrator';
import type { DataTier } from './tier';

type Handlers = Pick<ControlHandlers, 'dbOverview' | 'moveGuild' | 'abortMove' | 'rebalance' | 'migrate'>;
type Tell = (line: Progress) => void;

/** The orders of `botctl db`. */
export class DataCommands implements Handlers {
  /** @param tier null while there are no database shards */
  constructor(private readonly tier: () => DataTier | null) {}

  async dbOverview(): Promise<DbOverview> {
    const tier = this.#tier();
    return refusing(async () => {
      const [moves, migrations] = await Promise.all([tier.recentMoves(), tier.migrations()]);
      const names = migrations[0]?.map(({ name }) => name) ?? [];
      return {
        moves: moves.map(({ unit, from, to, state, rows, pauseMs, startedAt, message }) => ({
          unit: unitName(unit),
          ...{ from, to, state, rows, pauseMs, message },
          startedAt: startedAt.toISOString(),
        })),
        migrations: names.map((name, index) => ({
          name,
          shards: migrations.map((list, shard) => ({
            shard,
            appliedAt: list[index]?.appliedAt?.toISOString() ?? null,
            changed: list[index]?.changed ?? false,
          })),
        })),
      };
    });
  }

  async moveGuild({ guild, to }: MoveRequest, tell: Tell): Promise<void> {
    const tier = this.#tier();
    const unit = guildUnit(guild);
    if (to >= tier.shards) {
      throw new ControlError(404, `There is no database shard ${to}.`, `They are 0 to ${tier.shards - 1}.`);
    }
    tell({ done: false, text: `guild ${guild}: to database shard ${to}` });
    const record = await refusing(() => tier.move(unit, to, (progress) => tell({ done: false, text: line(progress) })));
    tell({ done: true, ok: true, text: summary(record) });
  }

  async abortMove({ guild }: Pick<MoveRequest, 'guild'>, tell: Tell): Promise<void> {
    const tier = this.#tier();
    const unit = guildUnit(guild);
    await refusing(() => tier.abort(unit));
    tell({ done: true, ok: true, text: `the move of guild ${guild} was taken back; it never stopped being served` });
  }

  async rebalance({ drain, dryRun }: RebalanceRequest, tell: Tell): Promise<void> {
    const tier = this.#tier();
    const unknown = drain.find((shard) => shard >= tier.shards);
    if (unknown !== undefined) throw new ControlError(404, `There is no database shard ${unknown}.`);
    if (new Set(drain).size >= tier.shards) throw new ControlError(409, 'Some database shard has to hold the guilds.');
    const drained = new Set(drain);
    if (dryRun) {
      const moves = await refusing(() => tier.planned(drained));
      for (const { bucket, from, to } of moves) tell({ done: false, text: `bucket ${bucket}: ${from} -> ${to}` });
      tell({ done: true, ok: true, text: moves.length === 0 ? IN_BALANCE : `${moves.length} buckets would move` });
      return;
    }
    const count = await refusing(() =>
      tier.rebalance(drained, (progress, left) => {
        if (progress.phase === 'done') tell({ done: false, text: `${line(progress)}; ${left - 1} buckets left` });
      }),
    );
    tell({ done: true, ok: true, text: count === 0 ? IN_BALANCE : `${count} buckets moved` });
  }

  async migrate(tell: Tell): Promise<void> {
    const tier = this.#tier();
    const applied = await refusing(() => tier.migrate());
    applied.forEach((names, shard) => {
      tell({ done: false, text: `database shard ${shard}: ${names.length === 0 ? 'up to date' : names.join(', ')}` });
    });
    const count = applied.reduce((sum, names) => sum + names.length, 0);
    tell({ done: true, ok: true, text: count === 0 ? 'nothing to migrate' : `${count} migrations applied` });
  }

  #tier(): DataTier {
    const tier = this.tier();
    if (tier === null) {
      throw new ControlError(409, 'There are no database shards.', 'See postgres in `botctl status`.');
    }
    return tier;
  }
}

const IN_BALANCE = 'the buckets are in balance already';

function guildUnit(guild: string): MoveUnit {
  try {
    return { kind: 'guild', guildId: parseGuildId(guild) };
  } catch (error) {
    throw new ControlError(400, (error as Error).message);
  }
}

function line({ unit, phase, table, rows, totalRows, pauseMs }: MoveProgress): string {
  const what = table === undefined ? '' : ` ${table}`;
  const of = totalRows === undefined || rows === undefined ? '' : ` ${bar(rows, Math.max(rows, totalRows))}`;
  const count = rows === undefined ? '' : `${of} ${rows.toLocaleString('en')} rows`;
  const pause = pauseMs === undefined ? '' : `, writers waited ${pauseMs.toFixed(0)} ms`;
  return `${unit}: ${phase}${what}${count}${pause}`;
}

const BAR_WIDTH = 20;

/** The total is a guess, so it never says that it is done. */
function bar(rows: number, total: number): string {
  const filled = Math.min(BAR_WIDTH - 1, Math.floor((BAR_WIDTH * rows) / Math.max(1, total)));
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`;
}

function summary({ unit, from, to, rows, pauseMs }: MoveRecord): string {
  const pause = pauseMs === null ? '' : `; writers waited ${pauseMs.toFixed(0)} ms`;
  return `${unitName(unit)} moved from database shard ${from} to ${to}: ${(rows ?? 0).toLocaleString('en')} rows${pause}`;
}

/** What an operator can do something about goes out as it is. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const told =
      error instanceof MoveError ||
      error instanceof TableError ||
      error instanceof ChecksumError ||
      error instanceof MigrationError ||
      error instanceof DataError;
    if (told) throw new ControlError(409, error.message);
    if (error instanceof Error && 'code' in error) {
      throw new ControlError(502, `Postgres: ${error.message}`, 'See botctl status, then try again: a move goes on.');
    }
    throw error;
  }
}
