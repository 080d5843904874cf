import { HangDetector } from '../../../src/sharding/cluster/hang-detector';
import { FakeClock } from '../../support/fake-clock';

describe('HangDetector', () => {
  let clock: FakeClock;
  let pings: number[];
  let hung: number[];
  let detector: HangDetector;

  beforeEach(() => {
    clock = new FakeClock();
    pings = [];
    hung = [];
    detector = new HangDetector({
      clock,
      timeoutMs: 30_000,
      ping: (id) => pings.push(id),
      onHung: (silentMs) => hung.push(silentMs),
    });
  });

  test('tells once when a loop has been silent for the time-out', async () => {
    await clock.advance(29_999);
    expect(hung).toEqual([]);
    await clock.advance(1);
    expect(hung).toEqual([30_000]);
    await clock.advance(120_000);
    expect(hung).toHaveLength(1);
    expect(pings).toEqual([1, 2, 3, 4, 5]);
  });

  test('any sign of life counts', async () => {
    for (let i = 0; i < 20; i++) {
      await clock.advance(20_000);
      detector.alive();
    }
    expect(hung).toEqual([]);
  });

  test('does not blame the cluster for the time in which the supervisor itself was stopped', async () => {
    const nap = { ms: 0 };
    const sleepy = new HangDetector({
      clock: { now: () => clock.now() + nap.ms, after: (ms, fn) => clock.after(ms, fn) },
      timeoutMs: 30_000,
      ping: () => undefined,
      onHung: (silentMs) => hung.push(silentMs),
    });
    detector.stop();
    nap.ms = 3_600_000;
    await clock.advance(10_000);
    expect(hung).toEqual([]);
    sleepy.alive();
    await clock.advance(30_000);
    expect(hung).toEqual([30_000]);
  });
});
