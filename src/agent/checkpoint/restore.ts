import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Client } from 'discord.js';
import type { ShardSession } from '../../ipc/messages';
import { CacheReceiver } from '../handoff/cache-receiver';
import { SnapshotError, type GatewayStream, type SnapshotMeta } from '../snapshot';
import type { CheckpointRecord } from './format';

/**
 * Fills the caches of a client that has not connected yet from the checkpoint of a process that was killed, and lets it
 * be ready.
 * @returns the sessions, as far as their events have been told to the bot
 * @throws SnapshotError, and what the file system throws; the client has to identify then
 */
export async function restoreCheckpoint(
  file: string,
  manager: GatewayStream,
  client: Client,
  expected: SnapshotMeta,
): Promise<ShardSession[]> {
  const receiver = new CacheReceiver(manager, client, expected);
  const sessions = new Map<number, ShardSession>();
  const copy = { isWhole: false };
  try {
    let unsealed: CheckpointRecord[] = [];
    for await (const record of readRecords(file)) {
      unsealed.push(record);
      if (copy.isWhole && record.k !== 'seq') continue;
      for (const sealed of unsealed) await take(sealed);
      unsealed = [];
    }
    if (!copy.isWhole) throw new SnapshotError('the checkpoint is incomplete');
  } catch (error) {
    receiver.abandon();
    throw error;
  }
  await receiver.release();
  return [...sessions.values()];

  async function take(record: CheckpointRecord): Promise<void> {
    switch (record.k) {
      case 'copied':
        copy.isWhole = true;
        break;
      case 'session':
        sessions.set(record.session.shardId, record.session);
        break;
      case 'seq':
        for (const [shard, sequence] of record.s) {
          const session = sessions.get(shard);
          if (session !== undefined) session.sequence = Math.max(session.sequence, sequence);
        }
        break;
      default:
        await receiver.take(record);
    }
  }
}

/** Up to the first line that is not whole: there the process was killed. */
async function* readRecords(file: string): AsyncGenerator<CheckpointRecord, void, void> {
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    let record: CheckpointRecord;
    try {
      record = JSON.parse(line) as CheckpointRecord;
    } catch {
      return;
    }
    yield record;
  }
}
