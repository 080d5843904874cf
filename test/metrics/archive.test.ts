import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MetricArchive, Metrics, type Stat } from '../../src/metrics';
import { aSample, HOUR, MINUTE, readings, sketch, START } from './fleet';

let dir: string;
let now: number;
let errors: unknown[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'botctl-metrics-'));
  now = START;
  errors = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** What one supervisor has. */
async function supervisor(): Promise<{ metrics: Metrics; archive: MetricArchive }> {
  const metrics = new Metrics({ version: '1.2.3', maxBytes: 64e6, now: () => now });
  const archive = metrics.archive(dir, (error) => errors.push(error));
  await archive.load();
  return { metrics, archive };
}

let seq = 0;
let messages = 0;
const responses: number[] = [];

/** One report: 60 messages more, memory as given, one response more. */
function report(metrics: Metrics, memory: number): void {
  messages += 60;
  responses.push(0.04);
  metrics.take(
    { cluster: 0, incarnation: 'a', adopted: false },
    aSample({
      seq: ++seq,
      at: now,
      rssBytes: memory,
      readings: readings({
        counters: [
          { name: 'messages_total', value: messages },
          { name: 'bot_orders_total', labels: { shop: 'a' }, value: messages },
        ],
        sketches: [{ name: 'interaction_response_seconds', ...sketch(responses) }],
      }),
    }),
  );
}

function points(metrics: Metrics, name: string, stat: Stat, hours = 3): (number | null)[] {
  const { series } = metrics.queries.range({ name, stat, by: [], from: now - hours * HOUR, to: now, stepMs: HOUR });
  return series[0]?.points ?? [];
}

const NAMES: [string, Stat][] = [
  ['messages_total', 'increase'],
  ['bot_orders_total', 'increase'],
  ['cluster_resident_memory_bytes', 'max'],
  ['cluster_resident_memory_bytes', 'mean'],
  ['interaction_response_seconds', 'count'],
  ['interaction_response_seconds', 'p95'],
];

test('a new supervisor knows what the one before it knew, minute by minute', async () => {
  const first = await supervisor();
  for (let minute = 0; minute < 150; minute++) {
    now += MINUTE;
    report(first.metrics, minute % 7 === 0 ? 2e8 : 1e8);
    first.metrics.tick();
    first.archive.tick();
  }
  await first.archive.flush();
  expect(errors).toEqual([]);
  const second = await supervisor();
  for (const [name, stat] of NAMES)
    expect(points(second.metrics, name, stat)).toEqual(points(first.metrics, name, stat));
  // Prometheus expects a new process to count anew.
  expect(second.metrics.queries.latest('messages_total')).toMatchObject([{ value: 0 }]);
  expect(second.metrics.queries.latest('cluster_resident_memory_bytes')).toEqual([]);
});

test('it goes on in the same hour, and a third one has both', async () => {
  const first = await supervisor();
  report(first.metrics, 1e8);
  await first.archive.flush();
  now += 5 * MINUTE;
  const second = await supervisor();
  second.metrics.take({ cluster: 0, incarnation: 'b', adopted: false }, aSample({ seq: 1, at: now }));
  messages = 0;
  now += MINUTE;
  report(second.metrics, 3e8);
  await second.archive.flush();
  const third = await supervisor();
  expect(points(third.metrics, 'cluster_resident_memory_bytes', 'max', 1)).toEqual(
    points(second.metrics, 'cluster_resident_memory_bytes', 'max', 1),
  );
  expect(points(third.metrics, 'interaction_response_seconds', 'count', 1)).toEqual(
    points(second.metrics, 'interaction_response_seconds', 'count', 1),
  );
});

test('hours that are over a day old go; files are ours alone', async () => {
  const { metrics, archive } = await supervisor();
  for (let hour = 0; hour < 30; hour++) {
    report(metrics, 1e8);
    metrics.tick();
    await archive.flush();
    now += HOUR;
  }
  const files = readdirSync(dir);
  expect(files).toHaveLength(25);
  for (const name of files) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
  now += 26 * HOUR;
  const late = await supervisor();
  expect(points(late.metrics, 'messages_total', 'increase', 23).every((value) => !value)).toBe(true);
});

test('a file that is cut off, of another version, or none of ours is left out; the others are read', async () => {
  const { metrics, archive } = await supervisor();
  for (let hour = 0; hour < 3; hour++) {
    report(metrics, 1e8);
    metrics.tick();
    await archive.flush();
    now += HOUR;
  }
  const [oldest] = readdirSync(dir).sort();
  truncateSync(join(dir, oldest!), 20);
  writeFileSync(join(dir, 'notes.txt'), 'not ours');
  const next = await supervisor();
  expect(errors).toHaveLength(1);
  const known = points(next.metrics, 'messages_total', 'increase');
  expect(known.filter((value) => (value ?? 0) > 0)).toHaveLength(2);
  await next.archive.flush();
  expect(readdirSync(dir)).toContain('notes.txt');
});

test('a disk that cannot be written is told and harms nothing', async () => {
  const { metrics, archive } = await supervisor();
  rmSync(dir, { recursive: true });
  writeFileSync(dir, 'a file in the place of the folder');
  report(metrics, 1e8);
  await archive.flush();
  expect(errors).toHaveLength(1);
  expect(metrics.queries.latest('messages_total')).toHaveLength(1);
});
