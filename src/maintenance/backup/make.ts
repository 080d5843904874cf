import { setTimeout as delay } from 'node:timers/promises';
import type { Readable, Transform } from 'node:stream';
import { createGzip, constants } from 'node:zlib';
import type { Client } from 'pg';
import { lockMoves } from '../../data/move/move-store';
import { Session } from '../../data/move/session';
import { startBaseBackup } from './base-backup';
import { backupId, type BackupPart, FORMAT, type Manifest, type TableSum } from './manifest';
import { findPgTools, type PgDoor, type PgTools, startTool, toolsFor } from './pg-tools';
import { chain, meter, seldom } from './pipe';
import { seal } from './seal';
import type { BackupStore } from './store';
import { LEFT_OUT, openSnapshot, sumDatabase, sumTables, unchanged } from './table-sums';
import { BackupError } from './target';

export interface BackupSource {
  bot: string;
  version: string;
  /** One per database shard. */
  doors: readonly PgDoor[];
  /** The databases are those of our own server, which may be copied as a whole. */
  embedded: boolean;
  connect: (shard: number) => Promise<Client>;
}

export interface MakeSettings {
  /** auto: pg_dump where it fits the server, else a copy of our own server. */
  method: 'auto' | 'dump' | 'physical';
  /** Encrypts; null: nothing is encrypted. */
  key: string | null;
}

/** Databases that are dumped side by side. */
const SIDE_BY_SIDE = 2;
/** A guild's move may hold a backup up for so long, ms. */
const MOVE_MS = 10 * 60_000;
const TELL_MS = 1_000;

type Tell = (text: string) => void;

/** Makes one backup of all database shards. Whole when it resolves; what is left of it when it rejects is no backup. */
export class BackupMaker {
  constructor(
    private readonly source: BackupSource,
    private readonly settings: MakeSettings,
    private readonly store: BackupStore,
    private readonly now: () => number,
  ) {}

  /** @throws BackupError, Error of a server or of the target, the signal's reason */
  async make(signal: AbortSignal, tell: Tell): Promise<Manifest> {
    const startedAt = new Date(this.now());
    const id = await this.#freeId(startedAt);
    const failing = new AbortController();
    const both = AbortSignal.any([signal, failing.signal]);
    try {
      const plan = await this.#plan();
      const parts =
        plan.kind === 'dump' ? await this.#dumps(id, plan, both, tell) : [await this.#copy(id, plan, both, tell)];
      const manifest: Manifest = {
        ...{ format: FORMAT, id, parts },
        ...{ bot: this.source.bot, version: this.source.version, deployment: plan.deployment },
        shards: this.source.doors.length,
        startedAt: startedAt.toISOString(),
        endedAt: new Date(this.now()).toISOString(),
        encrypted: this.settings.key !== null,
      };
      await this.store.finish(manifest);
      return manifest;
    } catch (error) {
      failing.abort(error);
      await this.store.remove(id).catch(() => undefined); // found as unfinished the next time
      throw error;
    }
  }

