import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import type { Logger } from 'pino';
import type { Config } from '../../config';
import type { MoveStatus } from '../../control/contract';
import { type MoveProgress, Mover } from '../../data/move/mover';
import { type MoveRecord, MoveStore } from '../../data/move/move-store';
import { Session } from '../../data/move/session';
import { type MoveUnit, unitName } from '../../data/move/unit';
import { readPlacement, storePlacement } from '../../data/placement/catalogue';
import type { Placement } from '../../data/placement/bucket-map';
import { planRebalance } from '../../data/placement/rebalance';
import {
  checkServers,
  divideBudget,
  type PoolShare,
  type ServerLimit,
  SUPERVISOR_CONNECTIONS,
} from '../../data/pool/budget';
import { connectClient } from '../../data/pool/connect';
import { readMigrations } from '../../data/schema/bot-migrations';
import { type MigrationStatus, MigrationError, Migrator } from '../../data/schema/migrator';
import { PlacementMismatchError, prepareShards } from '../../data/schema/prepare';
import { placementFile } from './settings';
import type { DataView } from './status';
import { readTls } from './tls';
import { within } from '../../within';

export interface DataTierOptions {
  config: Config;
  /** One per database shard. */
  databaseUrls: readonly string[];
  logger: Logger;
}

/** Preparation of databases that do not answer is tried again, and interrupted moves are looked for, after this time, ms. */
const RETRY_MS = 1_000;
const LOOK_MS = 10_000;
const PREPARE_TIMEOUT_MS = 60_000;
/** The bot's start waits no longer for its databases, ms. */
const START_MS = 10_000;
const RECENT_MOVES = 20;
/** Pools grow to so many times their share at most. */
const MAX_HEADROOM = 2;

/**
 * The supervisor's part in the database shards: it prepares them, divides the connections, and moves guilds. The bot's
 * processes reach them by themselves, so nothing here is in the way of a query.
 */
export class DataTier {
  readonly #options: DataTierOptions;
  readonly #abort = new AbortController();
  #placement: Placement | null = null;
  #problem: string | null = 'not prepared yet';
  #timer: NodeJS.Timeout | null = null;
  #working: Promise<unknown> = Promise.resolve();
  #move: MoveStatus | null = null;

  constructor(options: DataTierOptions) {
    this.#options = options;
  }

  get shards(): number {
    return this.#options.databaseUrls.length;
  }

