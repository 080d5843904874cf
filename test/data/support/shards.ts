import type { Client } from 'pg';
import { EmbeddedPostgres } from '../../../src/data/embedded/postgres';
import type { Placement } from '../../../src/data/placement/bucket-map';
import { readPlacement } from '../../../src/data/placement/catalogue';
import { connectClient } from '../../../src/data/pool/connect';
import { type PoolSettings, ShardPool } from '../../../src/data/pool/shard-pool';
import { Database } from '../../../src/data/router/database';
import { Placements } from '../../../src/data/router/placements';
import { prepareShards } from '../../../src/data/schema/prepare';
import { Scene } from '../embedded/scene';

export const SETTINGS: PoolSettings = {
  acquireTimeout: 5_000,
  idleTimeout: 60_000,
  maxLifetime: 3_600_000,
  statementTimeout: 30_000,
  idleInTransactionTimeout: 60_000,
  pgbouncer: false,
  preparedStatements: true,
};

/** A real Postgres server with prepared database shards, and the parts that a bot's process would have. */
export class Shards {
  readonly scene = new Scene();
  readonly server: EmbeddedPostgres;
  readonly #databases: Database[] = [];
  urls: string[] = [];

  constructor(readonly count: number) {
    this.server = new EmbeddedPostgres({ dir: this.scene.dir, shards: count, port: 0, log: this.scene.log });
  }

  async start(): Promise<this> {
    this.urls = (await this.server.start(this.scene.signal)).urls;
    await prepareShards(this.count, this.connect);
    return this;
  }

  readonly connect = (shard: number): Promise<Client> =>
    connectClient({ url: this.urls[shard] ?? '', applicationName: 'test' });

  pool(shard: number, max = 4, change: Partial<PoolSettings> = {}): ShardPool {
    return new ShardPool({
      shard,
      url: this.urls[shard] ?? '',
      share: { min: 0, max },
      applicationName: 'test',
      ...SETTINGS,
      ...change,
    });
  }

  /** As a process of the bot has it. */
  database({
    max = 4,
    kept = null,
    read = (real) => real(),
    change = {},
  }: {
    max?: number;
    kept?: Placement | null;
    read?: (real: () => Promise<Placement>) => Promise<Placement>;
    change?: Partial<PoolSettings>;
  } = {}): Database {
    const pools = this.urls.map((_, shard) => this.pool(shard, max, change));
    const placements = new Placements({
      read: () => read(() => readPlacement({ query: (text, values) => pools[0]!.query(null, text, values ?? []) })),
      readKept: () => Promise.resolve(kept),
    });
    const database = new Database(pools, placements);
    this.#databases.push(database);
    return database;
  }

  /** One statement on a connection of its own, past the router. */
  async sql(shard: number, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = await this.connect(shard);
    try {
      return (await client.query<Record<string, unknown>>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  async everywhere(text: string): Promise<void> {
    for (let shard = 0; shard < this.count; shard++) await this.sql(shard, text);
  }

  async end(): Promise<void> {
    await Promise.all(this.#databases.map((database) => database.close()));
    await this.server.stop().catch(() => undefined);
    await this.scene.end();
  }
}
