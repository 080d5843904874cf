import { judge, newStanding, type HealthState, type Standing } from '../../src/health/standing';

const THRESHOLDS = { failures: 3, successes: 2 };

/** States after each result: `.` a success, `x` a failure. */
function states(results: string): HealthState[] {
  let standing: Standing = newStanding(0);
  return Array.from(results, (result, at) => {
    standing = judge(standing, result === '.', THRESHOLDS, at + 1);
    return standing.state;
  });
}

test.each<[string, string]>([
  ['.', 'h'],
  ['xx', 'uu'],
  ['xxx', 'uu!'],
  ['x.', 'uh'],
  ['.xx.xx.xx.xx.', 'hhhhhhhhhhhhh'], // flapping below the threshold changes nothing
  ['.xxx', 'hhh!'],
  ['.xxxx', 'hhh!!'],
  ['.xxx.', 'hhh!!'],
  ['.xxx..', 'hhh!!h'],
  ['.xxx.x.x.', 'hhh!!!!!!'], // nor does flapping in bad times
  ['.xxx.x..', 'hhh!!!!h'],
  ['.xxx..xx.xxx', 'hhh!!hhhhhh!'],
])('%s leads to %s', (results, expected) => {
  const names: Record<string, HealthState> = { u: 'unknown', h: 'healthy', '!': 'unhealthy' };
  expect(states(results)).toEqual(Array.from(expected, (letter) => names[letter]));
});

test('a state has begun when it changed, not when it was last seen', () => {
  let standing = newStanding(5);
  for (const [at, ok] of [
    [10, true],
    [20, true],
    [30, false],
    [40, false],
  ] as const) {
    standing = judge(standing, ok, THRESHOLDS, at);
  }
  expect(standing).toEqual({ state: 'healthy', failures: 2, successes: 0, since: 10 });
  expect(judge(standing, false, THRESHOLDS, 50)).toEqual({ state: 'unhealthy', failures: 3, successes: 0, since: 50 });
});

test('thresholds of one change with each result', () => {
  const once = { failures: 1, successes: 1 };
  const bad = judge(newStanding(0), false, once, 1);
  expect([bad.state, judge(bad, true, once, 2).state]).toEqual(['unhealthy', 'healthy']);
});
