import { DataError } from '../../../src/data/data-error';
import type { DeferTarget, DeferTransaction } from '../../../src/data/defer';

/** What was executed. */
export interface Applied {
  guildId: bigint;
  sql: string;
  params: unknown[];
}

/** Databases in memory, with transactions that are all or nothing, and switches for what can go wrong. */
export class FakeTarget implements DeferTarget {
  readonly applied: Applied[] = [];
  readonly keys = new Set<string>();
  readonly down = new Set<number>();
  attempts = 0;
  /** Called before each statement; what it throws, the statement throws. */
  onStatement: (statement: Applied) => void | Promise<void> = () => undefined;
  /** Called when a transaction is done; what it throws, its caller gets. */
  onCommitted: () => void = () => undefined;

  constructor(private readonly shards = 2) {}

  shardOf(guildId: bigint): number {
    return Number(guildId % BigInt(this.shards));
  }

  async transaction<T>(guildId: bigint, fn: (tx: DeferTransaction) => Promise<T>): Promise<T> {
    this.attempts += 1;
    await Promise.resolve();
    this.#refuseWhenDown(guildId);
    const keys: string[] = [];
    const applied: Applied[] = [];
    const result = await fn({
      query: async (sql, params = []) => {
        this.#refuseWhenDown(guildId);
        if (sql.includes('botctl.deferred')) {
          const key = params.join(' ');
          if (this.keys.has(key)) return { rows: [], rowCount: 0 };
          keys.push(key);
          return { rows: [], rowCount: 1 };
        }
        const statement = { guildId, sql, params };
        await this.onStatement(statement);
        applied.push(statement);
        return { rows: [], rowCount: 1 };
      },
    });
    this.#refuseWhenDown(guildId);
    for (const key of keys) this.keys.add(key);
    this.applied.push(...applied);
    this.onCommitted();
    return result;
  }

  /** Statements in the order in which they were executed. */
  get statements(): string[] {
    return this.applied.map(({ sql }) => sql);
  }

  #refuseWhenDown(guildId: bigint): void {
    const shard = this.shardOf(guildId);
    if (this.down.has(shard)) throw new DataError('UNAVAILABLE', 'the server is down', { shard });
  }
}

/** An error as pg makes it of what the server says. */
export function databaseError(code: string, message = 'no'): Error {
  return Object.assign(new Error(message), { code, severity: 'ERROR' });
}

/** A promise and what settles it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
