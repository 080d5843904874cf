import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFER_TABLE_DDL } from '../../../src/data/defer';
import { EmbeddedPostgres } from '../../../src/data/embedded/postgres';
import { isRunning, sendSignal } from '../../../src/data/embedded/process-identity';
import { until } from '../../support/until';
import { Scene as Server } from '../embedded/scene';
import { PgTarget } from './pg-target';

export const SHARDS = 2;

/** Real database shards, with a table to write to, and a folder for journals. */
export class Databases {
  readonly server = new Server();
  readonly dir = join(this.server.base, 'defer');
  readonly flags = join(this.server.base, 'flags');
  readonly #postgres = new EmbeddedPostgres({
    dir: this.server.dir,
    shards: SHARDS,
    port: 0,
    log: this.server.log,
  });
  #target: PgTarget | null = null;
  urls: string[] = [];

  get target(): PgTarget {
    if (this.#target === null) throw new Error('not started');
    return this.#target;
  }

  async start(): Promise<void> {
    ({ urls: this.urls } = await this.#postgres.start(this.server.signal));
    mkdirSync(this.flags);
    this.#target = new PgTarget(this.urls, this.flags);
    for (let shard = 0; shard < SHARDS; shard += 1) {
      await this.target.query(shard, DEFER_TABLE_DDL);
      await this.target.query(shard, DEFER_TABLE_DDL); // may be executed again
      await this.target.query(shard, 'CREATE TABLE landed (seq bigserial, guild_id bigint, n int, padding text)');
    }
  }

  /** Makes a shard unreachable, or reachable again, for all processes. */
  flag(shard: number, down: boolean): void {
    const file = join(this.flags, `down-${shard}`);
    if (down) writeFileSync(file, '');
    else rmSync(file, { force: true });
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const { server } = this.server;
    sendSignal(server, signal);
    await until(() => !isRunning(server), { timeoutMs: 30_000 });
  }

  async restart(): Promise<void> {
    await this.#postgres.stop();
    await this.#postgres.start(this.server.signal);
  }

  async end(): Promise<void> {
    await this.#target?.end().catch(() => undefined);
    await this.server.end();
  }
}
