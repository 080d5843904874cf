import { setTimeout as delay } from 'node:timers/promises';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { DataRemedy, Degradation, Remedy, RemedyOutcome } from '../ipc/remedies';
import type { DegradedHandler, Drain, DrainHandler, LifecycleBridge, MemoryPressureHandler } from '../ipc/sdk-bridge';

/** A handler of the bot that takes longer is not waited for, ms. */
const HANDLER_MS = 5_000;
/** The bot has so long to stop taking work before its connections are closed, ms. */
const DRAIN_HANDLER_MS = 1_000;

/** What the bot has asked to be told, and what recovery asks of its process. Nothing in here throws into the bot. */
export class Lifecycle implements LifecycleBridge {
  readonly memoryPressureHandlers = new Set<MemoryPressureHandler>();
  readonly drainHandlers = new Set<DrainHandler>();
  readonly degradedHandlers = new Set<DegradedHandler>();
  /** Reasons by name: what the supervisor knows, and what circuit breakers of this process have found. */
  readonly #told = new Map<string, string>();
  readonly #found = new Map<string, string>();
  #all: ReadonlyMap<string, string> = new Map();
  #collect: (() => void) | null = null;
  #draining = false;

  constructor(
    private readonly parts: {
      /** Lets go of old messages in discord.js's caches; how many. */
      sweepMessages: () => number;
      /** null: the bot does not use the SDK's databases. */
      dataRemedy: () => ((remedy: DataRemedy) => Promise<RemedyOutcome>) | null;
      /** Lets go of the SDK's cache in memory; how many entries. */
      dropDataCache: () => number;
    },
  ) {}

  degradations(): ReadonlyMap<string, string> {
    return this.#all;
  }

  report(name: string, reason: string | null): void {
    this.#change(() => {
      if (reason === null) this.#found.delete(name);
      else this.#found.set(name, reason);
    });
  }

  /** The supervisor's whole list. */
  tell(dependencies: readonly Degradation[]): void {
    this.#change(() => {
      this.#told.clear();
      for (const { name, reason } of dependencies) this.#told.set(name, reason);
    });
  }

  /** The process is about to be stopped or replaced: the bot shall take no more work. Once; never rejects. */
  async drain(drain: Drain): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    await call('onDrain', this.drainHandlers, [drain], Math.min(DRAIN_HANDLER_MS, drain.deadlineMs / 4));
  }

  async remedy(remedy: Remedy): Promise<RemedyOutcome> {
    switch (remedy.kind) {
      case 'drop-caches':
        return this.#dropCaches();
      case 'collect-garbage':
        return this.#collectGarbage();
      default: {
        const dataRemedy = this.parts.dataRemedy();
        if (dataRemedy === null) return { ok: false, text: 'the bot does not use the databases of the SDK' };
        return dataRemedy(remedy);
      }
    }
  }

  async #dropCaches(): Promise<RemedyOutcome> {
    const { rss: rssBytes, heapUsed: heapUsedBytes } = process.memoryUsage();
    const pressure = { rssBytes, heapUsedBytes, heapLimitBytes: getHeapStatistics().heap_size_limit };
    const { called, failed } = await call('onMemoryPressure', this.memoryPressureHandlers, [pressure], HANDLER_MS);
    const messages = this.parts.sweepMessages();
    const entries = this.parts.dropDataCache();
    const handlers = `${called} ${called === 1 ? 'handler' : 'handlers'} of the bot called`;
    const errors = failed > 0 ? `, ${failed} of them failed` : '';
    return { ok: true, text: `${handlers}${errors}; ${messages} messages and ${entries} cache entries dropped` };
  }

  #collectGarbage(): RemedyOutcome {
    const before = process.memoryUsage();
    this.#collect ??= exposeGc();
    if (this.#collect === null) return { ok: false, text: 'this Node does not let its garbage be collected' };
    this.#collect();
    const after = process.memoryUsage();
    const change = (from: number, to: number): string => `${mebibytes(from)} -> ${mebibytes(to)} MB`;
    return {
      ok: true,
      text: `heap ${change(before.heapUsed, after.heapUsed)}, resident ${change(before.rss, after.rss)}`,
    };
  }

  #change(change: () => void): void {
    const before = this.#all;
    change();
    const after = new Map([...this.#told, ...this.#found]);
    this.#all = after;
    for (const [name, reason] of after) if (!before.has(name)) this.#announce({ name, reason, degraded: true });
    for (const [name, reason] of before) if (!after.has(name)) this.#announce({ name, reason, degraded: false });
  }

  #announce(change: Degradation & { degraded: boolean }): void {
    void call('onDegraded', this.degradedHandlers, [change], HANDLER_MS);
  }
}

/** Calls all handlers side by side; those that take too long are left to themselves. */
async function call<A extends unknown[]>(
  name: string,
  handlers: ReadonlySet<(...args: A) => unknown>,
  args: A,
  timeoutMs: number,
): Promise<{ called: number; failed: number }> {
  if (handlers.size === 0) return { called: 0, failed: 0 };
  let failed = 0;
  const calls = [...handlers].map(async (handler) => {
    try {
      await handler(...args);
    } catch (error) {
      failed++;
      console.error(`a ${name} handler of the bot failed:`, error);
    }
  });
  const timeout = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: timeout.signal, ref: false }).catch(() => undefined);
  await Promise.race([Promise.all(calls), late]);
  timeout.abort();
  return { called: calls.length, failed };
}

/** V8's collector is not open to JavaScript unless it is asked for; a new context then has it. */
function exposeGc(): (() => void) | null {
  try {
    setFlagsFromString('--expose-gc');
    return runInNewContext('gc') as () => void;
  } catch {
    return null;
  }
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 1_048_576);
}
