import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { DataError } from '../data-error';
import { classify } from '../pool/classify';
import { capture, release } from './capture';
import {
  announceArrival,
  handOverExceptions,
  hasLeft,
  holdBack,
  leave,
  owns,
  settle,
  withdrawArrival,
} from './markers';
import { lockMoves, type MoveRecord, MoveError, MoveStore } from './move-store';
import { Session } from './session';
import {
  type DeclaredTables,
  findTables,
  inspectTables,
  LEFT_TABLES,
  type MovedTable,
  OWN_TABLES,
  refuseDifferent,
  refuseOrphans,
  TableError,
} from './tables';
import {
  ChecksumError,
  compareAll,
  copyAll,
  copyChanges,
  deleteAll,
  estimateRows,
  raiseAllSequences,
} from './transfer';
import { type MoveUnit, unitName } from './unit';

export interface MoveProgress {
  phase: 'preparing' | 'copying' | 'catching up' | 'verifying' | 'switching' | 'cleaning' | 'done';
  unit: string;
  from: number;
  to: number;
  table?: string;
  /** Rows copied so far, and of how many. */
  rows?: number;
  totalRows?: number;
  pauseMs?: number;
}

export interface MoverOptions {
  /** Opens a connection of its own to a database shard. */
  connect: (shard: number) => Promise<Client>;
  tables: DeclaredTables;
  onProgress?: (progress: MoveProgress) => void;
  signal?: AbortSignal;
}

/** Connections of one move. */
interface Sides {
  source: Session;
  target: Session;
  store: MoveStore;
  /** To the source too, for looks at what it is doing. */
  watch: Session;
}

/** When the last pass took no longer, ms, what has changed during it is moved while writers wait. */
const SHORT_PASS_MS = 60;
/** With every further pass, so much more is taken for short, ms: on a busy server none ever is. */
const PATIENCE_PER_PASS_MS = 10;
const CATCH_UP_PASSES = 20;
/** A writer in the middle of a transaction makes us wait; those behind us wait with us, ms. */
const SWITCH_LOCK_MS = 100;
/** No statement of the switch may take longer, ms; the server ends the switch of a mover that falls silent. */
const SWITCH_STATEMENT_MS = 1_000;
const SWITCH_IDLE_MS = 2_000;
const SWITCH_ATTEMPTS = 50;
/** Databases that go away in the middle of a move are waited for so long, ms. */
const PATIENCE_MS = 120_000;
const RETRY_MS = 500;
const PROGRESS_MS = 250;

/**
 * Moves guilds and buckets from one database shard to another while they are written to. Every step can be repeated; what
 * the shards themselves say (see markers.ts) decides where an interrupted move goes on.
 */
export class Mover {
  constructor(private readonly options: MoverOptions) {}

  /**
   * Moves the unit, or goes on with a move of it that was interrupted.
   * @throws MoveError, TableError, ChecksumError: the source is whole and goes on serving
   */
  async move(unit: MoveUnit, to: number): Promise<MoveRecord> {
    return this.#withStore(async (store) => store.begin(unit, to)).then((move) => this.#untilDone(move));
  }

  /** Goes on with every move that was interrupted. @returns how many */
  async resume(): Promise<number> {
    const open = await this.#withStore((store) => store.open());
    for (const move of open) await this.#untilDone(move);
    return open.length;
  }

