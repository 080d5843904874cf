import { FAULTS } from './faults';
import { Stage } from './stage';
import { judge, tryFaults, type Trial } from './trial';
import type { Fault } from './fault';

/** The short form of `npm run chaos`: one fault of each kind that is over soon. */
const SHORT = ['cluster: kill -9', 'shard: connection drops', 'Redis: kill -9'];

/** Found where the processors are taken, and rightly: the limits of the stage are a tenth of the usual. */
const SLOWNESS = ['pool-exhausted', 'slow-responses', 'event-loop-lag'];

/** Times are for the long form, which is not run beside other tests. */
function isOfTheMachine(text: string): boolean {
  const [what, found = ''] = text.split('incidents without a cause: ');
  return text.startsWith('detected after') || (what === '' && found.split(', ').every((one) => SLOWNESS.includes(one)));
}

function fault(name: string): Fault {
  const found = FAULTS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no fault ${name}`);
  return found;
}

describe('the whole system under faults', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await new Stage().start();
  }, 180_000);
  afterAll(() => stage.end(), 60_000);

  it.each(SHORT)(
    '%s',
    async (name) => {
      const { faults, ...trial } = await tryFaults(stage, [fault(name)]);
      expect({ ...trial, faults: faults.filter((text) => !isOfTheMachine(text)) }).toMatchObject({ faults: [] });
    },
    240_000,
  );
});

describe('the verdict on a trial', () => {
  const well: Trial = {
    name: 'x',
    detectedMs: 900,
    allowedMs: 6_000,
    incidents: ['cluster-crash cluster:1'],
    told: [1],
    actions: [],
    recoveredMs: 1_000,
    lost: 0,
    doubled: 0,
    identifies: 2,
    violations: 0,
    writesLost: 0,
    writesDoubled: 0,
    leftOpen: [],
    faults: [],
  };
  const crash = { ...fault('cluster: kill -9'), mayLose: false };
  const incident = { type: 'cluster-crash' } as const;

  it.each<[string, Partial<Trial>, readonly { type: 'cluster-crash' | 'disk-low' }[], RegExp | null]>([
    ['all as it must be', {}, [incident], null],
    ['not found', { detectedMs: null }, [], /not detected/],
    ['found late', { detectedMs: 7_000 }, [incident], /detected after 7000 ms/],
    ['found twice', { told: [1, 1] }, [incident, incident], /2 incidents of cluster-crash for 1 cause/],
    ['something else was found', {}, [incident, { type: 'disk-low' }], /without a cause: disk-low/],
    ['told twice', { told: [2] }, [incident], /told 2 times/],
    ['nobody was told', { told: [0] }, [incident], /told 0 times/],
    ['not recovered', { recoveredMs: null }, [incident], /not recovered/],
    ['it is never over', { leftOpen: ['error-rate bot'] }, [incident], /still open: error-rate bot/],
    ['events lost', { lost: 3 }, [incident], /3 events lost/],
    ['events doubled', { doubled: 1 }, [incident], /handled twice/],
    ['too many identifies', { identifies: 3 }, [incident], /3 identifies, at most 2/],
    ['identify violations', { violations: 1 }, [incident], /1 identify violations/],
    ['an acknowledged write is gone', { writesLost: 1 }, [incident], /1 acknowledged writes lost/],
    ['a write was done twice', { writesDoubled: 1 }, [incident], /1 writes done twice/],
  ])('%s', (_, change, incidents, expected) => {
    const problems = judge({ ...well, ...change }, [crash], incidents);
    if (expected === null) expect(problems).toEqual([]);
    else expect(problems.join('; ')).toMatch(expected);
  });
});
