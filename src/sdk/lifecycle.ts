import type { Degradation } from '../ipc/remedies';
import type { DegradedHandler, DrainHandler, HandoffHooks, MemoryPressureHandler } from '../ipc/sdk-bridge';
import { bridge } from './bridge';

/** The state under which hooks without a name go over. */
const DEFAULT_NAME = 'bot';

/**
 * What botctl tells the bot about the process and what it depends on. Handlers may be async; what they throw is logged and
 * changes nothing. Each registration returns a function that takes the handler back. Without botctl none is ever called.
 */
export const lifecycle = {
  /** Memory is short: let go of what can be had again. Before the process is replaced for it. Awaited for 5 s. */
  onMemoryPressure(handler: MemoryPressureHandler): () => void {
    return add(bridge()?.lifecycle?.memoryPressureHandlers, handler);
  },

  /** The process is about to be stopped or replaced, its connections still stand: take no more long work. Awaited for 1 s. */
  onDrain(handler: DrainHandler): () => void {
    return add(bridge()?.lifecycle?.drainHandlers, handler);
  },

  /**
   * Gives the bot's own state (counters, running games, when timers are due) to the process that takes over from this
   * one; sessions and caches go over by themselves. Collectors, timers and voice connections cannot: note in `export`
   * what is needed to begin them anew in `import`.
   *
   * `export` is called when the last event has come, `import` before the first event of the new process, with what JSON
   * has made of the state; without one it is not called (a first start, a restart, a crash). No event is dispatched
   * between the two, so be quick: it goes on without what is not exported within 1 s, or not imported within 5 s.
   * What they throw is logged and changes nothing.
   * @param hooks `name` tells several registrations apart, and must be the same in the next process
   * @returns a function that takes the hooks back
   * @throws RangeError when the name is taken
   */
  onHandoff(hooks: HandoffHooks & { name?: string }): () => void {
    return bridge()?.handoff?.register(hooks.name ?? DEFAULT_NAME, hooks) ?? (() => undefined);
  },

  /** A dependency has failed, or serves again; see `degraded` for the names. */
  onDegraded(handler: DegradedHandler): () => void {
    return add(bridge()?.lifecycle?.degradedHandlers, handler);
  },

  /**
   * Does this not serve at the moment? `db:2` (a database shard), `redis`, `rest:POST /channels/:id/messages` (a kind of
   * REST call), `rest` (any of them), `discord` (an outage). Costs a look into a map: ask before each piece of work.
   */
  degraded(name: string): boolean {
    const found = bridge()?.lifecycle?.degradations();
    if (found === undefined) return false;
    return found.has(name) || (name === 'rest' && [...found.keys()].some((key) => key.startsWith('rest:')));
  },

  /** All that does not serve at the moment, and why. */
  degradations(): Degradation[] {
    const found = bridge()?.lifecycle?.degradations() ?? new Map<string, string>();
    return [...found].map(([name, reason]) => ({ name, reason }));
  },
};

function add<T>(handlers: Set<T> | undefined, handler: T): () => void {
  handlers?.add(handler);
  return () => void handlers?.delete(handler);
}
