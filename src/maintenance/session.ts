import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';

export interface SessionLimits {
  /** A lock that is not free for so long is given up: whoever comes after us in the queue must not wait for us, ms. */
  lockMs: number;
  /** Pause after each portion of vacuum's work, ms: leaves the disk to the application. */
  vacuumDelayMs: number;
}

export const LIMITS: SessionLimits = { lockMs: 500, vacuumDelayMs: 2 };

const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK = '40P01';
const RETRY_MS = 2_000;

/** Makes a connection one that gives way to the application. The server ends its work when we die (Postgres 14 and newer). */
export async function yieldingSession(
  client: Client,
  { lockMs, vacuumDelayMs }: SessionLimits = LIMITS,
): Promise<void> {
  await client.query(
    `SET lock_timeout = ${lockMs}; SET statement_timeout = 0; SET vacuum_cost_delay = ${vacuumDelayMs};
     SET idle_in_transaction_session_timeout = '60s'; SET default_transaction_isolation = 'read committed'`,
  );
  await client.query(
    `SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'`,
  );
}

/** Cancels what the client has running as soon as the signal is aborted. @returns takes the watch off */
export function cancelWith(signal: AbortSignal, client: Client, connect: () => Promise<Client>): () => void {
  const cancel = (): void => {
    void cancelBackend(client, connect).catch(() => client.end().catch(() => undefined));
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return () => signal.removeEventListener('abort', cancel);
}

async function cancelBackend(client: Client, connect: () => Promise<Client>): Promise<void> {
  const other = await connect();
  try {
    await other.query('SELECT pg_cancel_backend($1)', [backendOf(client)]);
  } finally {
    await other.end().catch(() => undefined);
  }
}

/** The server's process of a connection. */
export function backendOf(client: Client): number {
  // Told by every server, behind a pooler by the pooler; @types/pg leaves it out.
  return (client as unknown as { processID: number }).processID;
}

/**
 * Tries again, with pauses, while the application holds the lock.
 * @throws the last error
 */
export async function patiently<T>(work: () => Promise<T>, signal: AbortSignal, attempts = 10): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      const { code } = error as { code?: unknown };
      if ((code !== LOCK_NOT_AVAILABLE && code !== DEADLOCK) || attempt >= attempts) throw error;
      await delay(RETRY_MS * Math.min(attempt, 5), undefined, { signal });
    }
  }
}

export function isLockTimeout(error: unknown): boolean {
  return (error as { code?: unknown }).code === LOCK_NOT_AVAILABLE;
}
