import type { Fault } from '../fault';

const NO_UNDO = (): void => undefined;
const QUIET = { identifies: 0, mayLose: true, needsTraffic: true } as const;

export const restFaults: readonly Fault[] = [
  {
    ...QUIET,
    name: 'REST: storm of 429',
    incident: 'rest-429-storm',
    also: ['error-rate', 'slow-responses', 'invalid-requests'],
    // Fifty of them are a storm.
    visibleAfterMs: 6_000,
    lastsMs: 12_000,
    recoversMs: 90_000,
    inject: (stage) => {
      stage.sandbox.fault('rest-429', { seconds: 12, path: '/interactions' });
      return Promise.resolve(NO_UNDO);
    },
  },
  {
    ...QUIET,
    name: 'REST: 503 for everything',
    incident: 'error-rate',
    also: ['slow-responses'],
    visibleAfterMs: 5_000,
    lastsMs: 12_000,
    recoversMs: 90_000,
    inject: (stage) => {
      stage.sandbox.fault('rest-error', { status: 503, seconds: 12, path: '/interactions' });
      return Promise.resolve(NO_UNDO);
    },
  },
  {
    ...QUIET,
    name: 'REST: answers after 8 s',
    incident: 'slow-responses',
    also: ['error-rate'],
    visibleAfterMs: 12_000,
    lastsMs: 15_000,
    recoversMs: 100_000,
    inject: (stage) => {
      stage.sandbox.fault('rest-slow', { ms: 8_000, seconds: 15, path: '/interactions' });
      return Promise.resolve(NO_UNDO);
    },
  },
];
