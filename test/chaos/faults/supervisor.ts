import type { Fault } from '../fault';

const QUIET = { identifies: 0, mayLose: false, incident: null, visibleAfterMs: 0 } as const;

export const supervisorFaults: readonly Fault[] = [
  {
    ...QUIET,
    name: 'supervisor: kill -9, started again',
    lastsMs: 0,
    recoversMs: 40_000,
    alone: true,
    inject: async (stage) => {
      const status = await stage.status();
      process.kill(status?.supervisor.pid ?? 0, 'SIGKILL');
      stage.startSupervisor();
      return () => undefined;
    },
  },
  {
    ...QUIET,
    // A stopped process sees its clock jump when it goes on.
    name: 'supervisor: frozen for 6 s (clock jump)',
    lastsMs: 6_000,
    recoversMs: 30_000,
    alone: true,
    inject: async (stage) => {
      const pid = (await stage.status())?.supervisor.pid ?? 0;
      process.kill(pid, 'SIGSTOP');
      return () => {
        process.kill(pid, 'SIGCONT');
      };
    },
  },
];
