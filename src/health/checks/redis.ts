import type { HealthCheck, Reading } from '../check';

/** As much of a client as is used. */
export interface RedisConnection {
  ping(): Promise<unknown>;
  info(): Promise<string>;
  disconnect(): void;
}

export interface RedisCheckOptions {
  /** Opens a connection of its own; rejects when `signal` aborts. */
  connect: (signal: AbortSignal) => Promise<RedisConnection>;
}

/** Does Redis take a new connection, answer, and take writes? */
export class RedisCheck implements HealthCheck {
  readonly name = 'redis';
  readonly scope = { kind: 'redis' } as const;

  constructor(private readonly options: RedisCheckOptions) {}

  async look(signal: AbortSignal): Promise<Reading[]> {
    const connection = await this.options.connect(signal);
    const close = (): void => connection.disconnect();
    signal.addEventListener('abort', close, { once: true });
    try {
      signal.throwIfAborted();
      await connection.ping();
      // A user without leave to read INFO can still be told that it answers.
      const problem = writeProblem(await connection.info().catch(() => ''));
      return [{ scope: this.scope, ok: problem === null, message: problem ?? 'answers' }];
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  }
}

/** Why a Redis that answers takes no writes, by its INFO; null: it does. */
export function writeProblem(info: string): string | null {
  const value = (name: string): string => new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1] ?? '';
  const [used, max] = [Number(value('used_memory')), Number(value('maxmemory'))];
  if (value('loading') === '1') return 'is loading its data';
  if (value('role') === 'slave') return 'answers, but is a replica: it takes no writes';
  if (max > 0 && used >= max && value('maxmemory_policy') === 'noeviction') {
    return 'answers, but is full (maxmemory, noeviction): it takes no writes';
  }
  return null;
}
