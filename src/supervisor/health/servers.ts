import { createRedis, type RedisSource } from '../../data/redis';
import { RedisCheck, type RedisConnection } from '../../health/checks/redis';

/** Redis as the bot reaches it, with a new connection for each look. `timeoutMs` is that of the look. */
export function redisCheck(source: RedisSource, timeoutMs: number): RedisCheck {
  return new RedisCheck({ connect: (signal) => connect(source, timeoutMs, signal) });
}

async function connect(source: RedisSource, timeoutMs: number, signal: AbortSignal): Promise<RedisConnection> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', abort);
      client.disconnect();
      reject(error);
    };
    const abort = (): void => fail(new Error('no answer in time'));
    const client = createRedis(source, {
      connectionName: 'botctl-health',
      answerTimeoutMs: timeoutMs,
      onError: (message) => fail(new Error(message)),
    });
    signal.addEventListener('abort', abort, { once: true });
    client.once('ready', () => {
      signal.removeEventListener('abort', abort);
      resolve({
        ping: () => client.ping(),
        info: () => client.info(),
        disconnect: () => client.disconnect(),
      });
    });
  });
}
