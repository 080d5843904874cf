import { forecast, outlook, type Trend } from '../../src/capacity/forecast';
import { BEGIN, daysUntil, history, normal, noisy, NOW, randomOf, straight, type Curve } from './support/curves';

const LIMIT = 100;

function trendOf(curve: Curve, hours?: number): Trend {
  const found = forecast(history(curve, hours), NOW, [LIMIT]);
  if (found.kind !== 'trend') throw new Error(`too little: ${found.days} days`);
  return found;
}

/** Days until the limit; NaN: not foreseen. */
function fullIn(curve: Curve): number {
  return daysUntil(trendOf(curve).meetings[0]?.at);
}

/** How far off the dates are, as shares of the true time, over so many seeds. A date that is not foreseen is infinitely off. */
function errors(seeds: number, trueDays: number, curve: (random: () => number) => Curve): number[] {
  return Array.from({ length: seeds }, (_, seed) => {
    const days = fullIn(curve(randomOf(seed * 7_919 + 1)));
    return Number.isNaN(days) ? Infinity : Math.abs(days - trueDays) / trueDays;
  }).sort((a, b) => a - b);
}

function within(errorsFound: readonly number[], bound: number): number {
  return errorsFound.filter((error) => error <= bound).length / errorsFound.length;
}

describe('forecast of a series whose answer is known', () => {
  test('linear, without noise: the very day', () => {
    const found = trendOf(straight(40, 60));
    expect(daysUntil(found.meetings[0]?.at)).toBeCloseTo(60, 0);
    expect(found.perDay).toBeCloseTo(20 / 30, 3);
    expect(found.level).toBeCloseTo(60, 0);
  });

  test('linear with 20 % noise on every hour: within 10 % of the date, for as far ahead as the history goes back', () => {
    const found = errors(100, 30, (random) => noisy(straight(10, 55), 0.2, random));
    expect(within(found, 0.1)).toBeGreaterThanOrEqual(0.95);
    expect(found[Math.floor(found.length / 2)]).toBeLessThan(0.05);
  });

  test('linear with noise of 20 % of the growth: within 10 %, also for twice as far ahead', () => {
    const found = errors(100, 60, (random) => {
      const line = straight(40, 60);
      return (hour) => line(hour) + 4 * normal(random);
    });
    expect(within(found, 0.1)).toBeGreaterThanOrEqual(0.95);
  });

  test('the band holds the truth about as often as it says (90 %)', () => {
    const holds = Array.from({ length: 100 }, (_, seed) => {
      const meeting = trendOf(noisy(straight(40, 60), 0.1, randomOf(seed * 31 + 5))).meetings[0];
      return daysUntil(meeting?.earliest) <= 60 && (meeting?.latest == null || daysUntil(meeting.latest) >= 60);
    });
    expect(holds.filter(Boolean).length / holds.length).toBeGreaterThan(0.75);
  });

  test('seasonal: the rhythm of day and week neither bends the trend nor is forgotten at the limit', () => {
    const truth = (hour: number): number =>
      straight(40, 60)(hour) +
      8 * Math.sin((2 * Math.PI * hour) / 24) +
      (Math.floor((BEGIN + hour) / 24) % 7 < 2 ? 10 : 0);
    let hour = 720;
    while (truth(hour) < LIMIT) hour++;
    const found = errors(50, (hour - 720) / 24, (random) => (at) => truth(at) + 0.5 * normal(random));
    expect(within(found, 0.1)).toBe(1);
  });

  test('a weekly rhythm that is no growth is told as none', () => {
    const week = (hour: number): number => 50 + (Math.floor((BEGIN + hour) / 24) % 7 < 2 ? 20 : 0);
    // Ending on the high days, a straight line through the last days would rise steeply.
    for (const hours of [10 * 24, 12 * 24, 15 * 24, 29 * 24]) {
      expect({ hours, direction: trendOf(week, hours).direction }).toEqual({ hours, direction: 'steady' });
    }
  });

  test('step: what came before the jump tells the slope, not the level', () => {
    const found = errors(
      50,
      90,
      (random) => (hour) => 20 + (15 * hour) / 720 + (hour >= 360 ? 20 : 0) + normal(random),
    );
    expect(within(found, 0.1)).toBe(1);
  });

  test('step on a level ground is no growth', () => {
    const found = trendOf(noisy((hour) => (hour >= 360 ? 60 : 40), 0.05, randomOf(3)));
    expect(found.direction).toBe('steady');
    expect(found.level).toBeGreaterThan(58);
    expect(found.level).toBeLessThan(62);
    expect(daysUntil(found.stepAt)).toBeCloseTo(-15, 0);
  });

  test('reset: after a fall it is counted from the new level', () => {
    const found = errors(
      50,
      50,
      (random) => (hour) => 50 + (30 * hour) / 720 - (hour >= 480 ? 30 : 0) + normal(random),
    );
    expect(within(found, 0.1)).toBe(1);
  });

  test('gap: ten days without a supervisor, and hours missing here and there', () => {
    const gap = errors(50, 60, (random) => {
      const curve = noisy(straight(40, 60), 0.05, random);
      return (hour) => ((hour > 200 && hour < 440) || random() < 0.2 ? null : curve(hour));
    });
    expect(within(gap, 0.1)).toBeGreaterThanOrEqual(0.95);
  });

  test('wild values: one hour in ten is three times too high', () => {
    const found = errors(50, 60, (random) => {
      const curve = noisy(straight(40, 60), 0.05, random);
      return (hour) => (curve(hour) ?? 0) * (random() < 0.1 ? 3 : 1);
    });
    expect(within(found, 0.1)).toBe(1);
  });

  test('growth that has ended two weeks ago is none', () => {
    expect(fullIn((hour) => (hour < 360 ? 40 + hour / 18 : 60))).toBeNaN();
  });

  test('growth that has begun two weeks ago is taken from there', () => {
    const found = errors(50, 30, (random) => (hour) => 40 + Math.max(0, hour - 360) / 18 + normal(random));
    expect(within(found, 0.1)).toBeGreaterThanOrEqual(0.9);
  });

  test('falling: no date', () => {
    const found = trendOf(straight(90, 60));
    expect(found.direction).toBe('falling');
    expect(found.meetings[0]).toEqual({ at: null, earliest: null, latest: null });
  });

  test('constant, and above the limit already', () => {
    expect(trendOf(() => 50)).toMatchObject({ direction: 'steady', perDay: 0, level: 50, peak: 50 });
    expect(trendOf(() => 120).meetings[0]?.at).toBe(NOW);
  });

  test.each([
    ['nothing', 0],
    ['an hour', 1],
    ['a week', 7 * 24],
  ])('too little history says so: %s', (_, hours) => {
    const found = forecast(history(straight(10, 90), hours), NOW, [LIMIT]);
    expect(found).toMatchObject({ kind: 'too-little', days: hours / 24, neededDays: 8 });
    expect(outlook(history(straight(10, 90), hours), NOW, 30)).toEqual([]);
  });

  test('a month with an hour a day is too little as well', () => {
    expect(
      forecast(
        history((hour) => (hour % 24 === 0 ? hour : null)),
        NOW,
        [LIMIT],
      ).kind,
    ).toBe('too-little');
  });

  test('outlook: days to come with a band that widens', () => {
    const days = outlook(history(noisy(straight(40, 60), 0.1, randomOf(9))), NOW, 30);
    expect(days).toHaveLength(30);
    expect(days[0]?.at).toBe(NOW);
    const [first, last] = [days[0]!, days.at(-1)!];
    expect(last.value).toBeGreaterThan(first.value + 10);
    expect(last.high - last.low).toBeGreaterThan(first.high - first.low);
  });
});
