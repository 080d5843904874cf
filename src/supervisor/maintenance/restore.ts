import { renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from '../../config';
import { type DataPlace, placeData } from '../../data/embedded/data-place';
import { EmbeddedPostgres } from '../../data/embedded/postgres';
import { ServerFolder } from '../../data/embedded/server-folder';
import type { Manifest } from '../../maintenance/backup/manifest';
import { openPart } from '../../maintenance/backup/open-part';
import type { PgDoor } from '../../maintenance/backup/pg-tools';
import { Restorer } from '../../maintenance/backup/restore';
import { unpackServer } from '../../maintenance/backup/scratch-server';
import { BackupError } from '../../maintenance/backup/target';
import { type Backups, createBackups } from './backups';
import { prepareStateDir } from '../state-dir';
import { AlreadyRunningError, SupervisorLock } from '../supervisor-lock';

export interface RestoreRequest {
  id: string;
  /** A folder, the URL of a database, or `live`. */
  to: string;
  /** null: all. */
  shard: number | null;
  force: boolean;
}

type Tell = (text: string) => void;

/** Restores a backup as `botctl restore` is told to. It runs without a supervisor. */
export class Restore {
  constructor(
    private readonly config: Config,
    private readonly version: string,
    private readonly env: NodeJS.ProcessEnv,
    private readonly signal: AbortSignal,
    private readonly tell: Tell,
  ) {}

  /** @returns what was done, in a sentence @throws BackupError, Error of a server */
  async run(request: RestoreRequest): Promise<string> {
    const backups = createBackups(this.config, [], this.version);
    const manifest = await backups.verifier.check(request.id, this.signal, this.tell);
    const { shard } = request;
    if (shard !== null && shard >= manifest.shards) {
      throw new BackupError(
        `Backup ${manifest.id} has no database shard ${shard}.`,
        `It has 0 to ${manifest.shards - 1}.`,
      );
    }
    if (request.to === 'live') return this.#live(manifest, request);
    if (/^postgres(ql)?:\/\//.test(request.to)) return this.#intoDatabase(manifest, request);
    const dir = resolve(request.to);
    await this.#restorer(backups).unpackTo(manifest, dir, request.shard);
    return `backup ${request.id} is in ${dir}`;
  }

  async #intoDatabase(manifest: Manifest, { to, shard, force }: RestoreRequest): Promise<string> {
    const only = manifest.shards === 1 ? 0 : null;
    const chosen = shard ?? only;
    if (chosen === null) throw new BackupError('A database takes one database shard.', 'Name it with --shard.');
    const door: PgDoor = { url: this.#withPassword(to) };
    const backups = createBackups(this.config, [door.url], this.version);
    const restorer = this.#restorer(backups);
    const exists = await restorer.isEmpty(door).catch((error: unknown) => {
      if ((error as { code?: unknown }).code === '3D000') return true; // no such database: it is made
      throw error;
    });
    if (exists || !force) {
      await restorer.intoEmpty(manifest, chosen, door);
      return `database shard ${chosen} of backup ${manifest.id} is restored: all tables are the same`;
    }
    const users = await restorer.users(door);
    if (users.length > 0) {
      throw new BackupError(
        `The database of --to is in use (${users.join(', ')}).`,
        'End what uses it first. For the databases of the bot: botctl stop, then --to live.',
      );
    }
    const [old] = await restorer.replace(manifest, [{ shard: chosen, door }]);
    return `database shard ${chosen} of backup ${manifest.id} is restored; what was there is kept as database ${old ?? ''}`;
  }

  /** Over the databases of the config. */
  async #live(manifest: Manifest, { id, shard, force }: RestoreRequest): Promise<string> {
    const { config } = this;
    if (!force) {
      throw new BackupError(
        'The databases of the bot would be replaced.',
        'Add --force if you want that; a fresh backup is made first.',
      );
    }
    prepareStateDir(config.stateDir);
    const lock = this.#lock();
    try {
      const physical = manifest.parts.find(({ kind }) => kind === 'physical');
      if (physical !== undefined && shard !== null) {
        throw new BackupError(
          `Backup ${id} is a copy of a whole server: one database of it cannot be restored alone.`,
          'Leave --shard out.',
        );
      }
      if (physical !== undefined) return await this.#embedded(manifest, physical);
      return await this.#databases(manifest, id, shard);
    } finally {
      lock.release();
    }
  }

  /** Nobody may start the bot meanwhile. */
  #lock(): SupervisorLock {
    const { stateDir, bot } = this.config;
    try {
      return SupervisorLock.acquire(stateDir, { version: this.version, name: bot.name, sandbox: false });
    } catch (cause) {
      if (!(cause instanceof AlreadyRunningError)) throw cause;
      throw new BackupError(
        `The bot is running here (process ${cause.pid}): its databases cannot be replaced.`,
        'First: botctl stop',
        { cause },
      );
    }
  }

  /** The data folder of the embedded server; the old one is kept aside. */
  async #embedded(manifest: Manifest, part: Manifest['parts'][number]): Promise<string> {
    const { config } = this;
    if (config.postgres.shards !== undefined) {
      throw new BackupError(
        `Backup ${manifest.id} is a copy of an embedded server, but postgres.shards names your own.`,
        'Use --to FOLDER, start a Postgres on it, and copy the databases from there.',
      );
    }
    const dir = join(config.stateDir, 'postgres');
    const folder = new ServerFolder(dir);
    folder.prepare();
    const place = placeData(folder, () => undefined);
    await this.#freshBackup(dir, manifest.shards);
    const kept = keepAside(place, manifest.id);
    try {
      const store = createBackups(config, [], this.version).store;
      this.tell('unpacking');
      const tar = await openPart(store, manifest, part, config.backup.key ?? null);
      await unpackServer(dir, tar, part.postgres, this.signal);
    } catch (error) {
      if (kept !== null) renameSync(kept, place.data);
      throw error;
    }
    const server = await this.#startEmbedded(dir, manifest.shards);
    await server.stop();
    return `backup ${manifest.id} is live${kept === null ? '' : `; what was there is kept in ${kept}`}`;
  }

  async #databases(manifest: Manifest, id: string, shard: number | null): Promise<string> {
    const { config } = this;
    const own = config.maintenance.shards ?? config.postgres.shards;
    const server =
      own === undefined ? await this.#startEmbedded(join(config.stateDir, 'postgres'), manifest.shards) : null;
    try {
      const urls = own ?? server?.urls ?? [];
      if (urls.length < manifest.shards) {
        throw new BackupError(
          `Backup ${id} has ${manifest.shards} database shards, but the config names ${urls.length}.`,
          'List as many in postgres.shards.',
        );
      }
      const backups = createBackups(config, urls, this.version);
      await this.#makeFresh(backups);
      const targets = backups.doors
        .map((door, index) => ({ shard: index, door }))
        .filter((target) => target.shard < manifest.shards && (shard === null || target.shard === shard));
      const old = await this.#restorer(backups).replace(manifest, targets);
      return `backup ${id} is live: all tables are the same; what was there is kept as ${old.join(', ')}`;
    } finally {
      await server?.stop();
    }
  }

  /** Of a server that can still be started; else what is there is kept aside anyway. */
  async #freshBackup(dir: string, shards: number): Promise<void> {
    let server: { urls: string[]; stop: () => Promise<void> };
    try {
      server = await this.#startEmbedded(dir, shards);
    } catch (error) {
      this.tell(
        `no fresh backup: the server does not start (${error instanceof Error ? error.message : String(error)})`,
      );
      return;
    }
    try {
      await this.#makeFresh(createBackups(this.config, server.urls, this.version));
    } finally {
      await server.stop();
    }
  }

  async #makeFresh({ maker }: Backups): Promise<void> {
    this.tell('making a fresh backup first');
    try {
      const { id } = await maker.make(this.signal, (text) => this.tell(`fresh backup: ${text}`));
      this.tell(`fresh backup ${id} made`);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new BackupError(`The fresh backup failed, so nothing was replaced: ${why}`, undefined, { cause });
    }
  }

  async #startEmbedded(dir: string, shards: number): Promise<{ urls: string[]; stop: () => Promise<void> }> {
    const count = Math.max(shards, this.config.postgres.embedded.shards);
    const server = new EmbeddedPostgres({ dir, shards: count, port: 0, log: () => undefined });
    const { urls } = await server.start(this.signal);
    return { urls, stop: () => server.stop() };
  }

  #restorer({ store, open }: Backups): Restorer {
    return new Restorer({ store, open, key: this.config.backup.key ?? null, signal: this.signal, tell: this.tell });
  }

  /** A password in the arguments could be seen by every user of the machine. */
  #withPassword(text: string): string {
    if (!URL.canParse(text)) throw new BackupError('--to is not a URL that can be read.');
    const url = new URL(text);
    if (url.password !== '') {
      throw new BackupError('There is a password in --to, where other users can see it.', 'Give it as PGPASSWORD.');
    }
    url.password = encodeURIComponent(this.env['PGPASSWORD'] ?? '');
    return url.href;
  }
}

/** @returns where it is now; null: there was nothing */
function keepAside({ data }: DataPlace, id: string): string | null {
  const kept = `${data}.before-${id}-${Date.now()}`;
  try {
    renameSync(data, kept);
    return kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
