import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Redis } from 'ioredis';
import type { EmbeddedLog } from './embedded-server-error';
import { EmbeddedServerError, throwIfAborted } from './embedded-server-error';
import { endGuard, ensureGuard, ORPHAN_MS } from './guard';
import { pause } from './pause';
import { choosePort, LOOPBACK, portTaken } from './port';
import { isRunning } from './process-identity';
import { ServerFolder } from './server-folder';
import { ServerProcess } from './server-process';
import { SingleStart } from './single-start';
import { withStartLock } from './start-lock';

export interface EmbeddedRedisOptions {
  /** Folder of its own: password, port, log, configuration. */
  dir: string;
  /** 0: any free one, kept for later runs while it is free. */
  port: number;
  log: EmbeddedLog;
  /** The server is stopped when it has had no living owner for this time, ms. Default 10 minutes. */
  orphanMs?: number;
  /** Time to become ready, ms. Default 30 s. */
  startTimeoutMs?: number;
}

export interface EmbeddedRedisAddress {
  /** Holds the password. */
  url: string;
  version: string;
}

const PROGRAMS = ['redis-server', 'valkey-server'];
const PLACES = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'];
const KEY = 'redis.embedded.port';
const START_TIMEOUT_MS = 30_000;
const LOOK_TIMEOUT_MS = 2_000;
const RETRY_MS = 50;
/** Ports tried when another program takes the free one we found. */
const PORT_TRIES = 3;
const KILL_STEPS = [{ signal: 'SIGKILL', waitMs: 5_000 }] as const;
const STOP_STEPS = [{ signal: 'SIGTERM', waitMs: 10_000 }, ...KILL_STEPS] as const;

/** A Redis (or Valkey) server of our own, as a cache: loopback only, nothing on disk. It outlives a supervisor's death. */
export class EmbeddedRedis {
  readonly #folder: ServerFolder;
  #process: ServerProcess | null = null;
  /** The port that we have told. */
  #known: number | null = null;
  readonly #single = new SingleStart<EmbeddedRedisAddress>();
  #onExit: (reason: string) => void = () => undefined;

  constructor(
    private readonly program: string,
    private readonly options: EmbeddedRedisOptions,
  ) {
    this.#folder = new ServerFolder(options.dir);
  }

  /** null, and one line in the log, on a machine without a Redis server. */
  static find(options: EmbeddedRedisOptions): EmbeddedRedis | null {
    const places = [...(process.env['PATH'] ?? '').split(delimiter).filter((place) => place !== ''), ...PLACES];
    const program = PROGRAMS.flatMap((name) => places.map((place) => join(place, name))).find(isExecutable);
    if (program === undefined) {
      options.log(
        'info',
        'no redis-server on this machine: cache level L2 is off (install redis-server, or set redis.url)',
      );
      return null;
    }
    return new EmbeddedRedis(program, options);
  }

  /** Called with the reason when the server ends unasked. */
  onExit(callback: (reason: string) => void): void {
    this.#onExit = callback;
  }

  /** Starts the server or takes over the one that still runs. Calls at the same time share one start. @throws EmbeddedServerError */
  start(signal: AbortSignal): Promise<EmbeddedRedisAddress> {
    return this.#single.run(signal, (own) => this.#start(own));
  }

  /** Ends the server; a start under way is called off. */
  async stop(): Promise<void> {
    await this.#single.cancel();
    const server = this.#process;
    this.#process = null;
    if (server === null) return;
    endGuard(this.#folder);
    if (await server.stop(STOP_STEPS)) this.#folder.release();
    else this.options.log('error', `Redis (process ${server.identity.pid}) cannot be ended`);
  }

  async #start(signal: AbortSignal): Promise<EmbeddedRedisAddress> {
    throwIfAborted(signal);
    this.#process?.unwatch();
    this.#process = null;
    this.#folder.prepare();
    return withStartLock(join(this.options.dir, 'start.lock'), signal, async () => {
      this.#refuseIfOwned();
      this.#folder.claim();
      return (await this.#adopt()) ?? (await this.#launch(signal));
    });
  }

  #refuseIfOwned(): void {
    const { owner } = this.#folder;
    if (owner === null || owner.pid === process.pid || !isRunning(owner)) return;
    const message = `The Redis server in ${this.options.dir} belongs to process ${owner.pid}, which is running.`;
    throw new EmbeddedServerError('EMBEDDED_IN_USE', message, 'Stop that botctl first, or set another stateDir.');
  }

