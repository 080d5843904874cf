import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Client } from 'discord.js';
import type { SavedPart, ShardSession } from '../../ipc/messages';
import { CacheReceiver } from '../handoff/cache-receiver';
import type { DispatchRecord } from '../handoff/wire';
import {
  openSnapshots,
  SnapshotError,
  SnapshotFile,
  type GatewayStream,
  type HeaderRecord,
  type SnapshotMeta,
  type SnapshotRecord,
} from '../snapshot';
import type { CheckpointRecord } from './format';

/**
 * Fills the caches of a client that has not connected yet with what the processes left that had its shards before, and
 * lets it be ready.
 * @returns the sessions of its shards, as far as their events have been told to the bot, and how many interactions the
 *   processes worked on when they were killed
 * @throws SnapshotError, and what the file system throws; the client has to identify then
 */
export async function restore(
  parts: readonly SavedPart[],
  manager: GatewayStream,
  client: Client,
  expected: SnapshotMeta,
): Promise<{ sessions: ShardSession[]; inHand: number }> {
  if (parts.every(({ form }) => form === 'snapshot')) {
    const files = parts.map(({ snapshot }) => snapshot);
    await (await openSnapshots(files, expected)).hydrate(manager, client);
    return { sessions: parts.flatMap(({ sessions }) => sessions), inHand: 0 };
  }
  const receiver = new CacheReceiver(manager, client, expected);
  const saved = parts.map((part) => (part.form === 'snapshot' ? fromSnapshot(part) : new Checkpoint(part.snapshot)));
  try {
    const headers: HeaderRecord[] = [];
    for (const one of saved) headers.push(await one.header());
    receiver.begin(headers);
    for (const one of saved) for await (const record of one.records()) await receiver.take(record);
  } catch (error) {
    receiver.abandon();
    throw error;
  }
  await receiver.release();
  return {
    sessions: saved.flatMap(({ sessions }) => sessions).filter(({ shardId }) => expected.shardIds.includes(shardId)),
    inHand: saved.reduce((sum, one) => sum + one.inHand, 0),
  };
}

interface Saved {
  /** To be read first. */
  header(): Promise<HeaderRecord>;
  records(): AsyncIterable<SnapshotRecord | DispatchRecord>;
  /** As they are after the last record. */
  readonly sessions: ShardSession[];
  readonly inHand: number;
}

function fromSnapshot({ snapshot, sessions }: SavedPart): Saved {
  const opened = SnapshotFile.open(snapshot);
  opened.catch(() => undefined); // told by header()
  return {
    header: async () => (await opened).header,
    records: async function* () {
      yield* (await opened).records();
    },
    sessions,
    inHand: 0, // it was left in order
  };
}

/** What a process that was killed had kept up to then. */
class Checkpoint implements Saved {
  inHand = 0;
  readonly #lines: AsyncGenerator<CheckpointRecord, void, void>;
  readonly #sessions = new Map<number, ShardSession>();

  constructor(file: string) {
    this.#lines = readLines(file);
  }

  get sessions(): ShardSession[] {
    return [...this.#sessions.values()];
  }

  async header(): Promise<HeaderRecord> {
    const { value } = await this.#lines.next();
    if (value?.k !== 'header') throw new SnapshotError('the checkpoint does not begin with a header');
    return value;
  }

  /** What stands after the last sequences is left out: it has not been told to the bot. */
  async *records(): AsyncGenerator<SnapshotRecord | DispatchRecord, void, void> {
    let isWhole = false;
    let unsealed: CheckpointRecord[] = [];
    for await (const record of this.#lines) {
      unsealed.push(record);
      isWhole ||= record.k === 'copied';
      if (isWhole && record.k !== 'seq' && record.k !== 'copied') continue;
      for (const sealed of unsealed) if (!this.#note(sealed)) yield sealed;
      unsealed = [];
    }
    if (!isWhole) throw new SnapshotError('the checkpoint is incomplete');
  }

  /** @returns true when the record concerns the sessions, not the caches */
  #note(record: CheckpointRecord): record is Exclude<CheckpointRecord, SnapshotRecord | DispatchRecord> {
    switch (record.k) {
      case 'header':
      case 'copied':
        return true;
      case 'session':
        this.#sessions.set(record.session.shardId, record.session);
        return true;
      case 'seq':
        for (const [shard, sequence] of record.s) {
          const session = this.#sessions.get(shard);
          if (session !== undefined) session.sequence = Math.max(session.sequence, sequence);
        }
        this.inHand = record.inHand ?? 0;
        return true;
      default:
        return false;
    }
  }
}

/** Up to the first line that is not whole: there the process was killed. */
async function* readLines(file: string): AsyncGenerator<CheckpointRecord, void, void> {
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
