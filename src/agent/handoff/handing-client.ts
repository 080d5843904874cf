import type { Client } from 'discord.js';
import type { ShardSession } from '../../ipc/messages';
import type { SnapshotMeta } from '../snapshot';

/** A client that gives its sessions away. */
export interface HandingClient {
  readonly client: Client;
  readonly meta: SnapshotMeta;
  /** Tells each event before discord.js sees it, until the function that it returns is called. */
  journal(listener: (shard: number, t: string, d: unknown) => void): () => void;
  sessions(): ShardSession[];
  /** Why the sessions cannot be given away now, or null. */
  obstacle(): string | null;
  /** Closes all connections resumably and keeps them closed; resolves when no event is on its way any more. */
  cut(): Promise<void>;
  /** Resumes the sessions after a cut. */
  rollBack(): void;
}
