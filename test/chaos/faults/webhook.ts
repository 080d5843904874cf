import type { Fault } from '../fault';
import type { Stage } from '../stage';

/** With somebody to tell of: the endpoint fails, and at the same time a cluster dies. */
function failing(name: string, fail: (stage: Stage) => Promise<() => Promise<void> | void>): Fault {
  return {
    name: `webhook: ${name}, and a cluster dies`,
    incident: 'cluster-crash',
    visibleAfterMs: 0,
    lastsMs: 3_000,
    recoversMs: 30_000,
    identifies: 2,
    mayLose: true,
    alone: true,
    inject: async (stage) => {
      const undo = await fail(stage);
      process.kill(await stage.clusterPid(3), 'SIGKILL');
      return undo;
    },
  };
}

export const webhookFaults: readonly Fault[] = [
  failing('dead', async ({ sink }) => {
    await sink.die();
    return async () => {
      await sink.listen();
    };
  }),
  failing('slow', ({ sink }) => {
    sink.mode = 'slow';
    return Promise.resolve(() => sink.recover());
  }),
  failing('429', ({ sink }) => {
    sink.mode = 'busy';
    return Promise.resolve(() => sink.recover());
  }),
];
