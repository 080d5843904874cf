import { inspect } from 'node:util';
import type { Client } from 'discord.js';

type Listener = (...args: unknown[]) => unknown;
interface Emitter {
  emit: (event: string | symbol, ...args: unknown[]) => boolean;
  rawListeners(event: string | symbol): Listener[];
}

/** discord.js tells these very often, and nobody works on them. */
const NOT_WORK: ReadonlySet<string | symbol> = new Set(['debug', 'raw', 'error', 'cacheSweep']);

/** Settled promises are forgotten each time so many have been added. */
const PRUNE_EVERY = 1_000;

/** Follows the listeners of a client that have begun and not finished: those that return a promise. */
export class RunningHandlers {
  #promises: Promise<unknown>[] = [];
  #added = 0;

  constructor(private readonly client: Client) {}

  get count(): number {
    this.#promises = this.#promises.filter(isPending);
    return this.#promises.length;
  }

  /** Begins to follow; what runs already is not seen. @returns stops it */
  follow(): () => void {
    const emitter = this.client as unknown as Emitter;
    const own = Object.getOwnPropertyDescriptor(emitter, 'emit');
    const emit = emitter.emit.bind(emitter);
    emitter.emit = (event, ...args) => {
      const listeners = NOT_WORK.has(event) ? [] : emitter.rawListeners(event);
      if (listeners.length === 0) return emit(event, ...args);
      // As Node does it: in order, and what one throws keeps the rest from being called.
      for (const listener of listeners) this.#track(Reflect.apply(listener, emitter, args));
      return true;
    };
    return () => {
      if (own === undefined) Reflect.deleteProperty(emitter, 'emit');
      else Object.defineProperty(emitter, 'emit', own);
    };
  }

  #track(result: unknown): void {
    if (!(result instanceof Promise)) return;
    this.#promises.push(result);
    if (++this.#added % PRUNE_EVERY === 0) this.#promises = this.#promises.filter(isPending);
  }
}

/** Asked without a handler on it: one would change whether a rejection counts as unhandled. */
function isPending(promise: Promise<unknown>): boolean {
  return inspect(promise, { depth: 0 }).includes('<pending>');
}
