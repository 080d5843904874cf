import type { HealthResult, HealthView } from '../../../src/health';
import { buildHealthStatus, healthProblems } from '../../../src/supervisor/health/status';

function result(check: string, id: number | null, state: HealthResult['state'], since = 0): HealthResult {
  const scope = id === null ? ({ kind: 'host' } as const) : ({ kind: 'shard', id } as const);
  return {
    check,
    scope,
    state,
    since,
    ok: state === 'healthy',
    answered: true,
    failures: 0,
    message: `m${id}`,
    lookedAt: 1,
    tookMs: 1,
  };
}

function view(results: HealthResult[]): HealthView {
  return { state: 'unhealthy', roundAt: 1, intervalMs: 30_000, results };
}

it('sums each check up, worst first, and names few of many', () => {
  const shards = Array.from({ length: 2_000 }, (_, id) => result('shards', id, id < 500 ? 'unhealthy' : 'healthy', id));
  const { checks } = buildHealthStatus(
    view([result('disk', null, 'healthy'), result('memory', null, 'unknown'), ...shards]),
  );
  expect(
    checks.map(({ name, state, scopes, unhealthy, failing, named }) => [
      name,
      state,
      scopes,
      unhealthy,
      failing,
      named.length,
    ]),
  ).toEqual([
    ['shards', 'unhealthy', 2_000, 500, 0, 20],
    ['memory', 'unknown', 1, 0, 1, 0],
    ['disk', 'healthy', 1, 0, 0, 0],
  ]);
  expect(checks[0]).toMatchObject({
    since: 0,
    message: 'm0',
    named: [{ scope: 'shard 0' }, { scope: 'shard 1' }, ...Array<object>(18).fill({})],
  });
  expect(JSON.stringify(checks).length).toBeLessThan(3_000);
});

it('tells each trouble once: what other problems say is left out', () => {
  const results = [0, 1, 2, 3, 4, 5].map((id) => result('shards', id, 'unhealthy'));
  const said = (_: string, scope: HealthResult['scope']): boolean => scope.kind === 'shard' && scope.id < 2;
  expect(healthProblems(view([...results, result('disk', null, 'unhealthy')]), said)).toEqual([
    'Unhealthy: shards: shard 2: m2; shard 3: m3; shard 4: m4; and 1 more.',
    'Unhealthy: disk: host: mnull.',
  ]);
  expect(healthProblems(null, said)).toEqual([]);
});
