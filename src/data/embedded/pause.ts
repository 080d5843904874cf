import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfAborted } from './embedded-server-error';

/** Waits. @param ms milliseconds @throws EmbeddedServerError EMBEDDED_ABORTED */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => throwIfAborted(signal));
}
