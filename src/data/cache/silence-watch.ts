import type { Socket } from 'node:net';
import type { Redis } from 'ioredis';
import type { Clock } from '../../clock';

/** Looks per time-out. A process that was itself blocked looks once, late, and does not blame Redis for it. */
const LOOKS = 4;

/**
 * Gives a connection up when the server owes answers and has been silent for the time-out (at most a quarter longer).
 * ioredis can do that too, by a timer for each command or each pause, which is felt in each command's latency.
 * @returns ends the watch
 */
export function watchSilence(redis: Redis, timeoutMs: number, clock: Clock): () => void {
  let cancel = (): void => undefined;
  let heard = 0;
  let silent = 0;
  const look = (): void => {
    // There is none before the first connection, whatever its type says.
    const stream = redis.stream as Socket | undefined;
    const bytes = stream?.bytesRead ?? 0;
    silent = redis.commandQueue.length === 0 || bytes !== heard ? 0 : silent + 1;
    heard = bytes;
    if (silent >= LOOKS) {
      silent = 0;
      stream?.destroy(new Error(`no answer within ${timeoutMs} ms`));
    }
    cancel = clock.after(timeoutMs / LOOKS, look);
  };
  cancel = clock.after(timeoutMs / LOOKS, look);
  return () => cancel();
}
