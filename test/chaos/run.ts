import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import setUpServers from '../setup/global';
import type { Fault } from './fault';
import { FAULTS } from './faults';
import { seeded, shuffled } from './random';
import { Stage } from './stage';
import { quiet, tryFaults, type Trial } from './trial';

const USAGE = `npm run chaos -- [--seed N] [--only TEXT] [--pairs N] [--quiet SECONDS] [--json]

Runs the whole system on the sandbox with real servers, does harm to it, and says what came of it: each fault by itself in
an order that the seed decides, then N pairs. --only 'TEXT + TEXT': one pair of these. Exit code 0: all as it must be, 1: not.`;

/** A trial takes no more actions of recovery than these: of all kinds, and of one kind. */
const MOST_ACTIONS = 8;
const MOST_OF_A_KIND = 3;
/** Of the log, when a trial has failed. */
const MOST_LINES = 200;

/** Runs all trials on one stage; a new one where a trial has left it in ruins, or recovery may not do much more this hour. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Date.now() % 100_000) },
      only: { type: 'string' },
      pairs: { type: 'string', default: '8' },
      quiet: { type: 'string', default: '180' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  setUpServers();
  const seed = Number(values.seed);
  const random = seeded(seed);
  const only = (values.only ?? '').split(' + ');
  const chosen = FAULTS.filter(({ name }) => only.some((text) => name.includes(text)));
  if (chosen.length === 0) {
    const names = FAULTS.map(({ name }) => `  ${name}`).join('\n');
    console.error(`No fault has "${values.only ?? ''}" in its name. There are:\n${names}`);
    return 2;
  }
  const isPair = only.length > 1;
  const singles = isPair ? [] : shuffled(chosen, random).map((fault) => [fault]);
  const orders = [...singles, ...pairsOf(chosen, isPair ? 1 : Number(values.pairs), random)];
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  say(`seed ${seed}: ${orders.length} trials`);

  const trials: Trial[] = [];
  let stage: Stage | null = null;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      console.log(table(trials));
      void Promise.resolve(stage?.end()).finally(() => process.exit(130));
    });
  }
  try {
    for (const faults of orders) {
      stage ??= await new Stage().start();
      const from = Date.now();
      const trial = await attempt(stage, faults);
      trials.push(trial);
      const failed = trial.faults.length > 0;
      say(`${failed ? 'FAIL' : 'ok  '} ${trial.name}${failed ? `: ${trial.faults.join('; ')}` : ''}`);
      if (failed) for (const line of stage.story(from).slice(-MOST_LINES)) say(`       ${line}`);
      if (trial.recoveredMs === null || (await isWorn(stage))) {
        await stage.end();
        stage = null;
      }
    }
    if (Number(values.quiet) > 0) {
      stage ??= await new Stage().start();
      trials.push(await quiet(stage, Number(values.quiet) * 1_000));
    }
  } finally {
    await stage?.end();
  }
  const failed = trials.filter(({ faults }) => faults.length > 0);
  if (values.json) console.log(JSON.stringify({ seed, failed: failed.length, trials }, null, 2));
  else {
    console.log(table(trials));
    for (const { name, faults } of failed) console.log(`${name}: ${faults.join('; ')}`);
    console.log(`${trials.length - failed.length} of ${trials.length} as they must be (seed ${seed})`);
  }
  return failed.length === 0 ? 0 : 1;
}

/** Faults of a month within an hour use up what recovery may do in one. */
async function isWorn(stage: Stage): Promise<boolean> {
  const { maxPerHour, usedThisHour, strategies } = await stage.recovery();
  const acting = strategies.filter(({ steps }) => steps.length > 0);
  return (
    maxPerHour - usedThisHour < MOST_ACTIONS ||
    acting.some((one) => one.usedThisHour > 0 && one.maxPerHour - one.usedThisHour < MOST_OF_A_KIND)
  );
}

/** A trial that cannot be run is one that has failed. */
async function attempt(stage: Stage, faults: readonly Fault[]): Promise<Trial> {
  try {
    return await tryFaults(stage, faults);
  } catch (error) {
    const [text = ''] = (error as Error).message.split('\n');
    return {
      name: faults.map(({ name }) => name).join(' + '),
      detectedMs: null,
      allowedMs: null,
      incidents: [],
      told: [],
      actions: [],
      recoveredMs: null,
      lost: 0,
      doubled: 0,
      identifies: 0,
      violations: 0,
      writesLost: 0,
      writesDoubled: 0,
      leftOpen: [],
      faults: [text],
    };
  }
}

function pairsOf(faults: readonly Fault[], count: number, random: () => number): Fault[][] {
  const able = faults.filter(({ alone }) => alone !== true);
  const pairs = able.flatMap((first, at) => able.slice(at + 1).map((second) => [first, second]));
  // Two of one kind would be one incident, or hide behind each other.
  const different = pairs.filter(([first, second]) => first?.name.split(':')[0] !== second?.name.split(':')[0]);
  const seen = different.filter((pair) => {
    return (
      !pair.some(({ endsTraffic }) => endsTraffic === true) || !pair.some(({ needsTraffic }) => needsTraffic === true)
    );
  });
  return shuffled(seen, random).slice(0, count);
}

function table(trials: readonly Trial[]): string {
  const rows = new Table({
    head: ['fault', 'detected', 'told once', 'incidents', 'actions', 'well again', 'lost', 'identifies', ''],
    style: { head: [], border: [] },
    wordWrap: true,
    colWidths: [30, 10, 10, 26, 34, 11, 6, 11, 6],
  });
  for (const trial of trials) {
    rows.push([
      trial.name,
      trial.detectedMs === null ? '-' : seconds(trial.detectedMs),
      trial.told.length === 0 ? '-' : trial.told.every((count) => count === 1) ? 'yes' : trial.told.join(', '),
      trial.incidents.join('\n') || '-',
      trial.actions.join('\n') || '-',
      trial.recoveredMs === null ? 'no' : seconds(trial.recoveredMs),
      trial.lost,
      trial.identifies,
      trial.faults.length === 0 ? 'ok' : 'FAIL',
    ]);
  }
  return rows.toString();
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
