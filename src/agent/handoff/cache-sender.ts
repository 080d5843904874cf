import type { Client } from 'discord.js';
import { CacheCopy, snapshotHeader, type RecordSink, type SnapshotMeta } from '../snapshot';
import { Journal } from './journal';

/** The predecessor's side: its caches, and from then on all that changes them, as one stream of records. */
export class CacheSender {
  readonly #copy: CacheCopy;
  readonly #journal: Journal;

  /** Begins at once: each event from now on has to be told to `dispatched`. @throws SnapshotError */
  constructor(client: Client, meta: SnapshotMeta, sink: RecordSink, options: { messagesPerChannel: number }) {
    this.#copy = new CacheCopy(client, snapshotHeader(client, meta), sink, options);
    this.#journal = new Journal(this.#copy, sink);
  }

  /** Resolves when the copy is complete; the journal goes on. @throws when the sink cannot take it */
  copy(): Promise<void> {
    return this.#copy.run();
  }

  /** An event has come; discord.js has not seen it yet. */
  dispatched(shard: number, t: string, d: unknown): void {
    this.#journal.dispatched(shard, t, d);
  }
}
