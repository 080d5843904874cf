import { endpointBrake, routeBrake } from '../../src/rest-guard/brakes/decide';
import { InvalidRequests, type RefusedAnswer } from '../../src/rest-guard/brakes/invalid-requests';
import { SlidingCount } from '../../src/rest-guard/brakes/invalid-window';
import { FairQueue } from '../../src/rest-guard/fair-queue';
import { GlobalLimit } from '../../src/rest-guard/global-limit';
import { isBan, limitHeaders } from '../../src/rest-guard/limit-headers';
import { Occupancy } from '../../src/rest-guard/occupancy';
import type { RestEvent } from '../../src/rest-guard/events';
import { routeOf, type Priority } from '../../src/rest-guard/route';

describe('brakes, of 10,000 invalid requests', () => {
  it.each([
    ['one that works', { invalid: 0, valid: 9_000 }, 0, 'off'],
    ['one that is refused now and then', { invalid: 200, valid: 9_000 }, 200, 'off'],
    ['one that is always refused', { invalid: 50, valid: 0 }, 50, 'slow'],
    ['the same, longer', { invalid: 100, valid: 0 }, 100, 'stop'],
    ['few refusals while the total is high', { invalid: 2, valid: 0 }, 5_000, 'slow'],
    ['few refusals while the ban is near', { invalid: 2, valid: 0 }, 7_500, 'stop'],
    ['one that works, while the ban is near', { invalid: 0, valid: 0 }, 7_500, 'off'],
  ])('endpoint: %s', (_, counts, total, level) => {
    expect(endpointBrake(counts, { total, limit: 10_000 })).toBe(level);
  });

  it.each([
    ['refused here and there', { invalid: 600, valid: 9_000 }, 'off'],
    ['refused everywhere', { invalid: 300, valid: 10 }, 'slow'],
    ['the same, longer', { invalid: 600, valid: 10 }, 'stop'],
  ])('route: %s', (_, counts, level) => {
    expect(routeBrake(counts, { total: counts.invalid, limit: 10_000 })).toBe(level);
  });
});

describe('InvalidRequests', () => {
  const forbidden = { status: 403, body: '{"message":"Missing Access","code":50001}' };
  const limited = { status: 429, body: '{"message":"You are being rate limited.","retry_after":0.5}' };

  function setUp(): {
    requests: InvalidRequests;
    events: RestEvent[];
    wait: (ms: number) => void;
    answer: (refusal: RefusedAnswer | null, times?: number) => void;
    passes: () => boolean;
  } {
    let now = 0;
    let id = 0;
    const events: RestEvent[] = [];
    const limits = { invalidLimit: 10_000, maxWaitMs: 30_000 };
    const requests = new InvalidRequests(
      limits,
      () => now,
      (event) => events.push(event),
    );
    // Each interaction is an endpoint of its own.
    const next = () => routeOf('POST', `/api/v10/interactions/${(1n << 60n) + BigInt(id++)}/token/callback`, 0);
    return {
      requests,
      events,
      wait: (ms) => (now += ms),
      answer: (refusal, times = 1) => {
        for (let time = 0; time < times; time++) requests.answered(next(), refusal);
      },
      passes: () => requests.check(next()).pass,
    };
  }

  it('lets a route go soon after a rate limit is over', () => {
    const { answer, passes, wait, events } = setUp();
    answer(limited, 600);
    expect(passes()).toBe(false);
    wait(5_000);
    expect([passes(), passes()]).toEqual([true, false]);
    answer(limited);
    wait(4_999);
    expect(passes()).toBe(false);
    wait(1);
    for (let tries = 0; tries < 3; tries++) {
      expect([passes(), passes()]).toEqual([true, false]);
      answer(null);
      wait(1_000);
    }
    expect([passes(), passes(), passes()]).toEqual([true, true, true]);
    expect(events.map((event) => event.type === 'rest.brake' && event.level)).toEqual(['stop', 'off']);
  });

  it('is not fooled by one try that goes well', () => {
    const { answer, passes, wait } = setUp();
    answer(limited, 600);
    passes();
    wait(5_000);
    answer(null);
    wait(1_000);
    expect(passes()).toBe(true);
    answer(limited);
    wait(1_000);
    expect(passes()).toBe(false);
    wait(4_000);
    expect(passes()).toBe(true);
  });

  it('tries once a minute what is forbidden, and tells when to come back', () => {
    const { requests, answer, passes, wait } = setUp();
    answer(forbidden, 600);
    passes();
    wait(59_000);
    const route = routeOf('POST', `/api/v10/interactions/${1n << 61n}/token/callback`, 0);
    expect(requests.check(route)).toEqual({ pass: false, answer: forbidden, why: 'stopped', retryMs: 1_000 });
    wait(1_000);
    expect([passes(), passes()]).toEqual([true, false]);
  });
});

