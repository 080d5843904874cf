import type { HandoffHooks } from '../../ipc/sdk-bridge';
import { within } from '../../within';

/** The bot's own state may take so long to be exported, ms: no event is dispatched meanwhile. */
const EXPORT_TIMEOUT_MS = 1_000;
/** And so long to be taken in, ms; what the predecessor waits for before it takes the sessions back is longer. */
const IMPORT_TIMEOUT_MS = 5_000;

/** What the bot itself gives to its next process, by name, through the SDK. */
export class BotState {
  readonly #hooks = new Map<string, HandoffHooks>();
  /** Came from the last process, or from several, and nobody has asked for it yet. */
  readonly #arrived = new Map<string, unknown[]>();

  /** @returns takes the hooks back @throws RangeError when the name is taken */
  readonly register = (name: string, hooks: HandoffHooks): (() => void) => {
    if (this.#hooks.has(name)) throw new RangeError(`lifecycle.onHandoff: "${name}" is registered already`);
    this.#hooks.set(name, hooks);
    if (this.#arrived.has(name)) void this.#import(name, hooks);
    return () => void this.#hooks.delete(name);
  };

  /** What fails, or is late, is left out. Never rejects. */
  async export(): Promise<Record<string, unknown>> {
    const entries = Array.from(
      this.#hooks,
      async ([name, hooks]) => [name, await this.#exportOne(name, hooks)] as const,
    );
    return Object.fromEntries((await Promise.all(entries)).filter(([, state]) => state !== undefined));
  }

  /** Gives it, process by process, to those who have registered; the others get it as they do. Never rejects. */
  async import(states: readonly Record<string, unknown>[]): Promise<void> {
    for (const [name, value] of states.flatMap((state) => Object.entries(state))) {
      this.#arrived.set(name, [...(this.#arrived.get(name) ?? []), value]);
    }
    await Promise.all(Array.from(this.#hooks, ([name, hooks]) => this.#import(name, hooks)));
  }

  async #exportOne(name: string, hooks: HandoffHooks): Promise<unknown> {
    try {
      const state = await inTime(EXPORT_TIMEOUT_MS, () => hooks.export());
      // What JSON cannot carry shall fail here, not in the stream.
      return state === undefined ? undefined : (JSON.parse(JSON.stringify(state)) as unknown);
    } catch (error) {
      console.error(`lifecycle.onHandoff "${name}": export failed, the next process starts without it:`, error);
      return undefined;
    }
  }

  async #import(name: string, hooks: HandoffHooks): Promise<void> {
    const states = this.#arrived.get(name) ?? [];
    this.#arrived.delete(name);
    const all = async (): Promise<void> => {
      for (const state of states) await this.#importOne(name, hooks, state);
    };
    await inTime(IMPORT_TIMEOUT_MS, all).catch((error: unknown) => {
      console.error(`lifecycle.onHandoff "${name}": import is ${(error as Error).message}, events come meanwhile`);
    });
  }

  async #importOne(name: string, hooks: HandoffHooks, state: unknown): Promise<void> {
    try {
      await hooks.import(state);
    } catch (error) {
      console.error(`lifecycle.onHandoff "${name}": import failed:`, error);
    }
  }
}

function inTime(ms: number, work: () => unknown): Promise<unknown> {
  const done = (async () => await work())();
  return within(ms, done, `not done within ${ms / 1_000} s`);
}
