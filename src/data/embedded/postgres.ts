import { join } from 'node:path';
import { findPostgresBinaries } from './binaries';
import type { PostgresBinaries, Source } from './binaries';
import type { DataPlace } from './data-place';
import { dataMajor, placeData } from './data-place';
import type { EmbeddedLog } from './embedded-server-error';
import { EmbeddedServerError, throwIfAborted } from './embedded-server-error';
import { endGuard, ensureGuard, ORPHAN_MS } from './guard';
import { initCluster, ROLE } from './init-cluster';
import { endOrphans } from './orphans';
import { pause } from './pause';
import { choosePort, LOOPBACK, portTaken } from './port';
import { askPostgres, createDatabases, databaseName } from './postgres-client';
import { readPostmaster } from './postmaster-file';
import { isRunning } from './process-identity';
import { ServerFolder } from './server-folder';
import { ServerProcess } from './server-process';
import { SingleStart } from './single-start';
import { withStartLock } from './start-lock';

export interface EmbeddedPostgresOptions {
  /** Folder of its own: password, port, log, and the data unless root has to put it elsewhere. */
  dir: string;
  enabled?: boolean;
  /** Databases, >= 1. More may be asked for later; none is dropped when fewer are. */
  shards: number;
  /** 0: any free one, kept for later runs while it is free. */
  port: number;
  log: EmbeddedLog;
  /** The server is stopped when it has had no living owner for this time, ms. Default 10 minutes. */
  orphanMs?: number;
  /** Time to become ready, with recovery after a crash, ms. Default 3 minutes. */
  startTimeoutMs?: number;
  /** Where binaries are looked for. Default: the npm packages, then the machine. */
  sources?: readonly (() => Source[])[];
}

export interface EmbeddedPostgresAddress {
  /** One per database shard. They hold the password. */
  urls: string[];
  host: string;
  port: number;
  version: string;
}

const KEY = 'postgres.embedded.port';
const START_TIMEOUT_MS = 180_000;
const RETRY_MS = 100;
/** Starts tried when another program takes our port, or a killed server's processes still hold its memory. */
const TRIES = 5;
const TRY_AGAIN_MS = 1_000;
/** Fast, immediate, killed (PostgreSQL's "Shutting Down the Server"). */
const STOP_STEPS = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
] as const;
/** For a small machine that runs the bot too. What is not here is Postgres's default, fsync among it. */
const SETTINGS = {
  listen_addresses: LOOPBACK,
  unix_socket_directories: '',
  max_connections: 200,
  shared_buffers: '64MB',
  password_encryption: 'scram-sha-256',
  logging_collector: 'off',
  log_destination: 'stderr',
  log_min_messages: 'warning',
  // Statements hold the bot's data, which has no place in a log.
  log_min_error_statement: 'panic',
};

/** A Postgres server of our own: loopback only, one database per shard. It outlives a supervisor's death. */
export class EmbeddedPostgres {
  readonly #folder: ServerFolder;
  #process: ServerProcess | null = null;
  /** The port that we have told. */
  #known: number | null = null;
  readonly #single = new SingleStart<EmbeddedPostgresAddress>();
  #onExit: (reason: string) => void = () => undefined;

  constructor(private readonly options: EmbeddedPostgresOptions) {
    this.#folder = new ServerFolder(options.dir);
  }

  /** Called with the reason when the server ends unasked. */
  onExit(callback: (reason: string) => void): void {
    this.#onExit = callback;
  }

  /** Starts the server or takes over the one that still runs. Calls at the same time share one start. @throws EmbeddedServerError */
  start(signal: AbortSignal): Promise<EmbeddedPostgresAddress> {
    return this.#single.run(signal, (own) => this.#start(own));
  }

  /** Ends the server; a start under way is called off. */
  async stop(): Promise<void> {
    await this.#single.cancel();
    const server = this.#process;
    this.#process = null;
    if (server !== null) await this.#end(server);
  }

  async #end(server: ServerProcess): Promise<void> {
    endGuard(this.#folder);
    if (await server.stop(STOP_STEPS)) this.#folder.release();
    else this.options.log('error', `Postgres (process ${server.identity.pid}) cannot be ended`);
  }

  async #start(signal: AbortSignal): Promise<EmbeddedPostgresAddress> {
    throwIfAborted(signal);
    this.#process?.unwatch();
    this.#process = null;
    this.#folder.prepare();
    return withStartLock(join(this.options.dir, 'start.lock'), signal, async () => {
      this.#refuseIfOwned();
      this.#folder.claim();
      const place = placeData(this.#folder, this.options.log);
      return (await this.#adopt(place, signal)) ?? (await this.#launch(place, signal));
    });
  }

  #refuseIfOwned(): void {
    const { owner } = this.#folder;
    if (owner === null || owner.pid === process.pid || !isRunning(owner)) return;
    const message = `The Postgres server in ${this.options.dir} belongs to process ${owner.pid}, which is running.`;
    throw new EmbeddedServerError('EMBEDDED_IN_USE', message, 'Stop that botctl first, or set another stateDir.');
  }

