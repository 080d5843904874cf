import { Readable } from 'node:stream';
import { Client, type Connection, type Submittable } from 'pg';

/** A copy of a whole server as it comes over the replication protocol: one tar of its data folder, with the WAL it needs. */
export interface BaseBackup {
  tar: Readable;
  /** Size of the data folder as the server estimates it, bytes. */
  estimate: Promise<number>;
}

const KB = 1_024;
/** Kind of a message in the copy: https://www.postgresql.org/docs/current/protocol-replication.html#PROTOCOL-REPLICATION-BASE-BACKUP */
const DATA = 'd'.charCodeAt(0);

/**
 * Asks the server for a base backup. It is consistent over all databases of the server, as of its end.
 * @throws Error of the server: it takes a role with REPLICATION, and a line for `replication` in pg_hba.conf
 */
export async function startBaseBackup(url: string, signal: AbortSignal): Promise<BaseBackup> {
  const client = new Client({
    connectionString: url,
    application_name: 'botctl backup',
    ...({ replication: 'true' } as object), // known to pg, not to its types
  });
  client.on('error', () => undefined); // the stream tells
  await client.connect();
  const query = new BaseBackupQuery();
  const end = (): void => void client.end().catch(() => undefined);
  const abort = (): void => {
    query.tar.destroy(signal.reason as Error);
  };
  signal.addEventListener('abort', abort, { once: true });
  query.tar.once('close', () => {
    signal.removeEventListener('abort', abort);
    end();
  });
  client.once('end', () => {
    if (!query.complete) query.tar.destroy(new Error('the server closed the connection in the middle of the backup'));
  });
  client.query(query);
  return { tar: query.tar, estimate: query.estimate };
}

/** What @types/pg leaves out. */
interface ServerConnection {
  stream: { pause(): void; resume(): void };
  query(text: string): void;
}

/** Takes the messages of the command as they come; holds the connection back when nobody reads. */
class BaseBackupQuery implements Submittable {
  complete = false;
  #connection: ServerConnection | null = null;
  #tellEstimate: (bytes: number) => void = () => undefined;
  #sets = 0;
  #sum = 0;
  readonly estimate = new Promise<number>((resolve) => (this.#tellEstimate = resolve));
  readonly tar = new Readable({
    highWaterMark: 1024 * 1024,
    read: () => this.#connection?.stream.resume(),
  });

  submit(connection: Connection): void {
    this.#connection = connection;
    this.#connection.query(`BASE_BACKUP (LABEL 'botctl', PROGRESS, CHECKPOINT 'fast', WAL, MANIFEST 'no')`);
  }

  handleRowDescription(): void {
    this.#sets++;
  }

  /** The second set of rows lists the tablespaces with their sizes. */
  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    if (this.#sets === 2) this.#sum += Number(fields[2] ?? 0) * KB;
  }

  handleCommandComplete(): void {
    if (this.#sets === 2) this.#tellEstimate(this.#sum);
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    if (chunk[0] !== DATA) return;
    // pg uses the memory of the chunk again.
    if (!this.tar.push(Buffer.from(chunk.subarray(1)))) this.#connection?.stream.pause();
  }

  handleReadyForQuery(): void {
    this.complete = true;
    this.tar.push(null);
  }

  handleError(error: Error): void {
    this.tar.destroy(error);
  }

  handlePortalSuspended(): void {
    // no portals here
  }

  handleEmptyQuery(): void {
    // never empty
  }
}
