import type { Client } from 'pg';
import { LOCK_SPACE } from '../data/schema/lock-space';

/** Second key of the lock under which one host maintains a deployment. */
const MAINTENANCE_LOCK = 100_003;
/** How often the holder looks whether it still has it, ms. */
const HEARTBEAT_MS = 5_000;
const ANSWER_MS = 15_000;

/** Another host is at it. */
export class HeldElsewhereError extends Error {
  override readonly name = 'HeldElsewhereError';
  constructor(readonly host: string) {
    super(`Maintenance runs on ${host} at the moment.`);
  }
}

/**
 * One host at a time. The lock is held by an open transaction that has no snapshot, so it holds behind a pooler too, goes
 * with its holder, and is in nobody's way.
 */
export class HostLock {
  #timer: NodeJS.Timeout | null = null;

  private constructor(
    private readonly holder: Client,
    private readonly onLost: (reason: Error) => void,
  ) {}

  /**
   * @param connect opens a connection to the catalogue (database shard 0)
   * @param host how others are to call us
   * @param onLost the connection that holds the lock is gone: somebody else may begin
   * @throws HeldElsewhereError, Error of the server
   */
  static async acquire(
    connect: () => Promise<Client>,
    host: string,
    onLost: (reason: Error) => void,
  ): Promise<HostLock> {
    const holder = await connect();
    try {
      await holder.query('BEGIN');
      await holder.query('SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0');
      const { rows } = await holder.query<{ got: boolean }>(
        `SELECT pg_try_advisory_xact_lock(${LOCK_SPACE}, ${MAINTENANCE_LOCK}) AS got`,
      );
      if (rows[0]?.got !== true) throw new HeldElsewhereError(await holderName(connect));
      await writeName(connect, host);
    } catch (error) {
      await holder.end().catch(() => undefined);
      throw error;
    }
    const lock = new HostLock(holder, onLost);
    lock.#beat();
    return lock;
  }

  async release(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.holder.query('ROLLBACK').catch(() => undefined);
    await this.holder.end().catch(() => undefined);
  }

  #beat(): void {
    this.#timer = setTimeout(() => {
      void this.#ask().then(
        () => {
          if (this.#timer !== null) this.#beat();
        },
        (cause: unknown) => {
          if (this.#timer === null) return;
          this.#timer = null;
          this.onLost(new Error('the connection that held the lock of this maintenance is gone', { cause }));
        },
      );
    }, HEARTBEAT_MS).unref();
  }

  async #ask(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer')), ANSWER_MS);
    });
    try {
      await Promise.race([this.holder.query('SELECT'), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function writeName(connect: () => Promise<Client>, host: string): Promise<void> {
  const client = await connect();
  try {
    await client.query(
      `INSERT INTO botctl.maintenance_host (host, since) VALUES ($1, now())
       ON CONFLICT (one) DO UPDATE SET host = $1, since = now()`,
      [host],
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function holderName(connect: () => Promise<Client>): Promise<string> {
  const client = await connect();
  try {
    const { rows } = await client.query<{ host: string }>('SELECT host FROM botctl.maintenance_host');
    return rows[0]?.host ?? 'another host';
  } finally {
    await client.end().catch(() => undefined);
  }
}