  /**
   * Brings all shards to what this version and this bot need. A server that is down is tried again in the background.
   * @throws PlacementMismatchError, MigrationError: going on would do harm
   */
  async start(): Promise<void> {
    const prepared = this.#inTurn(() => this.#prepare());
    // Later, what is wrong with them is told, but stops nothing any more.
    await Promise.race([prepared, delay(START_MS, undefined, { ref: false })]);
    prepared.catch((error: unknown) => this.#fail(error));
    this.#attendLater();
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the supervisor stops'));
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#working.catch(() => undefined);
  }

  /**
   * What each cluster may open to each database shard.
   * @throws PoolBudgetError when there are not enough connections for all
   */
  async share(clusters: number): Promise<PoolShare> {
    const { config } = this.#options;
    const { min, max } = config.postgres.pool;
    const deployment = { clusters, databaseShards: this.shards };
    const needed = (clusters + SUPERVISOR_CONNECTIONS) * this.shards;
    // Our own server is given what the deployment needs; somebody else's has its limits.
    const embedded = config.postgres.shards === undefined;
    const share = divideBudget({ min, max: embedded ? Math.max(max, needed) : max }, deployment);
    // Servers that do not answer cannot be asked.
    if (this.#problem === null) checkServers(share, deployment, await this.#limits());
    return share;
  }

  /**
   * How many times its share each cluster may open to a database shard, by what its server has free; 1: no more.
   * @param shard null: to each of them
   */
  async headroom(clusters: number, shard: number | null): Promise<number> {
    if (this.#problem !== null || clusters === 0) return 1;
    const share = await this.share(clusters);
    const limits = (await this.#limits()).filter(({ shards }) => shard === null || shards.includes(shard));
    const factors = limits.map(({ shards, maxConnections, reserved }) => {
      const free = maxConnections - reserved - SUPERVISOR_CONNECTIONS * shards.length;
      return free / (shards.length * clusters * share.max);
    });
    return Math.max(1, Math.min(MAX_HEADROOM, ...factors));
  }

  view(): DataView {
    const counts = new Array<number>(this.shards).fill(0);
    for (const shard of this.#placement?.buckets ?? []) counts[shard] = (counts[shard] ?? 0) + 1;
    const pins = new Array<number>(this.shards).fill(0);
    for (const shard of this.#placement?.pins.values() ?? []) pins[shard] = (pins[shard] ?? 0) + 1;
    return {
      problem: this.#problem,
      shards: this.#options.databaseUrls.map((url, shard) => ({
        shard,
        address: addressOf(url),
        buckets: counts[shard] ?? 0,
        pinnedGuilds: pins[shard] ?? 0,
      })),
      move: this.#move,
    };
  }

  /**
   * A connection of the supervisor's own.
   * @param queryTimeout a query without an answer for so long fails, ms; absent: it waits
   * @throws Error of the server
   */
  connect(shard: number, queryTimeout?: number): Promise<Client> {
    const { config, databaseUrls } = this.#options;
    const { tls } = config.postgres;
    return connectClient({
      url: databaseUrls[shard] ?? '',
      applicationName: 'botctl supervisor',
      ...(queryTimeout !== undefined && { queryTimeout }),
      ...(tls !== undefined && { ssl: readTls(tls) }),
    });
  }

  /** @throws MoveError, TableError, … */
  move(unit: MoveUnit, to: number, onProgress: (progress: MoveProgress) => void): Promise<MoveRecord> {
    return this.#inTurn(() => this.#moved(unit, to, onProgress));
  }

  abort(unit: MoveUnit): Promise<void> {
    return this.#inTurn(() => this.#mover(() => undefined).abort(unit));
  }

  /** Moves buckets until all shards hold equally many. @returns how many were moved */
  async rebalance(
    drained: ReadonlySet<number>,
    onProgress: (progress: MoveProgress, left: number) => void,
  ): Promise<number> {
    return this.#inTurn(async () => {
      const { buckets } = await this.#readPlacement();
      const moves = planRebalance(buckets, this.shards, drained);
      for (const [index, { bucket, to }] of moves.entries()) {
        const report = (progress: MoveProgress): void => onProgress(progress, moves.length - index);
        await this.#moved({ kind: 'bucket', bucket }, to, report);
      }
      return moves.length;
    });
  }

  /** What `rebalance` would do. */
  async planned(drained: ReadonlySet<number>): Promise<{ bucket: number; from: number; to: number }[]> {
    return planRebalance((await this.#readPlacement()).buckets, this.shards, drained);
  }

  /** Applies the bot's own migrations. @returns names by shard @throws MigrationError */
  migrate(): Promise<string[][]> {
    return this.#inTurn(() => this.#migrate());
  }

  async migrations(): Promise<MigrationStatus[][]> {
    const migrations = this.#botMigrations();
    return Promise.all(
      this.#options.databaseUrls.map((_, shard) => new Migrator('bot', migrations, () => this.connect(shard)).status()),
    );
  }

  async recentMoves(): Promise<MoveRecord[]> {
    const catalogue = new Session(0, await this.connect(0));
    try {
      return await new MoveStore(catalogue).recent(RECENT_MOVES);
    } finally {
      await catalogue.end();
    }
  }

  async #prepare(): Promise<void> {
    try {
      await within(
        PREPARE_TIMEOUT_MS,
        prepareShards(this.shards, (shard) => this.connect(shard)),
        `no end within ${PREPARE_TIMEOUT_MS / 1_000} s`,
      );
      await this.#migrate();
      await this.#readPlacement();
      if (this.#problem !== null) this.#options.logger.info({ shards: this.shards }, 'database shards are ready');
      this.#problem = null;
    } catch (error) {
      if (error instanceof PlacementMismatchError || error instanceof MigrationError) throw error;
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const message = messageOf(error);
    if (message !== this.#problem) this.#options.logger.error(`the database shards cannot be prepared: ${message}`);
    this.#problem = message;
  }

  #attendLater(): void {
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(
      () => void this.#inTurn(() => this.#attend()).finally(() => this.#attendLater()),
      this.#problem === null ? LOOK_MS : RETRY_MS,
    ).unref();
  }

  /** Tries again what failed, and goes on with moves whose mover was killed. */
  async #attend(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    try {
      if (this.#problem !== null) await this.#prepare();
      if (this.#problem !== null) return;
      const resumed = await this.#mover((progress) => this.#follow(progress)).resume();
      if (resumed > 0) this.#options.logger.info(`${resumed} interrupted moves were brought to their end`);
      await this.#readPlacement();
    } catch (error) {
      this.#options.logger.warn(`the database shards: ${messageOf(error)}`);
    } finally {
      this.#move = null;
    }
  }

  async #moved(unit: MoveUnit, to: number, onProgress: (progress: MoveProgress) => void): Promise<MoveRecord> {
    const { logger } = this.#options;
    try {
      const record = await this.#mover((progress) => {
        this.#follow(progress);
        onProgress(progress);
      }).move(unit, to);
      logger.info(
        { from: record.from, to, rows: record.rows, pauseMs: record.pauseMs },
        `${unitName(unit)} moved to database shard ${to}`,
      );
      await this.#readPlacement();
      return record;
    } catch (error) {
      logger.error(`${unitName(unit)} was not moved to database shard ${to}: ${messageOf(error)}`);
      throw error;
    } finally {
      this.#move = null;
    }
  }

  #follow({ unit, from, to, phase, rows }: MoveProgress): void {
    this.#move = { unit, from, to, phase, rows: rows ?? null };
  }

