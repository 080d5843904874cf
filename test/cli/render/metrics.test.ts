import type { MetricRange } from '../../../src/control/contract';
import { formatValue, renderMetric, renderMetricList } from '../../../src/cli/render/metrics';
import { sparkline } from '../../../src/cli/render/sparkline';

const PLAIN = { color: false, unicode: true, width: 60 };

function aRange(facts: Partial<MetricRange> = {}): MetricRange {
  return {
    name: 'shard_ping_seconds',
    kind: 'gauge',
    unit: 'seconds',
    help: 'Round trip.',
    stat: 'mean',
    from: new Date(2026, 0, 1, 12, 0).getTime(),
    to: new Date(2026, 0, 1, 12, 4).getTime(),
    stepMs: 60_000,
    total: 2,
    series: [
      { labels: { shard: '2' }, value: 0.05, points: [null, 0.025, 0.05, 0.1] },
      { labels: { shard: '10' }, value: null, points: [null, null, null, null] },
    ],
    ...facts,
  };
}

describe('sparkline', () => {
  it('begins at 0, unless there are smaller values', () => {
    expect(sparkline([0, 1, 2, 3.5, 7], 10, true)).toBe('▁▂▃▅█');
    expect(sparkline([-7, 0, 7], 10, true)).toBe('▁▅█');
    expect(sparkline([5, 5], 10, true)).toBe('██');
    expect(sparkline([0, 0], 10, true)).toBe('▁▁');
  });
  it('leaves blank what is not known, and fits into the width', () => {
    expect(sparkline([1, null, 1], 10, false)).toBe('# #');
    expect(sparkline([null, null], 10, false)).toBe('  ');
    const many = sparkline(
      Array.from({ length: 1_440 }, (_, index) => index),
      20,
      true,
    );
    expect([many.length, many[0], many.at(-1)]).toEqual([20, '▁', '█']);
  });
});

describe('renderMetric', () => {
  it('shows each series with its values and its curve, from the first value on', () => {
    expect(renderMetric(aRange(), PLAIN).split('\n')).toEqual([
      'shard_ping_seconds, mean, 12:01 to 12:04',
      'Round trip. One point: 1 min.',
      '',
      'SERIES       MEAN      LOW    HIGH     NOW',
      'shard 2   50.0 ms  25.0 ms  100 ms  100 ms  ▃▅█',
      'shard 10        –        –       –       –',
      '',
    ]);
  });
  it('says how many are left out, and when nothing fits', () => {
    expect(renderMetric(aRange({ total: 40 }), PLAIN)).toContain('and 38 series more: --top');
    expect(renderMetric(aRange({ series: [], total: 0 }), PLAIN)).toContain('No series fits.');
  });
  it('lets no label of a bot move the cursor', () => {
    const series = [{ labels: { of: 'a\u001b[2Jb\nc' }, value: 1, points: [1] }];
    const text = renderMetric(aRange({ series }), PLAIN);
    expect(text).toContain('of ab c');
    expect(text).not.toContain('\u001b');
  });
});

it('the list drops its widest columns where the screen is narrow', () => {
  const metric = {
    name: 'members',
    kind: 'gauge' as const,
    unit: 'count' as const,
    help: 'Members of all guilds.',
    labels: ['cluster'],
    series: 4,
    stats: ['mean'],
  };
  const list = { retentionSeconds: 86_400, metrics: [metric] };
  expect(renderMetricList(list, PLAIN)).toContain('Members of all guilds.');
  expect(renderMetricList(list, { ...PLAIN, width: 30 })).not.toContain('Members of all guilds.');
});

it.each([
  [null, 'count', 'mean', '–'],
  [0.0004, 'seconds', 'p99', '400 µs'],
  [0.0421, 'seconds', 'p99', '42.1 ms'],
  [0.5, 'seconds', 'p99', '500 ms'],
  [2.345, 'seconds', 'p99', '2.3 s'],
  [7_200, 'seconds', 'max', '2 h'],
  [0.25, 'ratio', 'rate', '25.0 %'],
  [1.5e9, 'bytes', 'mean', '1.4 GB'],
  [1_234_567, 'count', 'increase', '1,234,567'],
  [8.0642, 'count', 'rate', '8.06/s'],
] as const)('%p %s, %s: %s', (value, unit, stat, text) => {
  expect(formatValue(value, unit, stat)).toBe(text);
});