  /** Two in one second would have the same name. */
  async #freeId(at: Date): Promise<string> {
    const taken = new Set((await this.store.list()).map(({ id }) => id));
    for (let time = at.getTime(); ; time += 1_000) {
      const id = backupId(new Date(time));
      if (!taken.has(id)) return id;
    }
  }

  async #plan(): Promise<Plan> {
    const { doors, embedded, connect } = this.source;
    const servers = await Promise.all(
      doors.map(async (_, shard) => {
        const client = await connect(shard);
        try {
          const { rows } = await client.query<{ version: number; deployment: string }>(
            `SELECT current_setting('server_version_num')::int / 10000 AS version,
                    (SELECT deployment::text FROM botctl.identity) AS deployment`,
          );
          return rows[0] ?? { version: 0, deployment: '' };
        } finally {
          await client.end().catch(() => undefined);
        }
      }),
    );
    const deployment = servers[0]?.deployment ?? '';
    const newest = Math.max(...servers.map(({ version }) => version));
    const { method } = this.settings;
    if (method === 'physical' && !embedded) {
      throw new BackupError(
        'backup.method physical is for the embedded server.',
        'Set backup.method to dump, or back your own servers up with their own means and set backup.enabled to false.',
      );
    }
    if (method === 'physical') return { kind: 'physical', version: newest, deployment };
    const tools = await findPgTools();
    if (method === 'auto' && embedded && !tools.some(({ version }) => version >= newest)) {
      return { kind: 'physical', version: newest, deployment };
    }
    return {
      kind: 'dump',
      tools: toolsFor(newest, tools),
      versions: servers.map(({ version }) => version),
      deployment,
    };
  }

  /** Every shard as of its own moment; all moments within one pause between moves of guilds. */
  async #dumps(id: string, plan: DumpPlan, signal: AbortSignal, tell: Tell): Promise<BackupPart[]> {
    const snapshots = await this.#snapshots(signal, tell);
    try {
      const parts: BackupPart[] = [];
      const waiting = [...snapshots];
      const worker = async (): Promise<void> => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          parts.push(await this.#dump(id, plan, next, signal, tell));
        }
      };
      await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
      return parts.sort((a, b) => (a.shards[0] ?? 0) - (b.shards[0] ?? 0));
    } finally {
      for (const { client } of snapshots) await client.end().catch(() => undefined);
    }
  }

  async #snapshots(signal: AbortSignal, tell: Tell): Promise<Snapshot[]> {
    const { doors, connect } = this.source;
    const catalogue = new Session(0, await connect(0));
    const opened: Snapshot[] = [];
    try {
      // A guild that moves in between would be in two backups, or in none.
      await movesHeld(catalogue, signal, tell);
      for (let shard = 0; shard < doors.length; shard++) {
        const client = await connect(shard);
        opened.push({ shard, client, name: await openSnapshot(client) });
      }
      return opened;
    } catch (error) {
      for (const { client } of opened) await client.end().catch(() => undefined);
      throw error;
    } finally {
      await catalogue.end();
    }
  }

  async #dump(
    id: string,
    { tools, versions }: DumpPlan,
    { shard, client, name }: Snapshot,
    signal: AbortSignal,
    tell: Tell,
  ): Promise<BackupPart> {
    const args = [
      ...[
        '--format=custom',
        '--compress=1',
        `--snapshot=${name}`,
        '--no-unlogged-table-data',
        '--lock-wait-timeout=10s',
      ],
      ...LEFT_OUT.map((table) => `--exclude-table-data=${table}`),
    ];
    const door = this.source.doors[shard];
    if (door === undefined) throw new Error(`there is no database shard ${shard}`);
    const file = await this.#file(id, `shard-${shard}.dump`);
    // What a program says before anybody reads is lost when it ends: all must be ready.
    const { child, ended } = startTool(tools, 'pg_dump', args, door, signal);
    child.stdin.end();
    ended.catch((error: unknown) => child.stdout.destroy(error as Error));
    const written = await this.#write(file, child.stdout, signal, (bytes) =>
      tell(`database shard ${shard}: ${megabytes(bytes)} written`),
    );
    await ended;
    tell(`database shard ${shard}: counting rows`);
    const tables = await sumTables(client, shard, signal);
    await client.query('ROLLBACK');
    return { ...written, kind: 'dump', shards: [shard], postgres: versions[shard] ?? tools.version, tables };
  }

  /** All databases of our own server as of one moment, the end of the copy. */
  async #copy(id: string, { version }: PhysicalPlan, signal: AbortSignal, tell: Tell): Promise<BackupPart> {
    const { doors } = this.source;
    tell('counting rows');
    const before = await this.#sums(signal);
    const file = await this.#file(id, 'server.tar.gz');
    const { tar, estimate } = await startBaseBackup(doors[0]?.url ?? '', signal);
    let total = 0;
    void estimate.then((bytes) => (total = bytes));
    const read = meter(
      seldom(TELL_MS, (bytes) => {
        const share = total === 0 ? '' : ` ${Math.min(99, Math.floor((100 * bytes) / total))} %`;
        tell(`copying the data folder${share}`);
      }),
    );
    const gzip = createGzip({ level: constants.Z_BEST_SPEED });
    const packed = chain(tar, read.stream, gzip);
    const written = await this.#write(file, packed, signal, () => undefined);
    tell('counting rows');
    const tables = unchanged(before, await this.#sums(signal));
    return { ...written, kind: 'physical', shards: doors.map((_, shard) => shard), postgres: version, tables };
  }

  async #sums(signal: AbortSignal): Promise<TableSum[]> {
    const all: TableSum[] = [];
    for (let shard = 0; shard < this.source.doors.length; shard++) {
      const client = await this.source.connect(shard);
      try {
        all.push(...(await sumDatabase(client, shard, signal)));
      } finally {
        await client.end().catch(() => undefined);
      }
    }
    return all;
  }

  async #file(id: string, name: string): Promise<PartFile> {
    const { key } = this.settings;
    return key === null ? { id, name, sealing: [] } : { id, name: `${name}.sealed`, sealing: [await seal(key)] };
  }

  async #write(
    { id, name, sealing }: PartFile,
    content: Readable,
    signal: AbortSignal,
    tell: (bytes: number) => void,
  ): Promise<Pick<BackupPart, 'file' | 'bytes' | 'sha256'>> {
    const measured = meter(seldom(TELL_MS, tell));
    await this.store.target.write(`${id}/${name}`, chain(content, ...sealing, measured.stream), signal);
    return { file: name, bytes: measured.bytes(), sha256: measured.sha256() };
  }
}

/** A file that is about to be written. */
interface PartFile {
  /** Of the backup. */
  id: string;
  name: string;
  /** What encrypts it; empty: nothing does. */
  sealing: Transform[];
}

interface DumpPlan {
  kind: 'dump';
  tools: PgTools;
  /** Of the server of each shard. */
  versions: number[];
  deployment: string;
}

interface PhysicalPlan {
  kind: 'physical';
  version: number;
  deployment: string;
}

type Plan = DumpPlan | PhysicalPlan;

interface Snapshot {
  shard: number;
  client: Client;
  name: string;
}

/** Until the session ends. @throws BackupError when a move takes too long */
async function movesHeld(catalogue: Session, signal: AbortSignal, tell: Tell): Promise<void> {
  const until = performance.now() + MOVE_MS;
  for (;;) {
    signal.throwIfAborted();
    try {
      await lockMoves(catalogue, TELL_MS);
      return;
    } catch (error) {
      await catalogue.rollback();
      if ((error as { code?: unknown }).code !== '55P03') throw error;
      if (performance.now() > until) {
        throw new BackupError(
          `Guilds are being moved since more than ${MOVE_MS / 60_000} minutes.`,
          'See: botctl db status',
        );
      }
      tell('waiting for a move of guilds to end');
      await delay(TELL_MS, undefined, { signal });
    }
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
