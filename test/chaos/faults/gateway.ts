import { SHARDS } from '../stage';
import type { Fault } from '../fault';

const NO_UNDO = (): void => undefined;

export const gatewayFaults: readonly Fault[] = [
  {
    name: 'shard: connection drops',
    incident: null,
    visibleAfterMs: 0,
    lastsMs: 0,
    recoversMs: 15_000,
    identifies: 0,
    mayLose: false,
    inject: (stage) => {
      stage.sandbox.fault('drop', { shard: 3, terminate: true });
      return Promise.resolve(NO_UNDO);
    },
  },
  {
    name: 'shard: zombie for 5 s',
    incident: null,
    // Should its RESUME fall into these seconds, nobody answers it.
    also: ['shard-stuck'],
    visibleAfterMs: 2_000,
    lastsMs: 5_000,
    recoversMs: 20_000,
    identifies: 0,
    mayLose: false,
    inject: (stage) => {
      stage.sandbox.fault('deaf', { shard: 5, seconds: 5 });
      return Promise.resolve(NO_UNDO);
    },
  },
  {
    name: 'shard: zombie for 20 s',
    incident: 'shard-stuck',
    also: ['shard-disconnects'],
    visibleAfterMs: 8_500,
    lastsMs: 20_000,
    recoversMs: 45_000,
    identifies: 1,
    mayLose: true,
    inject: (stage) => {
      stage.sandbox.fault('deaf', { shard: 6, seconds: 20 });
      return Promise.resolve(NO_UNDO);
    },
  },
  {
    name: 'shard: invalid session (op 9)',
    incident: null,
    visibleAfterMs: 0,
    lastsMs: 0,
    recoversMs: 20_000,
    identifies: 1,
    // Discord has thrown the session away with what was in it.
    mayLose: true,
    inject: (stage) => {
      stage.sandbox.fault('invalidate', { shard: 2 });
      return Promise.resolve(NO_UNDO);
    },
  },
  {
    name: 'all shards: reconnect (op 7)',
    incident: null,
    also: ['shard-disconnects'],
    visibleAfterMs: 0,
    lastsMs: 0,
    recoversMs: 20_000,
    identifies: 0,
    mayLose: false,
    inject: (stage) => {
      stage.sandbox.fault('reconnect');
      return Promise.resolve(NO_UNDO);
    },
  },
  {
    name: 'guilds: half of them unavailable for 15 s',
    incident: 'guild-drop',
    // The next sample tells of it.
    visibleAfterMs: 1_000,
    lastsMs: 15_000,
    recoversMs: 20_000,
    identifies: 0,
    mayLose: false,
    inject: (stage) => {
      stage.sandbox.fault('guild-outage', { guilds: 40, seconds: 15 });
      return Promise.resolve(NO_UNDO);
    },
  },
  {
    // Five minutes at a tenth of the usual intervals.
    name: 'gateway: out for 30 s (5 min, 1:10)',
    incident: 'discord-outage',
    also: ['shard-disconnects'],
    visibleAfterMs: 500,
    lastsMs: 30_000,
    recoversMs: 60_000,
    identifies: SHARDS,
    mayLose: true,
    endsTraffic: true,
    inject: (stage) => {
      stage.sandbox.fault('outage', { seconds: 30, forgetSessions: true });
      return Promise.resolve(NO_UNDO);
    },
  },
];
