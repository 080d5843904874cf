import type { Client } from 'pg';
import type { Logger } from 'pino';
import { DeferQueue, listJournals, pruneAge } from '../../data/defer';
import { pruneShard } from '../../data/housekeeping';
import type { Database } from '../../data/router/database';
import { openDatabase } from '../../data/router/open-database';
import type { DataSettings } from '../../data/settings';
import type { DataSample, DeferredSample } from '../../ipc/data-sample';
import type { Clock } from '../../clock';

export interface DataHousekeepingOptions {
  settings: DataSettings;
  /** This owner of a journal will be started again if it dies: it takes over its own. */
  isOwner: (owner: string) => boolean;
  /** The owner's process has long begun: whatever it was to take over at its start, it has. */
  isServing: (owner: string) => boolean;
  /** A connection to a database shard. */
  connect: (shard: number) => Promise<Client>;
  /** What the owner's living process last told of its queue; null: nothing yet. */
  deferredOf: (owner: string) => DeferredSample | null;
  clock: Clock;
  logger: Logger;
}

/** Rows that nobody needs are removed this often, and abandoned writes are looked for this often, ms. */
const PRUNE_MS = 60 * 60 * 1_000;
const ADOPT_MS = 10_000;
/** What lies about for so long beside a process that serves was left after its start, by the one that it succeeded, ms. */
const LEFT_MS = 30_000;
const OWNER = 'supervisor';

/**
 * What no cluster can see to: the writes left behind by a cluster that the plan has no more, or by a process whose
 * successor served before it ended, and the rows that botctl's own tables need no more.
 */
export class DataHousekeeping {
  readonly #abort = new AbortController();
  #working: Promise<void> = Promise.resolve();
  #cancel: (() => void)[] = [];
  /** Since when an owner's writes have been lying about beside its process, ms since the epoch. */
  readonly #leftSince = new Map<string, number>();
  #database: Database | null = null;
  #queue: DeferQueue | null = null;

  constructor(private readonly options: DataHousekeepingOptions) {}

  start(): void {
    this.#every(PRUNE_MS, 0, () => this.prune());
    this.#every(ADOPT_MS, 1, () => this.adopt());
    void this.#inTurn(() => this.adopt());
  }

  /** What is deferred stays on disk. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the supervisor stops'));
    for (const cancel of this.#cancel) cancel();
    await this.#working;
    await this.#close();
  }

  /** Null while there are no abandoned writes. */
  sample(): DataSample | null {
    if (this.#queue === null) return null;
    return { pools: this.#database?.stats() ?? [], cache: null, deferred: this.#queue.stats() };
  }

  /** Takes over the writes of owners that are no more, and gives up its connections once all have landed. */
  async adopt(): Promise<void> {
    const { settings, isOwner, logger } = this.options;
    const journals = await listJournals(settings.defer.dir);
    this.#watch(journals.filter(({ alive }) => !alive).map(({ owner }) => owner));
    const now = this.options.clock.now();
    const mayAdopt = (owner: string): boolean => {
      return !isOwner(owner) || now - (this.#leftSince.get(owner) ?? now) >= LEFT_MS;
    };
    if (journals.some(({ owner, alive }) => !alive && mayAdopt(owner))) {
      this.#queue ??= await this.#open();
      const count = await this.#queue.adoptOrphans(mayAdopt);
      if (count > 0) logger.info(`${count} deferred writes that were left behind are being done`);
    }
    if (this.#queue?.stats().pending === 0) await this.#close();
  }

  #watch(left: readonly string[]): void {
    const { isServing, clock } = this.options;
    const beside = new Set(left.filter(isServing));
    for (const owner of this.#leftSince.keys()) if (!beside.has(owner)) this.#leftSince.delete(owner);
    for (const owner of beside) if (!this.#leftSince.has(owner)) this.#leftSince.set(owner, clock.now());
  }

  /** @throws Error of a database shard; the other ones are seen to all the same */
  async prune(): Promise<void> {
    const { settings, connect, logger } = this.options;
    const deferredAge = await this.#deferredAge();
    const outcomes = await Promise.allSettled(
      settings.databaseUrls.map(async (_, shard) => {
        const client = await connect(shard);
        try {
          const { cacheRows, deferredKeys } = await pruneShard(client, deferredAge, this.#abort.signal);
          if (cacheRows + deferredKeys > 0) logger.info({ shard, cacheRows, deferredKeys }, 'expired rows removed');
        } finally {
          await client.end().catch(() => undefined);
        }
      }),
    );
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** Null while it is not known how long writes have been waiting: a key forgotten too early lets a write land twice. */
  async #deferredAge(): Promise<string | null> {
    const { settings, deferredOf } = this.options;
    const journals = await listJournals(settings.defer.dir);
    const ages: (number | null)[] = [];
    for (const { owner, alive } of journals) {
      const deferred = owner === OWNER ? (this.#queue?.stats() ?? null) : deferredOf(owner);
      if (!alive || deferred === null) return null;
      ages.push(deferred.oldestAgeMs);
    }
    return pruneAge(ages);
  }

  async #open(): Promise<DeferQueue> {
    const { settings, clock, logger } = this.options;
    const database = openDatabase({ ...settings, pool: { ...settings.pool, share: { min: 0, max: 1 } } }, OWNER);
    this.#database = database;
    return DeferQueue.open({
      ...settings.defer,
      owner: OWNER,
      target: {
        transaction: (guildId, fn) => database.transaction(guildId, fn),
        shardOf: (guildId) => database.shardOf(guildId),
      },
      log: (level, message) => logger[level](message),
      clock,
    });
  }

  async #close(): Promise<void> {
    const [queue, database] = [this.#queue, this.#database];
    this.#queue = null;
    this.#database = null;
    await queue?.close();
    await database?.close();
  }

  #every(ms: number, slot: number, work: () => Promise<void>): void {
    this.#cancel[slot] = this.options.clock.after(ms, () => {
      void this.#inTurn(work).finally(() => {
        if (!this.#abort.signal.aborted) this.#every(ms, slot, work);
      });
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#working = this.#working.then(async () => {
      try {
        if (!this.#abort.signal.aborted) await work();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (!this.#abort.signal.aborted) this.options.logger.warn(`housekeeping of the databases: ${message}`);
      }
    });
    return this.#working;
  }
}
