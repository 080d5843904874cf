import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Client } from 'discord.js';
import { SnapshotError } from './errors';
import { FORMAT_VERSION } from './format';
import type { HeaderRecord, SnapshotMeta, SnapshotRecord } from './format';
import { Hydration } from './hydrate';
import type { GatewayStream, HydrationResult } from './hydrate';
import { readLines, verifyRecords } from './record-file';

/** A verified snapshot, ready to be given to a client that has not connected yet. */
export interface Snapshot {
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Id of the bot's user. */
  readonly userId: string;
  /** Guilds named in it, the unavailable ones included. */
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
 * Opens a snapshot and verifies all of it: format, checksum, shards, version of discord.js.
 * @throws {SnapshotError} when it cannot be used, with the reason
 */
export async function openSnapshot(file: string, expected: SnapshotMeta): Promise<Snapshot> {
  const handle = await openFile(file);
  try {
    const header = await readHeader(handle);
    const end = await verifyRecords(handle);
    checkMeta(header.meta, expected);
    const { size, mtimeMs, ino } = await handle.stat();
    return new SnapshotFile(file, header, { end, size, mtimeMs, ino });
  } catch (error) {
    if (error instanceof SnapshotError) throw error;
    throw new SnapshotError(`the snapshot cannot be read: ${messageOf(error)}`, { cause: error });
  } finally {
    await handle.close();
  }
}

interface Verified {
  /** Bytes before the footer. */
  end: number;
  size: number;
  mtimeMs: number;
  ino: number;
}

class SnapshotFile implements Snapshot {
  constructor(
    private readonly file: string,
    private readonly header: HeaderRecord,
    private readonly verified: Verified,
  ) {}

  get createdAt(): number {
    return this.header.createdAt;
  }

  get userId(): string {
    return String(this.header.user['id']);
  }

  get guilds(): number {
    return this.header.shards.reduce((sum, shard) => sum + shard.guilds.length, 0);
  }

  async hydrate(manager: GatewayStream, client: Client): Promise<HydrationResult> {
    const handle = await openFile(this.file);
    try {
      const { size, mtimeMs, ino } = await handle.stat();
      if (size !== this.verified.size || mtimeMs !== this.verified.mtimeMs || ino !== this.verified.ino) {
        throw new SnapshotError('the snapshot has changed since it was verified');
      }
      return await new Hydration(manager, client, this.header).run(readRecords(handle, this.verified.end));
    } finally {
      await handle.close();
    }
  }
}

async function* readRecords(handle: FileHandle, end: number): AsyncGenerator<SnapshotRecord, void, void> {
  const lines = readLines(handle, end);
  await lines.next();
  for await (const line of lines) yield JSON.parse(line) as SnapshotRecord;
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

/** @throws {SnapshotError} when the snapshot does not fit the process that opens it */
export function checkMeta(found: SnapshotMeta, expected: SnapshotMeta): void {
  if (found.totalShards !== expected.totalShards) {
    throw new SnapshotError(
      `the snapshot is of ${found.totalShards} shards in all, this start has ${expected.totalShards}`,
    );
  }
  const list = (ids: number[]) => [...ids].sort((a, b) => a - b).join(', ');
  if (list(found.shardIds) !== list(expected.shardIds)) {
    throw new SnapshotError(
      `the snapshot is of shards ${list(found.shardIds)}, this cluster has ${list(expected.shardIds)}`,
    );
  }
  const major = (version: string) => version.split('.', 1)[0];
  if (major(found.discordJs) !== major(expected.discordJs)) {
    throw new SnapshotError(
      `the snapshot was made by discord.js ${found.discordJs}, the bot uses ${expected.discordJs}`,
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
