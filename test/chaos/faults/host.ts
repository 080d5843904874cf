import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../support/until';
import type { Fault } from '../fault';
import type { Stage } from '../stage';

const HOUR_MS = 3_600_000;
const BLOCK = Buffer.alloc(256 * 1024, 1);

export const hostFaults: readonly Fault[] = [
  {
    name: 'host: disk full',
    incident: 'disk-low',
    also: ['redis-down'],
    visibleAfterMs: 3_000,
    lastsMs: 10_000,
    recoversMs: 60_000,
    identifies: 0,
    // What cannot be kept is not acknowledged.
    mayLose: true,
    alone: true,
    inject: (stage) => {
      if (!stage.hasOwnDisk) throw new Error('not run: it takes root to make a small disk');
      const file = join(stage.botctl.stateDir, 'filler');
      const fd = openSync(file, 'w');
      try {
        for (;;) writeSync(fd, BLOCK);
      } catch {
        // it is full now
      } finally {
        closeSync(fd);
      }
      return Promise.resolve(() => rmSync(file, { force: true }));
    },
  },
  {
    name: 'host: clock set 1 h ahead, then back',
    incident: null,
    visibleAfterMs: 0,
    lastsMs: 20_000,
    recoversMs: 30_000,
    identifies: 0,
    mayLose: false,
    alone: true,
    inject: async (stage) => {
      stage.setClock(HOUR_MS);
      await until(() => loggedUntil(stage) > Date.now() + HOUR_MS / 2, { what: () => 'the clock was not set' });
      return () => stage.setClock(0);
    },
  },
];

/** Time of the last line of the supervisor's log, by its own clock, ms since the epoch. */
function loggedUntil(stage: Stage): number {
  const [, time = ''] = [...stage.botctl.logs().matchAll(/"time":"([^"]+)"/g)].at(-1) ?? [];
  return Date.parse(time);
}
