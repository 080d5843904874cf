import { RestartPolicy } from '../../../src/sharding/cluster/restart-policy';

const OPTIONS = {
  backoffMinMs: 1_000,
  backoffMaxMs: 60_000,
  jitter: 0.2,
  maxRestarts: 5,
  windowMs: 300_000,
  crashLoopRetryMs: 600_000,
  stableAfterMs: 60_000,
  random: () => 0.5,
};

describe('RestartPolicy', () => {
  test('doubles the delay with each death, then holds the cluster in a crash loop', () => {
    const policy = new RestartPolicy(OPTIONS);
    const decisions = Array.from({ length: 7 }, (_, i) => policy.onDeath(i * 1_000, 0));
    expect(decisions).toEqual([
      { state: 'backoff', delayMs: 1_000, deaths: 1 },
      { state: 'backoff', delayMs: 2_000, deaths: 2 },
      { state: 'backoff', delayMs: 4_000, deaths: 3 },
      { state: 'backoff', delayMs: 8_000, deaths: 4 },
      { state: 'backoff', delayMs: 16_000, deaths: 5 },
      { state: 'crash-loop', delayMs: 600_000, deaths: 6 },
      { state: 'crash-loop', delayMs: 600_000, deaths: 7 },
    ]);
  });

  test('a cluster that had served is started again at once, the first time', () => {
    const policy = new RestartPolicy(OPTIONS);
    expect(policy.onDeath(0, 5_000)).toEqual({ state: 'backoff', delayMs: 0, deaths: 1 });
    expect(policy.onDeath(10, 5_000)).toEqual({ state: 'backoff', delayMs: 1_000, deaths: 2 });
    expect(policy.onDeath(300_011, 5_000)).toEqual({ state: 'backoff', delayMs: 0, deaths: 1 });
  });

  test('deaths outside the window are forgotten', () => {
    const policy = new RestartPolicy(OPTIONS);
    for (let i = 0; i < 6; i++) policy.onDeath(i, 0);
    expect(policy.onDeath(300_006, 0)).toMatchObject({ state: 'backoff', deaths: 1 });
  });

  test('a cluster that was stable starts again from the smallest delay', () => {
    const policy = new RestartPolicy(OPTIONS);
    policy.onDeath(0, 0);
    policy.onDeath(1, 0);
    expect(policy.onDeath(70_000, 60_000).delayMs).toBe(1_000);
  });

  test('an operator forgives the past', () => {
    const policy = new RestartPolicy(OPTIONS);
    for (let i = 0; i < 6; i++) policy.onDeath(i, 0);
    policy.reset();
    expect(policy.onDeath(10, 0)).toEqual({ state: 'backoff', delayMs: 1_000, deaths: 1 });
  });

  test('jitter spreads the delays by its share both ways', () => {
    const delays = [0, 0.25, 0.75, 1].map((value) => {
      return new RestartPolicy({ ...OPTIONS, random: () => value }).onDeath(0, 0).delayMs;
    });
    expect(delays).toEqual([800, 900, 1_100, 1_200]);
  });
});
