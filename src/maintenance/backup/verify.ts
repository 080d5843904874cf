import { join } from 'node:path';
import type { Client } from 'pg';
import { connectClient } from '../../data/pool/connect';
import { createDatabase, doorTo, dropDatabase, loadDump, refuseOlder } from './load-dump';
import type { BackupPart, Manifest, TableSum } from './manifest';
import { checkPart, openPart } from './open-part';
import type { PgDoor } from './pg-tools';
import { discardAllScratch, ScratchServer } from './scratch-server';
import type { BackupStore } from './store';
import { differences, sumDatabase } from './table-sums';
import { BackupError, DamagedError } from './target';

export interface VerifyOptions {
  store: BackupStore;
  key: string | null;
  /** Where scratch servers may lie. */
  scratchDir: string;
  /** A server to restore dumps on for a trial, by database shard. */
  doorOf: (shard: number) => PgDoor;
  /** Opens a connection to a database of such a server. */
  open: (url: string) => Promise<Client>;
  now: () => number;
}

const SCRATCH = 'scratch-';
const MAX_TOLD = 3;

type Tell = (text: string) => void;

/** Proves backups by restoring them where they do no harm, and comparing every table. */
export class BackupVerifier {
  constructor(private readonly options: VerifyOptions) {}

  /**
   * Whether all files are as they were written.
   * @throws BackupError when they are not
   */
  async check(id: string, signal: AbortSignal, tell: Tell): Promise<Manifest> {
    const { store } = this.options;
    const manifest = await store.manifest(id);
    for (const part of manifest.parts) {
      signal.throwIfAborted();
      tell(`checking ${part.file}`);
      await checkPart(store, manifest, part);
    }
    return manifest;
  }

  /**
   * Restores the backup for a trial and notes how it went.
   * @throws BackupError when it cannot be restored, or is not what it was made of
   */
  async verify(id: string, signal: AbortSignal, tell: Tell): Promise<Manifest> {
    const { store, now } = this.options;
    try {
      const manifest = await this.check(id, signal, tell);
      for (const part of manifest.parts) await this.#restore(manifest, part, signal, tell);
      await store.noteVerified(id, { at: new Date(now()).toISOString(), ok: true, message: null });
      return manifest;
    } catch (error) {
      signal.throwIfAborted();
      // Not for want of a key, of programs, of a permission or of the network: that says nothing of the backup.
      if (error instanceof DamagedError || (error instanceof BackupError && error.hint === undefined)) {
        const note = { at: new Date(now()).toISOString(), ok: false, message: error.message };
        await store.noteVerified(id, note).catch(() => undefined);
      }
      throw error;
    }
  }

  /** What trials that were killed left behind. Nobody may be verifying. */
  async discardLeftovers(shards: number, deployment: string): Promise<void> {
    await discardAllScratch(this.options.scratchDir, SCRATCH);
    for (let shard = 0; shard < shards; shard++) {
      await this.#onServer(shard, (client) => dropDatabase(client, scratchName(deployment, shard)));
    }
  }

  async #restore(manifest: Manifest, part: BackupPart, signal: AbortSignal, tell: Tell): Promise<void> {
    const found =
      part.kind === 'dump'
        ? await this.#tryDump(manifest, part, signal, tell)
        : await this.#tryServer(manifest, part, signal, tell);
    const wrong = differences(part.tables, found);
    if (wrong.length === 0) return;
    const more = wrong.length > MAX_TOLD ? ` and ${wrong.length - MAX_TOLD} more` : '';
    throw new DamagedError(
      `Backup ${manifest.id} does not restore to what it was: ${wrong.slice(0, MAX_TOLD).join('; ')}${more}.`,
    );
  }

  async #tryDump(manifest: Manifest, part: BackupPart, signal: AbortSignal, tell: Tell): Promise<TableSum[]> {
    const shard = part.shards[0] ?? 0;
    const { store, key, doorOf, open } = this.options;
    const name = scratchName(manifest.deployment, shard);
    const door = doorTo(doorOf(shard), name);
    tell(`database shard ${shard}: restoring for a trial`);
    return this.#onServer(shard, async (client) => {
      await refuseOlder(manifest, part, client);
      await dropDatabase(client, name);
      await createDatabase(client, name);
      try {
        await loadDump({ store, manifest, part, key }, { door, privileges: false }, signal);
        tell(`database shard ${shard}: comparing`);
        return await sumAt(() => open(door.url), shard, signal);
      } finally {
        await dropDatabase(client, name).catch(() => undefined); // dropped the next time
      }
    });
  }

  async #tryServer(manifest: Manifest, part: BackupPart, signal: AbortSignal, tell: Tell): Promise<TableSum[]> {
    const { store, key, scratchDir } = this.options;
    tell('restoring for a trial');
    const tar = await openPart(store, manifest, part, key);
    const backup = { tar, postgres: part.postgres, shards: part.shards.length };
    const server = await ScratchServer.start(join(scratchDir, `${SCRATCH}${manifest.id}`), backup, signal);
    try {
      const found: TableSum[] = [];
      for (const shard of part.shards) {
        tell(`database shard ${shard}: comparing`);
        const connect = (): Promise<Client> =>
          connectClient({ url: server.urls[shard] ?? '', applicationName: 'botctl backup' });
        found.push(...(await sumAt(connect, shard, signal)));
      }
      return found;
    } finally {
      await server.end();
    }
  }

  async #onServer<T>(shard: number, work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.options.open(this.options.doorOf(shard).url);
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

export async function sumAt(connect: () => Promise<Client>, shard: number, signal: AbortSignal): Promise<TableSum[]> {
  const client = await connect();
  try {
    return await sumDatabase(client, shard, signal);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** One for each deployment and shard: several bots may use one server. */
function scratchName(deployment: string, shard: number): string {
  return `botctl_verify_${deployment.slice(0, 8)}_${shard}`;
}
