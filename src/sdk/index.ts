/**
 * What a bot may import from `botctl`. Everything here works without botctl too: then there is no cluster, and handlers
 * are simply never called.
 */
import { SDK_BRIDGE, SDK_BRIDGE_VERSION, type ClusterInfo, type SdkBridge, type StopHandler } from '../ipc/sdk-bridge';

export type { ClusterInfo, StopHandler };

/** The cluster that this process is, or null when it does not run under botctl. */
export const cluster: ClusterInfo | null = bridge()?.cluster ?? null;

/** Addresses of the Postgres database shards, passwords included. Empty without botctl or without Postgres. */
export function databaseUrls(): string[] {
  const urls = process.env['BOTCTL_DATABASE_URLS'];
  return urls === undefined ? [] : (JSON.parse(urls) as string[]);
}

/** Address of Redis, password included, or null when there is none. */
export function redisUrl(): string | null {
  return process.env['BOTCTL_REDIS_URL'] ?? null;
}

/**
 * Calls `handler` when the process is about to be replaced or stopped: its gateway connections are closed (resumably),
 * no event comes any more, REST still works. Awaited for a few seconds; what it throws is logged and changes nothing.
 * @returns a function that takes the handler back
 */
export function onStop(handler: StopHandler): () => void {
  const handlers = bridge()?.stopHandlers;
  handlers?.add(handler);
  return () => void handlers?.delete(handler);
}

function bridge(): SdkBridge | null {
  const found = (globalThis as Record<symbol, unknown>)[SDK_BRIDGE] as SdkBridge | undefined;
  return found?.version === SDK_BRIDGE_VERSION ? found : null;
}
