import type { HandoffHooks, SdkBridge } from '../ipc/sdk-bridge';

export type { HandoffHooks };

/** The state under which hooks without a name go over. */
const DEFAULT_NAME = 'bot';

/**
 * What the bot can do about the changes in its process's life. `bridge`: to the agent, null without botctl, where the
 * hooks are simply never called.
 */
export function createLifecycle(bridge: () => SdkBridge | null) {
  return {
    /**
     * Gives the bot's own state (counters, running games, when timers are due) to the process that takes over from this
     * one; sessions and caches go over by themselves. Collectors, timers and voice connections cannot: note in `export`
     * what is needed to begin them anew in `import`.
     *
     * `export` is called when the last event has come, `import` before the first event of the new process, with what JSON
     * has made of the state; without one it is not called (a first start, a restart, a crash). No event is dispatched
     * between the two, so be quick: after 1 s it goes on without. What they throw is logged and changes nothing.
     * @param hooks `name` tells several registrations apart, and must be the same in the next process
     * @returns a function that takes the hooks back
     * @throws RangeError when the name is taken
     */
    onHandoff(hooks: HandoffHooks & { name?: string }): () => void {
      return bridge()?.handoff?.register(hooks.name ?? DEFAULT_NAME, hooks) ?? (() => undefined);
    },
  };
}
