import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Client } from 'discord.js';
import { SnapshotError } from './errors';
import { FORMAT_VERSION } from './format';
import type { HeaderRecord, SnapshotMeta, SnapshotRecord } from './format';
import { Hydration } from './hydrate';
import type { GatewayStream, HydrationResult } from './hydrate';
import { readLines, verifyRecords } from './record-file';

/** One or more verified snapshots, ready to be given to a client that has not connected yet. */
export interface Snapshot {
  /** Of the oldest, milliseconds since the epoch. */
  readonly createdAt: number;
  /** Id of the bot's user. */
  readonly userId: string;
  /** Guilds that it will bring, the unavailable ones included. */
  readonly guilds: number;
  /**
   * Fills the client's caches through the events of its gateway manager, until shards and client are ready. Meant for
   * `strategy.connect()`, when discord.js has set up its shards. Sessions and sockets are not touched.
   * @throws {SnapshotError} before the first event, when the snapshot is for another bot or other intents; later, when
   *   a guild cannot be restored: the shards are not ready then and have to identify
   */
  hydrate(manager: GatewayStream, client: Client): Promise<HydrationResult>;
}

/**
 * Opens the snapshots of the processes that had these shards, and verifies all of each: format, checksum, version of
 * discord.js. They may hold further shards, which are left out.
 * @throws {SnapshotError} when they cannot be used, with the reason
 */
export async function openSnapshots(files: readonly string[], expected: SnapshotMeta): Promise<Snapshot> {
  const parts: SnapshotFile[] = [];
  for (const file of files) parts.push(await SnapshotFile.open(file));
  const header = mergeHeaders(
    parts.map((part) => part.header),
    expected,
  );
  return {
    createdAt: header.createdAt,
    userId: String(header.user['id']),
    guilds: header.shards.reduce((sum, shard) => sum + shard.guilds.length, 0),
    hydrate: (manager, client) => new Hydration(manager, client, header).run(recordsOf(parts)),
  };
}

async function* recordsOf(parts: readonly SnapshotFile[]): AsyncGenerator<SnapshotRecord, void, void> {
  for (const part of parts) yield* part.records();
}

/** A snapshot file that was found whole. */
export class SnapshotFile {
  private constructor(
    private readonly file: string,
    readonly header: HeaderRecord,
    private readonly verified: { end: number; size: number; mtimeMs: number; ino: number },
  ) {}

  /** @throws {SnapshotError} when it cannot be used, with the reason */
  static async open(file: string): Promise<SnapshotFile> {
    const handle = await openFile(file);
    try {
      const header = await readHeader(handle);
      const end = await verifyRecords(handle);
      const { size, mtimeMs, ino } = await handle.stat();
      return new SnapshotFile(file, header, { end, size, mtimeMs, ino });
    } catch (error) {
      if (error instanceof SnapshotError) throw error;
      throw new SnapshotError(`the snapshot cannot be read: ${messageOf(error)}`, { cause: error });
    } finally {
      await handle.close();
    }
  }

  /** What follows the header. */
  async *records(): AsyncGenerator<SnapshotRecord, void, void> {
    const handle = await openFile(this.file);
    try {
      const { size, mtimeMs, ino } = await handle.stat();
      if (size !== this.verified.size || mtimeMs !== this.verified.mtimeMs || ino !== this.verified.ino) {
        throw new SnapshotError('the snapshot has changed since it was verified');
      }
      const lines = readLines(handle, this.verified.end);
      await lines.next();
      for await (const line of lines) yield JSON.parse(line) as SnapshotRecord;
    } finally {
      await handle.close();
    }
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    throw new SnapshotError(`the snapshot cannot be opened: ${messageOf(error)}`, { cause: error });
  }
}

async function readHeader(handle: FileHandle): Promise<HeaderRecord> {
  const { size } = await handle.stat();
  let header: Partial<HeaderRecord> | null = null;
  for await (const line of readLines(handle, size)) {
    try {
      header = JSON.parse(line) as Partial<HeaderRecord> | null;
    } catch {
      // Told below, together with every other content that is not a header.
    }
    break;
  }
  if (header?.k !== 'header' || header.format !== 'botctl-snapshot') {
    throw new SnapshotError('the file is not a snapshot');
  }
  if (header.version !== FORMAT_VERSION) {
    throw new SnapshotError(`the snapshot has format ${String(header.version)}, this version reads ${FORMAT_VERSION}`);
  }
  return header as HeaderRecord;
}

/**
 * The header of all that several processes had of the shards that are expected. Pure.
 * @throws {SnapshotError} when the snapshots do not fit each other, or the process that opens them
 */
export function mergeHeaders(found: readonly HeaderRecord[], expected: SnapshotMeta): HeaderRecord {
  const [first] = found;
  if (first === undefined) throw new SnapshotError('there is no snapshot');
  for (const { meta, intents, user } of found) {
    checkMeta(meta, expected);
    if (intents !== first.intents) throw new SnapshotError('the snapshots are of different intents');
    if (user['id'] !== first.user['id']) throw new SnapshotError('the snapshots are of different bots');
  }
  const shards = new Map(found.flatMap((header) => header.shards.map((shard) => [shard.id, shard] as const)));
  const wanted = expected.shardIds.flatMap((id) => shards.get(id) ?? []);
  if (wanted.length < expected.shardIds.length) {
    throw new SnapshotError(
      `the snapshot is of shards ${list([...shards.keys()])}, this cluster has ${list(expected.shardIds)}`,
    );
  }
  return {
    ...first,
    createdAt: Math.min(...found.map(({ createdAt }) => createdAt)),
    meta: { ...first.meta, shardIds: [...expected.shardIds] },
    shards: wanted,
  };
}

function checkMeta(found: SnapshotMeta, expected: SnapshotMeta): void {
  if (found.totalShards !== expected.totalShards) {
    throw new SnapshotError(
      `the snapshot is of ${found.totalShards} shards in all, this start has ${expected.totalShards}`,
    );
  }
  const major = (version: string) => version.split('.', 1)[0];
  if (major(found.discordJs) !== major(expected.discordJs)) {
    throw new SnapshotError(
      `the snapshot was made by discord.js ${found.discordJs}, the bot uses ${expected.discordJs}`,
    );
  }
}

function list(ids: readonly number[]): string {
  return [...ids].sort((a, b) => a - b).join(', ');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