describe('SlidingCount', () => {
  it('forgets after ten minutes, not earlier', () => {
    const count = new SlidingCount();
    count.add(0);
    count.add(300_000);
    expect([count.total(599_999), count.total(620_000), count.total(1_000_000)]).toEqual([2, 1, 0]);
  });
});

describe('FairQueue', () => {
  const item = (cluster: string, priority: Priority = 'normal') => ({ cluster, priority });
  const drain = (queue: FairQueue<ReturnType<typeof item>>): string[] => {
    const order: string[] = [];
    for (let next = queue.take(); next !== null; next = queue.take())
      order.push(`${next.cluster}${next.priority[0] ?? ''}`);
    return order;
  };

  it('takes turns between clusters', () => {
    const queue = new FairQueue<ReturnType<typeof item>>();
    for (const cluster of ['a', 'a', 'a', 'b', 'c']) queue.add(item(cluster));
    expect(drain(queue)).toEqual(['an', 'bn', 'cn', 'an', 'an']);
  });

  it('puts interactions first, and starves nobody', () => {
    const queue = new FairQueue<ReturnType<typeof item>>();
    queue.add(item('a', 'bulk'));
    for (let n = 0; n < 6; n++) queue.add(item('a'));
    queue.add(item('a', 'interaction'));
    expect(drain(queue)).toEqual(['ai', 'an', 'an', 'an', 'an', 'ab', 'an', 'an']);
  });

  it('lets go of what is deleted, once', () => {
    const queue = new FairQueue<ReturnType<typeof item>>();
    const gone = item('a');
    queue.add(gone);
    expect([queue.delete(gone), queue.delete(gone), queue.size, queue.take()]).toEqual([true, false, 0, null]);
  });
});

describe('GlobalLimit', () => {
  it('never lets more than its number begin within a second of the answers', () => {
    const limit = new GlobalLimit(2, -10_000);
    const first = limit.take(0);
    limit.take(0);
    limit.answered(first, 5);
    expect(limit.freeAt).toBe(1_005);
    expect([limit.remaining(1_004), limit.remaining(1_005)]).toEqual([0, 1]);
  });

  it('waits one window after its start, and as long as Discord says', () => {
    const limit = new GlobalLimit(2, 0);
    expect(limit.freeAt).toBeGreaterThan(1_000);
    limit.hit(5_000, 3_000);
    expect(limit.freeAt).toBe(8_000);
  });

  it('widens its margin when it was too narrow', () => {
    const limit = new GlobalLimit(1, -10_000);
    limit.take(0);
    const before = limit.freeAt;
    limit.hit(1_500, 1);
    limit.take(10_000);
    expect(limit.freeAt - 10_000).toBeGreaterThan(before);
  });
});

describe('Occupancy', () => {
  it('shares the room between clusters from half full on', () => {
    const occupancy = new Occupancy(10);
    const entered = (cluster: string, times: number): number =>
      Array.from({ length: times }, () => occupancy.enter(cluster)).filter(Boolean).length;
    expect(entered('a', 6)).toBe(6);
    expect(entered('b', 9)).toBe(4);
    expect(occupancy.total).toBe(10);
    occupancy.leave('a');
    expect([entered('a', 1), entered('c', 1)]).toEqual([0, 1]);
  });
});

describe('headers', () => {
  it('are read as Discord means them', () => {
    const headers = { 'retry-after': '0.65', 'x-ratelimit-global': 'true', 'x-ratelimit-limit': 'x' };
    expect(limitHeaders(headers)).toMatchObject({ retryAfterMs: 650, scope: 'global', limit: null });
  });

  it('tell the ban from a limit', () => {
    expect(isBan(429, { 'content-type': 'text/html' })).toBe(true);
    expect(isBan(429, { 'retry-after': '1' })).toBe(false);
    expect(isBan(403, {})).toBe(false);
  });
});
