import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { PostgresStatus, ServerStatus } from '../../control/contract';
import { EmbeddedPostgres } from '../../data/embedded/postgres';
import { EmbeddedRedis } from '../../data/embedded/redis';
import { connectClient } from '../../data/pool/connect';
import { createRedis, type RedisSource } from '../../data/redis';
import { within } from '../../within';

export interface TierSettings {
  stateDir: string;
  postgres: {
    urls: readonly string[] | undefined;
    embedded: { enabled: boolean; shards: number; port: number };
    tls?: ConnectionOptions;
  };
  redis: {
    /** For bots that connect by themselves; null where it takes more than a URL. */
    url: string | null;
    /** null: the embedded one. */
    source: RedisSource | null;
    embedded: { enabled: boolean; port: number };
  };
}

export interface TierStatus {
  postgres: PostgresStatus;
  redis: ServerStatus;
}

export interface TierAddresses {
  databaseUrls: string[];
  redisUrl: string | null;
}

/** Time for one look at an external server, ms. */
const PROBE_TIMEOUT_MS = 5_000;
/** How often external servers are looked at, and dead embedded ones started again, ms. */
const CHECK_MS = 15_000;
/** Before an embedded server that died is started again, ms. */
const RESTART_MS = 200;

const OFF: ServerStatus = { kind: 'off', state: 'off', address: null, version: null, message: null };

/**
 * The databases beneath the bot: embedded servers where the config names none, else the operator's own. A tier that is
 * down is reported and tried again; it never stops supervision.
 */
