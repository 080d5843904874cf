import type { ConnectionOptions } from 'node:tls';
import { Client } from 'pg';

export interface ConnectOptions {
  url: string;
  applicationName: string;
  ssl?: ConnectionOptions | undefined;
  /** ms */
  timeout?: number;
  /** A query without an answer for so long fails, ms: also when the server hangs. Absent: it waits. */
  queryTimeout?: number;
}

const TIMEOUT_MS = 10_000;

/** Opens a connection outside the pools, for what needs one to itself. @throws what pg throws */
export async function connectClient({
  url,
  applicationName,
  ssl,
  timeout = TIMEOUT_MS,
  queryTimeout,
}: ConnectOptions): Promise<Client> {
  const client = new Client({
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: timeout,
    keepAlive: true,
    ...(queryTimeout !== undefined && { query_timeout: queryTimeout }),
    ...(ssl !== undefined && { ssl }),
  });
  client.on('error', () => undefined); // told by the rejected query
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  return client;
}
