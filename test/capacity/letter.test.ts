import { forecast } from '../../src/capacity/forecast';
import { letterOf } from '../../src/capacity/letter';
import type { CapacityReport, Recommendation } from '../../src/capacity/report';
import { resourceOf, type ResourceName } from '../../src/capacity/resource';
import { history, NOW, straight } from './support/curves';

const resource = (
  name: ResourceName,
  scope: string,
  from: number,
  to: number,
  limit: number | null,
  hours?: number,
) => {
  const { title, unit } = resourceOf(name);
  const points = history(straight(from, to), hours);
  return {
    ...{ resource: name, scope, title, unit, value: to, usual: to, limit, detail: null, seenAt: NOW, outlook: [] },
    forecast: limit === null ? null : forecast(points, NOW, [0.8 * limit, limit]),
    history: { from: NOW, stepMs: 1, points: [] },
  };
};

const report = (recommendations: Recommendation[]): CapacityReport => ({
  ...{ at: NOW, since: null, keptIn: 'postgres', unwrittenHours: 0, problem: null, threshold: 0.8, recommendations },
  resources: [
    resource('guilds-per-shard', 'bot', 1_150, 1_900, 2_500),
    resource('database-size', 'db:2', 40e9, 40e9, 100e9),
    resource('connections', 'db:0', 10, 12, 100, 24),
    resource('memory', 'host', 1e9, 2e9, null),
  ],
});

test('the weekly report says what to change, what it costs, and how near each limit is', () => {
  const { title, text } = letterOf(
    report([
      {
        ...{ resource: 'guilds-per-shard', scope: 'bot', urgency: 'soon', why: 'the fullest shard has 1,900 guilds' },
        change: { where: 'config', key: 'sharding.totalShards', from: 'auto (4)', to: '6' },
        how: 'botctl scale --shards 6',
        cost: { processes: 1, memoryBytes: 1.2e9, identifies: 6 },
      },
    ]),
    'my-bot',
  );
  expect(title).toBe('Capacity of my-bot: 1 change to make');
  expect(text.split('\n')).toEqual([
    '- the fullest shard has 1,900 guilds',
    '  sharding.totalShards: auto (4) -> 6 (1 more process, up to 1.1 GB of memory, 6 identifies)',
    '  botctl scale --shards 6',
    expect.stringMatching(/^guilds per shard: 1,900 of 2,500 \(76 %\), full in 24 days \(\d{4}-\d\d-\d\d\)$/),
    expect.stringMatching(/^database size \(db:2\): 37\.3 GB of 93\.1 GB \(40 %\), steady$/),
    expect.stringMatching(/^.* \(db:0\): 12 of 100 \(12 %\), too little history$/),
  ]);
});

test('a week with nothing to do says so', () => {
  expect(letterOf(report([]), 'my-bot').title).toBe('Capacity of my-bot: nothing to do');
});
