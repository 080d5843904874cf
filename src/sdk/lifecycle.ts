import type { Degradation } from '../ipc/remedies';
import type { DegradedHandler, DrainHandler, MemoryPressureHandler } from '../ipc/sdk-bridge';
import { bridge } from './bridge';

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