export class Tiers {
  readonly #postgres: EmbeddedPostgres | null;
  readonly #redis: EmbeddedRedis | null;
  #status: TierStatus = { postgres: { ...OFF, shards: 0 }, redis: OFF };
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  #signal: AbortSignal = AbortSignal.abort();
  #lastDeath = 0;
  readonly #reviving: Record<'postgres' | 'redis', Promise<{ ok: boolean; text: string }> | null> = {
    postgres: null,
    redis: null,
  };
  /** Of the embedded servers. */
  #urls: { postgres: string | null; redis: string | null } = { postgres: null, redis: null };

  constructor(
    private readonly settings: TierSettings,
    private readonly logger: Logger,
    /** A password came into being: never to be printed. */
    private readonly onSecret: (secret: string) => void,
    /** An embedded server died. */
    private readonly onDeath: (tier: 'postgres' | 'redis', reason: string) => void = () => undefined,
  ) {
    const log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: object = {}): void => {
      logger[level](fields, message);
    };
    const { stateDir, postgres, redis } = settings;
    this.#postgres =
      postgres.urls === undefined && postgres.embedded.enabled
        ? new EmbeddedPostgres({ dir: join(stateDir, 'postgres'), ...postgres.embedded, log })
        : null;
    this.#redis =
      redis.source === null && redis.embedded.enabled
        ? EmbeddedRedis.find({ dir: join(stateDir, 'redis'), port: redis.embedded.port, log })
        : null;
    this.#postgres?.onExit((reason) => this.#died('postgres', reason));
    this.#redis?.onExit((reason) => this.#died('redis', reason));
  }

  get status(): TierStatus {
    return this.#status;
  }

  /** Starts or looks at both tiers. Never rejects: what is down is in `status`. */
  async start(signal: AbortSignal): Promise<TierAddresses> {
    this.#signal = signal;
    const [databaseUrls, redisUrl] = await Promise.all([this.#startPostgres(signal), this.#startRedis(signal)]);
    this.#timer = setInterval(() => void this.#check(), CHECK_MS).unref();
    return { databaseUrls, redisUrl };
  }

  /** Looks at a server at once; one of our own that does not answer is ended and started again. Never rejects. */
  revive(tier: 'postgres' | 'redis'): Promise<{ ok: boolean; text: string }> {
    // Whoever asks meanwhile gets the same answer: a second stop would end the server that has just been started.
    return (this.#reviving[tier] ??= this.#revive(tier).finally(() => (this.#reviving[tier] = null)));
  }

  async #revive(tier: 'postgres' | 'redis'): Promise<{ ok: boolean; text: string }> {
    const own = tier === 'postgres' ? this.#postgres : this.#redis;
    if (own === null) await this.#check();
    else if (await this.#answers(tier)) return { ok: true, text: 'it answers' };
    else {
      // One that is being started already is left to that.
      if (this.#status[tier].state === 'up') await own.stop().catch(() => undefined);
      await (tier === 'postgres' ? this.#startPostgres(this.#signal) : this.#startRedis(this.#signal));
    }
    const { state, message } = this.#status[tier];
    if (state === 'off') return { ok: false, text: 'there is none' };
    if (state !== 'up') return { ok: false, text: `it is ${state}: ${message ?? 'no answer'}` };
    return { ok: true, text: own === null ? 'it answers' : 'started again' };
  }

  async #answers(tier: 'postgres' | 'redis'): Promise<boolean> {
    const url = this.#urls[tier];
    if (url === null || this.#status[tier].state !== 'up') return false;
    try {
      await (tier === 'postgres' ? probePostgres(url, undefined) : probeRedis({ kind: 'single', url }));
      return true;
    } catch {
      return false;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    const stops = await Promise.allSettled([this.#postgres?.stop(), this.#redis?.stop()]);
    for (const stop of stops)
      if (stop.status === 'rejected') this.logger.error({ err: stop.reason as unknown }, 'a server did not stop');
  }

  async #startPostgres(signal: AbortSignal): Promise<string[]> {
    const { urls, embedded } = this.settings.postgres;
    if (urls !== undefined) {
      await this.#probePostgres(urls);
      return [...urls];
    }
    if (this.#postgres === null) return [];
    this.#set('postgres', { kind: 'embedded', state: 'starting' });
    try {
      const server = await this.#postgres.start(signal);
      for (const url of server.urls) this.#hide(url);
      this.#urls.postgres = server.urls[0] ?? null;
      const address = `${server.host}:${server.port}`;
      this.#status.postgres = { ...up('embedded', address, server.version), shards: server.urls.length };
      this.logger.info({ address, version: server.version, shards: server.urls.length }, 'embedded Postgres is up');
      return server.urls;
    } catch (error) {
      if (!signal.aborted) this.#failed('postgres', 'embedded', error);
      this.#status.postgres.shards = embedded.shards;
      return [];
    }
  }

  async #startRedis(signal: AbortSignal): Promise<string | null> {
    const { url, source } = this.settings.redis;
    if (source !== null) {
      await this.#probeRedis(source);
      return url;
    }
    if (this.#redis === null) return null;
    this.#set('redis', { kind: 'embedded', state: 'starting' });
    try {
      const server = await this.#redis.start(signal);
      this.#hide(server.url);
      this.#urls.redis = server.url;
      const address = new URL(server.url).host;
      this.#status.redis = up('embedded', address, server.version);
      this.logger.info({ address, version: server.version }, 'embedded Redis is up');
      return server.url;
    } catch (error) {
      if (!signal.aborted) this.#failed('redis', 'embedded', error);
      return null;
    }
  }

  async #check(): Promise<void> {
    const signal = this.#signal;
    if (this.#stopped || signal.aborted) return;
    const { postgres, redis } = this.settings;
    const { status } = this;
    if (postgres.urls !== undefined) await this.#probePostgres(postgres.urls);
    else if (this.#postgres !== null && status.postgres.state === 'down') await this.#startPostgres(signal);
    if (redis.source !== null) await this.#probeRedis(redis.source);
    else if (this.#redis !== null && status.redis.state === 'down') await this.#startRedis(signal);
  }

  async #probePostgres(urls: readonly string[]): Promise<void> {
    const looks = await Promise.allSettled(urls.map((url) => probePostgres(url, this.settings.postgres.tls)));
    const address = urls.map(hostOf).join(', ');
    const failed = looks.findIndex(({ status }) => status === 'rejected');
    const look = looks[failed];
    if (look?.status === 'rejected') {
      const text = `database shard ${failed} (${hostOf(urls[failed] ?? '')}): ${messageOf(look.reason)}`;
      this.#failed('postgres', 'external', new Error(text), address);
    } else {
      const version = looks[0]?.status === 'fulfilled' ? looks[0].value : null;
      this.#status.postgres = { ...up('external', address, version), shards: urls.length };
    }
    this.#status.postgres.shards = urls.length;
  }

  async #probeRedis(source: RedisSource): Promise<void> {
    const address = addressOfRedis(source);
    try {
      this.#status.redis = up('external', address, await probeRedis(source));
    } catch (error) {
      this.#failed('redis', 'external', error, address);
    }
  }

  #died(tier: 'postgres' | 'redis', reason: string): void {
    if (this.#stopped) return;
    this.#failed(tier, 'embedded', new Error(reason), this.#status[tier].address);
    this.onDeath(tier, reason);
    // At once the first time; one that keeps dying is started again at the pace of the checks.
    const now = Date.now();
    if (now - this.#lastDeath > CHECK_MS) setTimeout(() => void this.#check(), RESTART_MS).unref();
    this.#lastDeath = now;
  }

  #failed(
    tier: 'postgres' | 'redis',
    kind: 'embedded' | 'external',
    error: unknown,
    address: string | null = null,
  ): void {
    const message = messageOf(error);
    if (this.#status[tier].message !== message) {
      const hint = error instanceof Error && 'hint' in error ? { hint: error.hint } : {};
      this.logger.error({ tier, address, ...hint }, `${tier === 'redis' ? 'Redis' : 'Postgres'} is down: ${message}`);
    }
    this.#set(tier, { kind, state: 'down', address, message });
  }

  #set(tier: 'postgres' | 'redis', change: Partial<ServerStatus>): void {
    this.#status = { ...this.#status, [tier]: { ...this.#status[tier], message: null, ...change } };
  }

  #hide(url: string): void {
    const { password } = new URL(url);
    if (password !== '') this.onSecret(decodeURIComponent(password));
  }
}

function up(kind: 'embedded' | 'external', address: string, version: string | null): ServerStatus {
  return { kind, state: 'up', address, version, message: null };
}

async function probePostgres(url: string, ssl: ConnectionOptions | undefined): Promise<string | null> {
  const client = await connectClient({ url, ssl, applicationName: 'botctl supervisor', timeout: PROBE_TIMEOUT_MS });
  try {
    const { rows } = await within(PROBE_TIMEOUT_MS, client.query<{ server_version: string }>('SHOW server_version'));
    return rows[0]?.server_version ?? null;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function probeRedis(source: RedisSource): Promise<string | null> {
  let reason = 'no answer';
  const client = createRedis(source, {
    connectionName: 'botctl-supervisor',
    answerTimeoutMs: PROBE_TIMEOUT_MS,
    onError: (message) => (reason = message),
  });
  try {
    await within(PROBE_TIMEOUT_MS, new Promise<void>((resolve) => client.once('ready', resolve)));
    const info = await client.info('server');
    return /redis_version:(\S+)/.exec(info)?.[1] ?? null;
  } catch (error) {
    throw reason === 'no answer' ? error : new Error(reason);
  } finally {
    client.disconnect();
  }
}

function addressOfRedis(source: RedisSource): string {
  switch (source.kind) {
    case 'single':
      return hostOf(source.url);
    case 'sentinel':
      return `${source.name} by ${source.sentinels.map(({ host, port }) => `${host}:${port}`).join(', ')}`;
    case 'cluster':
      return source.nodes.map(({ host, port }) => `${host}:${port}`).join(', ');
  }
}

function hostOf(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return host === '' ? pathname : host;
  } catch {
    return 'an address that cannot be read';
  }
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
