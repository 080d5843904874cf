import type { HandoffHooks } from '../../ipc/sdk-bridge';

/** The bot's own state may take so long to be exported, ms: no event is dispatched meanwhile. */
const EXPORT_TIMEOUT_MS = 1_000;

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
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not done within ${EXPORT_TIMEOUT_MS} ms`)), EXPORT_TIMEOUT_MS);
      });
      const state = await Promise.race([Promise.resolve().then(() => hooks.export()), late]);
      // What JSON cannot carry shall fail here, not in the stream.
      return state === undefined ? undefined : (JSON.parse(JSON.stringify(state)) as unknown);
    } catch (error) {
      console.error(`lifecycle.onHandoff "${name}": export failed, the next process starts without it:`, error);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  async #import(name: string, hooks: HandoffHooks): Promise<void> {
    const states = this.#arrived.get(name) ?? [];
    this.#arrived.delete(name);
    for (const state of states) {
      try {
        await hooks.import(state);
      } catch (error) {
        console.error(`lifecycle.onHandoff "${name}": import failed:`, error);
      }
    }
  }
}
