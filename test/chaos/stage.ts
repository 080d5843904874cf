import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { Redis } from 'ioredis';
import { ControlClient } from '../../src/control/client';
import type { Status } from '../../src/control/contract';
import type { RecoveryOverview } from '../../src/control/recovery-contract';
import { controlSocketPath } from '../../src/control/socket-path';
import type { Incident } from '../../src/incidents';
import { ServerFolder } from '../../src/data/embedded/server-folder';
import { Sandbox } from '../../src/sandbox';
import { mountDisk, unmount } from '../support/small-disk';
import { until } from '../support/until';
import { Botctl } from '../system/support/botctl';
import { WebhookSink } from './webhook-sink';

export const SHARDS = 8;
export const CLUSTERS = 4;
const DATABASES = 2;
const EVENTS_PER_SECOND = 20;
/** How often the rules are looked at. */
export const INTERVAL_MS = 3_000;
const MEMORY_WINDOW_MS = 60_000;

const HOLD = { clear: '1s' };

/**
 * The whole system on the sandbox: supervisor, four clusters, Postgres with two databases, Redis, REST guard, a webhook that
 * is told. All intervals are about a tenth of the defaults, so that an hour's trouble fits into minutes.
 */
export class Stage {
  readonly sandbox: Sandbox;
  readonly sink = new WebhookSink();
  botctl!: Botctl;
  /** The state folder is a small disk of its own; it takes root to make one. */
  hasOwnDisk = false;

  constructor(private readonly options: { config?: Record<string, object> } = {}) {
    this.sandbox = new Sandbox({
      guilds: 80,
      shards: SHARDS,
      maxConcurrency: 4,
      identifyIntervalMs: 500,
      heartbeatIntervalMs: 1_000,
    });
  }