  /** Takes over the server that runs on the data; null when none does, or it had to be ended. */
  async #adopt(place: DataPlace, signal: AbortSignal): Promise<EmbeddedPostgresAddress | null> {
    const until = performance.now() + this.#startTimeoutMs;
    for (let found = readPostmaster(place.data); found !== null; found = readPostmaster(place.data)) {
      const server = ServerProcess.adopt(found.identity, this.#folder.log);
      const { port } = found;
      const answer = port === null ? null : await askPostgres({ port, password: this.#folder.password() });
      if (answer?.state === 'up' && port !== null && (this.options.port === 0 || this.options.port === port)) {
        this.options.log('info', `took over the Postgres that was still running (process ${found.identity.pid})`);
        this.#folder.port = port;
        return this.#running(server, port, answer.version);
      }
      if (answer?.state === 'refused') throw this.#wrongPassword(place);
      if (answer?.state === 'up' || performance.now() > until) {
        await this.#end(server);
        this.#folder.claim();
      }
      await pause(RETRY_MS, signal);
    }
    return null;
  }

  async #launch(place: DataPlace, signal: AbortSignal): Promise<EmbeddedPostgresAddress> {
    const wish = { wanted: this.options.port, known: this.#known, last: this.#folder.port, key: KEY };
    const major = dataMajor(place.data);
    if (major !== null && !this.#folder.hasPassword) throw this.#wrongPassword(place);
    const { account, root } = place;
    const { sources } = this.options;
    const search = { dataMajor: major, account, copyTo: root, ...(sources === undefined ? {} : { sources }) };
    const binaries = await findPostgresBinaries(search);
    throwIfAborted(signal);
    await choosePort({ ...wish, last: null }, signal); // before the work, not after it: only one that has to be
    const orphans = await endOrphans(place.data, signal);
    if (orphans > 0) this.options.log('warn', `ended ${orphans} processes that a dead Postgres had left behind`);
    await initCluster(place, binaries, this.#folder.password(), signal);
    for (let left = TRIES; ; left -= 1) {
      const port = await choosePort(wish, signal);
      const logStart = this.#folder.log.size();
      try {
        return await this.#launchOn(port, place, binaries, signal);
      } catch (error) {
        const said = this.#folder.log.tail(logStart, 20);
        const portLost = /Address already in use/i.test(said);
        if (portLost && (this.options.port !== 0 || this.#known !== null || left <= 1)) throw portTaken(port, KEY);
        if ((!portLost && !/shared memory block .*still in use/i.test(said)) || left <= 1) throw error;
        await pause(TRY_AGAIN_MS, signal);
      }
    }
  }

  async #launchOn(
    port: number,
    { root, data, account }: DataPlace,
    { bin }: PostgresBinaries,
    signal: AbortSignal,
  ): Promise<EmbeddedPostgresAddress> {
    const { log } = this.#folder;
    this.#folder.port = port;
    endGuard(this.#folder); // of an earlier server that died
    log.bound();
    const logStart = log.size();
    const settings = Object.entries({ ...SETTINGS, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = await ServerProcess.spawn(join(bin, 'postgres'), ['-D', data, ...settings], {
      cwd: root,
      account,
      log,
    });
    try {
      this.#folder.server = server.identity;
      this.#guard(server);
      const version = await this.#ready(server, port, logStart, signal);
      return await this.#running(server, port, version);
    } catch (error) {
      await server.stop(STOP_STEPS);
      this.#process = null;
      endGuard(this.#folder);
      this.#folder.server = null;
      throw error;
    }
  }

  /** From its first moment: we may be killed while it starts. */
  #guard({ identity }: ServerProcess): void {
    ensureGuard(this.#folder, identity, 'INT', this.options.orphanMs ?? ORPHAN_MS);
  }

  async #ready(server: ServerProcess, port: number, logStart: number, signal: AbortSignal): Promise<string> {
    const until = performance.now() + this.#startTimeoutMs;
    const { log } = this.#folder;
    while (performance.now() < until) {
      throwIfAborted(signal);
      const answer = await askPostgres({ port, password: this.#folder.password() });
      if (!server.running) {
        const message = `Postgres ${server.ending} while starting: ${log.tail(logStart)}`;
        throw new EmbeddedServerError('EMBEDDED_START_FAILED', message, `Read ${log.file}.`);
      }
      if (answer.state === 'up') return answer.version;
      if (answer.state === 'refused') throw this.#wrongPassword({ data: this.options.dir });
      await pause(RETRY_MS, signal);
    }
    const message = `Postgres was not ready within ${this.#startTimeoutMs / 1000} s: ${log.tail(logStart)}`;
    throw new EmbeddedServerError('EMBEDDED_TIMEOUT', message, `Read ${log.file}.`);
  }

  async #running(server: ServerProcess, port: number, version: string): Promise<EmbeddedPostgresAddress> {
    const password = this.#folder.password();
    const { shards } = this.options;
    this.#process = server;
    this.#known = port;
    this.#folder.server = server.identity;
    this.#guard(server);
    await this.#createDatabases(port, password, shards);
    server.watch(() => {
      this.#process = null;
      const last = this.#folder.log.tail(0, 1);
      this.#onExit(`Postgres (process ${server.identity.pid}) ${server.ending}${last === '' ? '' : `: ${last}`}`);
    });
    const urls = Array.from(
      { length: shards },
      (_, shard) => `postgres://${ROLE}:${password}@${LOOPBACK}:${port}/${databaseName(shard)}`,
    );
    return { urls, host: LOOPBACK, port, version };
  }

  async #createDatabases(port: number, password: string, shards: number): Promise<void> {
    try {
      await createDatabases({ port, password }, shards);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `The databases cannot be created: ${reason}`;
      throw new EmbeddedServerError('EMBEDDED_START_FAILED', message, `Read ${this.#folder.log.file}.`, { cause });
    }
  }

  get #startTimeoutMs(): number {
    return this.options.startTimeoutMs ?? START_TIMEOUT_MS;
  }

  #wrongPassword({ data }: Pick<DataPlace, 'data'>): EmbeddedServerError {
    const message = `The Postgres data in ${data} does not take the password in ${join(this.options.dir, 'password')}.`;
    return new EmbeddedServerError('EMBEDDED_PASSWORD', message, 'Put the old password file back from a backup.');
  }
}