  #mover(onProgress: (progress: MoveProgress) => void): Mover {
    return new Mover({
      connect: (shard) => this.connect(shard),
      tables: this.#options.config.postgres.tables,
      onProgress,
      signal: this.#abort.signal,
    });
  }

  async #migrate(): Promise<string[][]> {
    const migrations = this.#botMigrations();
    const applied: string[][] = [];
    if (migrations.length === 0) return applied;
    for (let shard = 0; shard < this.shards; shard++) {
      const names = await new Migrator('bot', migrations, () => this.connect(shard)).up();
      if (names.length > 0) this.#options.logger.info({ shard, migrations: names }, 'migrations applied');
      applied.push(names);
    }
    return applied;
  }

  #botMigrations(): ReturnType<typeof readMigrations> {
    const { migrations } = this.#options.config.postgres;
    return migrations === undefined ? [] : readMigrations(migrations);
  }

  /** Kept in a file too, for clusters that start while the catalogue is down. */
  async #readPlacement(): Promise<Placement> {
    const catalogue = await this.connect(0);
    try {
      const placement = await readPlacement(catalogue);
      if (placement.version !== this.#placement?.version) {
        const file = placementFile(this.#options.config.stateDir);
        writeFileSync(`${file}.new`, JSON.stringify(storePlacement(placement)), { mode: 0o600 });
        renameSync(`${file}.new`, file);
      }
      this.#placement = placement;
      return placement;
    } finally {
      await catalogue.end().catch(() => undefined);
    }
  }

  /** Of the servers that answer; the others cannot be checked now. */
  async #limits(): Promise<ServerLimit[]> {
    const servers = new Map<string, number[]>();
    this.#options.databaseUrls.forEach((url, shard) => {
      const address = serverOf(url);
      servers.set(address, [...(servers.get(address) ?? []), shard]);
    });
    if (this.#options.config.postgres.pool.pgbouncer) return []; // the pooler's limits are not the server's
    const looks = await Promise.allSettled([...servers].map(([address, shards]) => this.#limit(address, shards)));
    return looks.flatMap((look) => (look.status === 'fulfilled' ? [look.value] : []));
  }

  async #limit(address: string, shards: number[]): Promise<ServerLimit> {
    const client = await this.connect(shards[0] ?? 0);
    try {
      const { rows } = await client.query<{ max: number; reserved: number }>(`
        SELECT current_setting('max_connections')::int AS max,
               current_setting('superuser_reserved_connections')::int
                 + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved`);
      const { max = 0, reserved = 0 } = rows[0] ?? {};
      return { address, shards, maxConnections: max, reserved };
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** One thing after the other: two moves would only wait for each other's lock. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#working.then(work, work);
    this.#working = turn.catch(() => undefined);
    return turn;
  }
}

/** Host, port and database; never a password. */
function addressOf(url: string): string {
  return URL.canParse(url) ? `${new URL(url).host}${new URL(url).pathname}` : 'an address that cannot be read';
}

function serverOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