  /** @throws when the bot does not get well; nothing is left running then */
  async start(): Promise<this> {
    try {
      await this.#start();
      return this;
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { apiUrl } = await this.sandbox.listen();
    await this.sink.listen();
    this.botctl = new Botctl({
      bot: join(__dirname, 'bots/chaos.cjs'),
      api: apiUrl,
      config: this.#config(),
    });
    // Postgres may have to run as another user, who needs a way in.
    chmodSync(this.botctl.dir, 0o755);
    this.botctl.env['BOTCTL_SYSTEM_DIR'] = join(this.botctl.dir, 'system');
    this.botctl.env['CHAOS_CLOCK'] = this.#clockFile;
    this.botctl.env['NODE_OPTIONS'] = `--require ${join(__dirname, 'wall-clock.cjs')}`;
    this.hasOwnDisk = mountDisk(this.botctl.stateDir, DISK);
    this.startSupervisor();
    await this.untilWell(120_000);
    this.sandbox.setRate(EVENTS_PER_SECOND);
  }

  startSupervisor(): void {
    this.botctl.start();
  }

  get control(): ControlClient {
    return new ControlClient(controlSocketPath(this.botctl.stateDir));
  }

  /** null: nobody answers. */
  async status(): Promise<Status | null> {
    return this.control.status().catch(() => null);
  }

  async recovery(): Promise<RecoveryOverview> {
    return this.control.recovery();
  }

  /** All incidents since `from`, ms since the epoch. */
  async incidents(from: number): Promise<Incident[]> {
    try {
      const { incidents } = await this.control.incidents({ since: from, limit: 1_000 });
      return incidents.filter(({ openedAt, updatedAt }) => openedAt >= from || updatedAt >= from);
    } catch {
      return [];
    }
  }

  /** What botctl's log tells of since then, ms since the epoch, without what the bot prints. */
  story(from: number): string[] {
    return this.botctl
      .logs()
      .split('\n')
      .filter((line) => line.includes('"msg"') && !line.includes('"stream"'))
      .map((line) => JSON.parse(line) as { time: string; level: string; msg: string })
      .filter(({ time }) => Date.parse(time) >= from)
      .map(({ time, level, msg }) => `${time} ${level} ${msg}`)
      .sort();
  }

  /** Well, with nothing open and nothing left to write. */
  async isWell(): Promise<boolean> {
    const status = await this.status();
    if (status === null || status.supervisor.state !== 'running') return false;
    if (status.shards.length !== SHARDS || status.shards.some(({ state }) => state !== 'ready')) return false;
    if (status.postgres.state !== 'up' || status.redis.state !== 'up' || status.outage !== null) return false;
    return (status.data?.deferred?.pending ?? 0) === 0;
  }

  untilWell(timeoutMs: number): Promise<void> {
    return until(() => this.isWell(), {
      timeoutMs,
      what: () => `the bot is not well\n${this.botctl.logs().slice(-6_000)}`,
    });
  }

  /** The window of the rule for memory lies within the life of the cluster's process. */
  untilSettled(cluster: number): Promise<void> {
    const uptime = async (): Promise<number> => {
      return (await this.status())?.clusters.find(({ id }) => id === cluster)?.uptimeSeconds ?? 0;
    };
    return until(async () => (await uptime()) * 1_000 > MEMORY_WINDOW_MS, {
      timeoutMs: 2 * MEMORY_WINDOW_MS,
      everyMs: 500,
    });
  }

  /** Has a cluster's bot do harm to itself, until `null`. */
  harm(order: { cluster: number; harm: string } | null): void {
    const file = join(this.botctl.dir, 'harm.json');
    if (order === null) rmSync(file, { force: true });
    else writeFileSync(file, JSON.stringify({ ...order, at: Date.now() }));
  }

  /** Sets the wall clock of the supervisor and the clusters ahead, ms. */
  setClock(aheadMs: number): void {
    writeFileSync(this.#clockFile, String(aheadMs));
  }

  get #clockFile(): string {
    return join(this.botctl.dir, 'clock');
  }

  async clusterPid(id: number): Promise<number> {
    const status = await this.status();
    return status?.clusters[id]?.pid ?? 0;
  }

  /** The server's own process, as it stands in its folder. */
  serverPid(server: 'postgres' | 'redis'): number {
    const { server: identity } = new ServerFolder(join(this.botctl.stateDir, server));
    if (identity === null) throw new Error(`there is no ${server}`);
    return identity.pid;
  }

  /** Host and port, and the password as it stands in a URL. */
  async postgresLogin(): Promise<[address: string, password: string]> {
    const password = readFileSync(join(this.botctl.stateDir, 'postgres', 'password'), 'utf8').trim();
    return [(await this.status())?.postgres.address ?? '', encodeURIComponent(password)];
  }

  /** @param texts run one after the other on one connection; the rows are those of the last */
  async sql<R extends object>(shard: number, ...texts: string[]): Promise<R[]> {
    const [address, password] = await this.postgresLogin();
    const client = new Client({
      connectionString: `postgres://botctl:${password}@${address}/botctl_shard_${shard}`,
      connectionTimeoutMillis: 5_000,
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      let rows: R[] = [];
      for (const text of texts) ({ rows } = await client.query<R>(text));
      return rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async redis<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const address = (await this.status())?.redis.address ?? '';
    const password = readFileSync(join(this.botctl.stateDir, 'redis', 'password'), 'utf8').trim();
    const redis = new Redis(`redis://:${encodeURIComponent(password)}@${address}`);
    redis.on('error', () => undefined);
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  }

  /** Interactions that the bot has answered, by its own log. */
  acknowledged(): Set<string> {
    // With the quote behind it: on a full disk a line can be cut off within its number.
    return new Set([...this.botctl.logs().matchAll(/kept \d+ (\d+)"/g)].map((match) => match[1] ?? ''));
  }

  /** How often each interaction was written, over all databases. */
  async written(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (let shard = 0; shard < DATABASES; shard++) {
      const rows = await this.sql<{ interaction: string; n: number }>(
        shard,
        'SELECT interaction, count(*)::int AS n FROM answer GROUP BY interaction',
      );
      for (const { interaction, n } of rows) counts.set(interaction, (counts.get(interaction) ?? 0) + n);
    }
    return counts;
  }

  async end(): Promise<void> {
    this.sandbox.setRate(0);
    await this.botctl.cli('stop', '--timeout', '60').catch(() => undefined);
    if (this.hasOwnDisk) unmount(this.botctl.stateDir);
    await this.botctl.dispose();
    await this.sandbox.close();
    this.sink.recover();
    await this.sink.die();
  }

  #config(): Record<string, object> {
    const { config = {} } = this.options;
    return {
      sharding: {
        shardsPerCluster: SHARDS / CLUSTERS,
        hangTimeout: '3s',
        graceTime: '20s',
        restart: { backoffMin: '200ms', backoffMax: '2s', maxRestarts: 4, window: '60s', crashLoopRetry: '5s' },
      },
      identify: { interval: '500ms' },
      gateway: { backoffMin: '200ms', backoffMax: '6s' },
      metrics: { interval: '500ms' },
      logging: { maxBytes: '8MB' },
      health: { interval: '1s', shards: { reconnectTime: '6s' }, disk: { minFree: '20MB' } },
      postgres: {
        tables: { answer: 'guild_id', visit: 'guild_id' },
        migrations: join(__dirname, 'migrations'),
        embedded: { enabled: true, shards: DATABASES },
      },
      redis: { embedded: { enabled: true } },
      incidents: {
        interval: `${INTERVAL_MS}ms`,
        reopen: '0s',
        notifyGroup: '200ms',
        notifyTimeout: '2s',
        notify: [{ name: 'sink', webhook: this.sink.url, severity: 'info' }],
        detect: {
          discordOutage: HOLD,
          guildDrop: { ...HOLD, for: '1s' },
          clusterCrash: HOLD,
          crashLoop: { ...HOLD, window: '1m' },
          clusterHung: HOLD,
          shardStuck: HOLD,
          shardDisconnects: { ...HOLD, window: '1m' },
          memoryPressure: { ...HOLD, for: '1s', window: `${MEMORY_WINDOW_MS}ms`, warmUp: '0s' },
          errorRate: { ...HOLD, for: '1s', window: '1m' },
          slowResponses: { ...HOLD, for: '1s', window: '1m', mean: '2s' },
          databaseDown: HOLD,
          poolExhausted: { ...HOLD, for: '1s', wait: '1s' },
          redisDown: HOLD,
          rest429Storm: { ...HOLD, window: '1m' },
          invalidRequests: HOLD,
          diskLow: HOLD,
        },
      },
      ...config,
    };
  }
}

const DISK = '96m';
