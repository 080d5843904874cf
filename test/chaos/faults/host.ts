import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Fault } from '../fault';

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
    inject: (stage) => {
      stage.setClock(3_600_000);
      return Promise.resolve(() => stage.setClock(0));
    },
  },
];