  /** Takes the interrupted move of the unit back: the source never stopped serving. @throws MoveError past that point */
  async abort(unit: MoveUnit): Promise<void> {
    const open = await this.#withStore((store) => store.open());
    const move = open.find((each) => unitName(each.unit) === unitName(unit));
    if (move === undefined) throw new MoveError(`${unitName(unit)} is not being moved.`);
    await this.#withSides(move, async (sides) => {
      if (await hasLeft(sides.source, move)) {
        throw new MoveError(`${unitName(unit)} has moved already; only its cleaning up is left: botctl db resume`);
      }
      const tables = await findTables(sides.source.client, this.#tables());
      await this.#takeBack(sides, move, tables);
      await sides.store.note(move, { state: 'aborted', message: 'taken back by hand' });
    });
  }

  async #untilDone(move: MoveRecord): Promise<MoveRecord> {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      this.options.signal?.throwIfAborted();
      try {
        return await this.#withSides(move, (sides) => this.#run(sides, move));
      } catch (error) {
        const known = classify(error, move.from, true);
        const gone =
          known instanceof DataError && ['UNAVAILABLE', 'TOO_MANY_CONNECTIONS', 'CONFLICT'].includes(known.code);
        if (!gone || Date.now() > until) throw await this.#giveUp(move, error);
        await delay(RETRY_MS);
      }
    }
  }

  /** What cannot succeed by trying again is taken back, so that the source carries no trigger for nothing. */
  async #giveUp(move: MoveRecord, error: unknown): Promise<unknown> {
    const hopeless =
      error instanceof MoveError ||
      error instanceof TableError ||
      error instanceof ChecksumError ||
      isConstraint(error);
    if (!hopeless) return error;
    try {
      await this.#withSides(move, async (sides) => {
        if (await hasLeft(sides.source, move)) return;
        await this.#takeBack(sides, move, await findTables(sides.source.client, this.#tables()));
        await sides.store.note(move, { state: 'aborted', message: (error as Error).message });
      });
    } catch {
      // Resumed or aborted later; the source serves on.
    }
    return error;
  }

  async #run(sides: Sides, move: MoveRecord): Promise<MoveRecord> {
    const { source, target, store } = sides;
    const tables = await inspectTables(source.client, this.#tables());
    if (!(await hasLeft(source, move))) {
      if (!(await owns(source, move))) {
        throw new MoveError(
          `${unitName(move.unit)} is not on database shard ${move.from}, whatever the catalogue says.`,
        );
      }
      refuseDifferent(tables, await inspectTables(target.client, this.#tables()));
      await this.#copy(sides, move, tables);
      await this.#switch(sides, move, tables);
    }
    await target.transaction({}, () => settle(target, move));
    await store.place(move);
    this.#tell(move, { phase: 'cleaning' });
    for (const table of tables) {
      await release(source, move, table);
      await deleteAll(source, move, table, 'source');
    }
    for (const table of await inspectTables(source.client, LEFT_TABLES)) await deleteAll(source, move, table, 'source');
    await store.note(move, { state: 'done' });
    const done = (await store.recent(1_000)).find(({ id }) => id === move.id) ?? move;
    this.#tell(move, {
      phase: 'done',
      ...(done.rows !== null && { rows: done.rows }),
      ...(done.pauseMs !== null && { pauseMs: done.pauseMs }),
    });
    return done;
  }

  async #copy(sides: Sides, move: MoveRecord, tables: MovedTable[]): Promise<void> {
    const { source, target, store } = sides;
    this.#tell(move, { phase: 'preparing' });
    await withdrawArrival(target, move);
    for (const table of tables) await capture(source, move, table);
    for (const table of tables.filter(({ name }) => !move.copied.includes(name))) {
      await deleteAll(target, move, table, 'target'); // of an earlier attempt
      await this.#watched(sides, move, table, async () => {
        await target.transaction({ replica: true }, async () => {
          await source.transaction({ snapshot: true }, () => copyAll(source, target, move, table));
        });
      });
      await store.note(move, { copied: table.name });
      move.copied.push(table.name);
    }
    await this.#catchUp(sides, move, tables);
    this.#tell(move, { phase: 'verifying' });
    let rows = 0;
    await this.#bothSides(sides, { snapshot: true }, async () => {
      await this.#changes(sides, move, tables);
      for (const table of tables) rows += await compareAll(source, target, move, table);
    });
    await target.transaction({}, async () => {
      for (const table of tables) await raiseAllSequences(target, move, table);
    });
    await refuseOrphans(target.client, move.unit, tables);
    await store.note(move, { rows });
    await this.#catchUp(sides, move, tables);
  }

  async #catchUp(sides: Sides, move: MoveRecord, tables: MovedTable[]): Promise<void> {
    for (let pass = 1; ; pass++) {
      this.options.signal?.throwIfAborted();
      let changes = 0;
      const since = performance.now();
      await this.#bothSides(sides, { snapshot: true }, async () => {
        changes = await this.#changes(sides, move, tables);
      });
      this.#tell(move, { phase: 'catching up', rows: changes });
      if (performance.now() - since <= SHORT_PASS_MS + pass * PATIENCE_PER_PASS_MS) return;
      if (pass === CATCH_UP_PASSES) {
        throw new MoveError(
          `${unitName(move.unit)} is written to faster than its rows can be copied. Try again when it is calmer.`,
        );
      }
    }
  }

  async #changes({ source, target }: Sides, move: MoveRecord, tables: MovedTable[]): Promise<number> {
    let changes = 0;
    for (const table of tables) changes += await copyChanges(source, target, move, table);
    return changes;
  }

  /** The target commits first: what the source then forgets is safe there. */
  async #bothSides(
    { source, target }: Sides,
    settings: { snapshot: boolean },
    work: () => Promise<void>,
  ): Promise<void> {
    await source.transaction(settings, () => target.transaction({ replica: true }, work));
  }

  async #switch(sides: Sides, move: MoveRecord, tables: MovedTable[]): Promise<void> {
    const { source, target, store } = sides;
    this.#tell(move, { phase: 'switching' });
    for (let attempt = 1; ; attempt++) {
      const since = performance.now();
      try {
        const bounded = { statementTimeout: SWITCH_STATEMENT_MS, idleTimeout: SWITCH_IDLE_MS };
        await source.transaction({ ...bounded, lockTimeout: SWITCH_LOCK_MS }, async () => {
          await holdBack(source, move);
          await target.transaction({ ...bounded, replica: true }, async () => {
            await this.#changes(sides, move, tables);
            await handOverExceptions(source, target, move);
            await announceArrival(target, move);
          });
          await leave(source, move);
        });
      } catch (error) {
        const { code } = error as { code?: unknown };
        const busy = code === '55P03' || code === '57014';
        if (!busy || attempt === SWITCH_ATTEMPTS) throw error;
        await withdrawArrival(target, move);
        await delay(SWITCH_LOCK_MS + Math.random() * SWITCH_LOCK_MS * 2);
        await this.#catchUp(sides, move, tables);
        continue;
      }
      await target.transaction({}, () => settle(target, move));
      const pauseMs = performance.now() - since;
      await store.note(move, { pauseMs });
      return;
    }
  }

  async #takeBack({ source, target }: Sides, move: MoveRecord, tables: MovedTable[]): Promise<void> {
    await withdrawArrival(target, move);
    for (const table of tables) {
      await release(source, move, table);
      await deleteAll(target, move, table, 'target');
    }
  }

  /** Tells how far the server has come with a copy. */
  async #watched(
    { source, watch }: Sides,
    move: MoveRecord,
    table: MovedTable,
    work: () => Promise<void>,
  ): Promise<void> {
    if (this.options.onProgress === undefined) return work();
    this.#tell(move, { phase: 'copying', table: table.name });
    const totalRows = await estimateRows(watch, move, table);
    const { pid } = (await source.one<{ pid: number }>('SELECT pg_backend_pid() AS pid')) ?? { pid: 0 };
    const timer = setInterval(() => {
      void watch
        .one<{ rows: string }>('SELECT tuples_processed::text AS rows FROM pg_stat_progress_copy WHERE pid = $1', [pid])
        .then(
          (row) => row && this.#tell(move, { phase: 'copying', table: table.name, rows: Number(row.rows), totalRows }),
        )
        .catch(() => undefined);
    }, PROGRESS_MS);
    try {
      await work();
    } finally {
      clearInterval(timer);
    }
  }

  #tables(): DeclaredTables {
    return { ...this.options.tables, ...OWN_TABLES };
  }

  #tell({ unit, from, to }: MoveRecord, progress: Omit<MoveProgress, 'unit' | 'from' | 'to'>): void {
    this.options.onProgress?.({ unit: unitName(unit), from, to, ...progress });
  }

  async #withStore<T>(work: (store: MoveStore) => Promise<T>): Promise<T> {
    const catalogue = await this.#connect(0);
    try {
      return await work(new MoveStore(catalogue));
    } finally {
      await catalogue.end();
    }
  }

  async #withSides<T>({ from, to }: MoveRecord, work: (sides: Sides) => Promise<T>): Promise<T> {
    const sessions: Session[] = [];
    const connect = async (shard: number): Promise<Session> => {
      const session = await this.#connect(shard);
      sessions.push(session);
      return session;
    };
    try {
      await lockMoves(await connect(0));
      const store = new MoveStore(await connect(0));
      return await work({ store, source: await connect(from), target: await connect(to), watch: await connect(from) });
    } finally {
      await Promise.all(sessions.map((session) => session.end()));
    }
  }

  async #connect(shard: number): Promise<Session> {
    return new Session(shard, await this.options.connect(shard));
  }
}

/** SQLSTATE class 23: a row of the target is in the way. */
function isConstraint(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && code.startsWith('23');
}