  async #adopt(): Promise<EmbeddedRedisAddress | null> {
    const { server, port } = this.#folder;
    if (server === null || port === null || !isRunning(server)) return null;
    const found = ServerProcess.adopt(server, this.#folder.log);
    const version = await this.#look(port).catch(() => null);
    const portFits = this.options.port === 0 || this.options.port === port;
    if (version === null || !portFits) {
      // Ours by pid and start time, but of no use: it hangs, or is not where it should be. Nothing in it is to be saved.
      endGuard(this.#folder);
      await found.stop(KILL_STEPS);
      return null;
    }
    this.options.log('info', `took over the Redis that was still running (process ${server.pid})`);
    return this.#running(found, port, version);
  }

  async #launch(signal: AbortSignal): Promise<EmbeddedRedisAddress> {
    for (let left = PORT_TRIES; ; left -= 1) {
      const wish = { wanted: this.options.port, known: this.#known, last: this.#folder.port, key: KEY };
      const port = await choosePort(wish, signal);
      this.#folder.port = port;
      this.#folder.write('redis.conf', this.#configuration(port));
      endGuard(this.#folder); // of an earlier server that died
      this.#folder.log.bound();
      const logStart = this.#folder.log.size();
      const server = await this.#spawn();
      try {
        this.#folder.server = server.identity;
        this.#guard(server);
        const version = await this.#ready(server, port, logStart, signal);
        return this.#running(server, port, version);
      } catch (error) {
        await server.stop(KILL_STEPS);
        endGuard(this.#folder);
        this.#folder.server = null;
        if (!/Address already in use/i.test(this.#folder.log.tail(logStart, 20))) throw error;
        if (this.options.port !== 0 || this.#known !== null || left <= 1) throw portTaken(port, KEY);
      }
    }
  }

  async #spawn(): Promise<ServerProcess> {
    const { dir } = this.options;
    try {
      const args = [join(dir, 'redis.conf')];
      return await ServerProcess.spawn(this.program, args, { cwd: dir, account: null, log: this.#folder.log });
    } catch (cause) {
      const message = `${this.program} cannot be run (${(cause as NodeJS.ErrnoException).code ?? 'unknown'}).`;
      throw new EmbeddedServerError('EMBEDDED_START_FAILED', message, 'Install redis-server again, or set redis.url.', {
        cause,
      });
    }
  }

  /** From its first moment: we may be killed while it starts. */
  #guard({ identity }: ServerProcess): void {
    ensureGuard(this.#folder, identity, 'TERM', this.options.orphanMs ?? ORPHAN_MS);
  }

  async #ready(server: ServerProcess, port: number, logStart: number, signal: AbortSignal): Promise<string> {
    const limit = this.options.startTimeoutMs ?? START_TIMEOUT_MS;
    const until = performance.now() + limit;
    while (performance.now() < until) {
      throwIfAborted(signal);
      const version = await this.#look(port).catch(() => null);
      if (version !== null && server.running) return version;
      if (!server.running) {
        const message = `Redis ${server.ending} while starting: ${this.#folder.log.tail(logStart)}`;
        throw new EmbeddedServerError('EMBEDDED_START_FAILED', message, `Read ${this.#folder.log.file}.`);
      }
      await pause(RETRY_MS, signal);
    }
    const message = `Redis did not answer within ${limit / 1000} s.`;
    throw new EmbeddedServerError('EMBEDDED_TIMEOUT', message, `Read ${this.#folder.log.file}.`);
  }

  #running(server: ServerProcess, port: number, version: string): EmbeddedRedisAddress {
    this.#process = server;
    this.#known = port;
    this.#guard(server);
    server.watch(() => {
      this.#process = null;
      const last = this.#folder.log.tail(0, 1);
      this.#onExit(`Redis (process ${server.identity.pid}) ${server.ending}${last === '' ? '' : `: ${last}`}`);
    });
    return { url: `redis://:${this.#folder.password()}@${LOOPBACK}:${port}`, version };
  }

  /** The version of the server that takes our password there. */
  async #look(port: number): Promise<string> {
    const client = new Redis({
      host: LOOPBACK,
      port,
      password: this.#folder.password(),
      lazyConnect: true,
      connectTimeout: LOOK_TIMEOUT_MS,
      commandTimeout: LOOK_TIMEOUT_MS,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
    });
    client.on('error', () => undefined); // reported by the rejected call
    try {
      await client.connect();
      const info = await client.info('server');
      return /(?:valkey|redis)_version:(\S+)/.exec(info)?.[1] ?? 'unknown';
    } finally {
      client.disconnect();
    }
  }

  /** The password stands here and not among the arguments, which every user can read. */
  #configuration(port: number): string {
    return [
      `bind ${LOOPBACK}`,
      `port ${port}`,
      'protected-mode yes',
      `requirepass ${this.#folder.password()}`,
      `dir ${JSON.stringify(this.options.dir)}`,
      'daemonize no',
      'loglevel warning',
      'logfile ""',
      'appendonly no',
      'save ""',
      'maxmemory 256mb',
      'maxmemory-policy allkeys-lru',
    ].join('\n');
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
