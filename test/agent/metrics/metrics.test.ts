import type { Client } from 'discord.js';
import { AgentMetrics } from '../../../src/agent/metrics/agent-metrics';
import { Meter } from '../../../src/agent/metrics/meter';
import { ResponseMeter } from '../../../src/agent/metrics/response-meter';
import { routeClass, RouteClasses } from '../../../src/agent/metrics/route-class';
import { snowflakeTime } from '../../../src/agent/metrics/snowflake';
import { BOUNDS, BUCKETS, bucketOf, bucketValue } from '../../../src/ipc/bucket-scale';
import type { Readings } from '../../../src/ipc/readings';

const counter = ({ counters }: Readings, name: string, labels?: object): number | undefined =>
  counters.find((reading) => reading.name === name && JSON.stringify(reading.labels) === JSON.stringify(labels))?.value;

describe('the scale of buckets', () => {
  it('has the bounds that Prometheus uses, exactly', () => {
    for (const bound of [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 1_000]) {
      expect(BOUNDS[bucketOf(bound)]).toBe(bound);
    }
  });

  it('is within 6 % of every value in its range, and takes all others', () => {
    for (let value = 1.01e-6; value < 1e9; value *= 1.013) {
      expect(Math.abs(bucketValue(bucketOf(value)) / value - 1)).toBeLessThan(0.06);
    }
    expect([0, -1, 1e-9].map(bucketOf)).toEqual([0, 0, 0]);
    expect([Infinity, 1e12].map(bucketOf)).toEqual([BUCKETS - 1, BUCKETS - 1]);
    expect(bucketOf(NaN)).toBe(-1);
  });
});

describe('Meter', () => {
  it('tells counters and sketches only when they have changed, with absolute values', () => {
    const meter = new Meter(10);
    meter.counter('messages_total').add(3);
    meter.sketch('message_response_seconds').record(1);
    expect(meter.read()).toEqual({
      counters: [{ name: 'messages_total', value: 3 }],
      gauges: [],
      sketches: [{ name: 'message_response_seconds', sum: 1, buckets: [bucketOf(1), 1] }],
    });
    expect(meter.read()).toEqual({ counters: [], gauges: [], sketches: [] });
    meter.counter('messages_total').add();
    meter.sketch('message_response_seconds').record(2);
    expect(meter.read()).toMatchObject({
      counters: [{ value: 4 }],
      sketches: [{ sum: 3, buckets: [bucketOf(2), 1] }],
    });
  });

  it('tells everything to a new supervisor', () => {
    const meter = new Meter(10);
    meter.counter('messages_total').add(3);
    meter.sketch('message_response_seconds').record(1);
    const first = meter.read();
    meter.resend();
    expect(meter.read()).toEqual(first);
  });

  it('folds labels beyond the bound into other, and counts how often', () => {
    const meter = new Meter(3);
    for (let index = 0; index < 10; index++) meter.counter('events_total', { type: `T${index}` }).add();
    const { counters } = meter.read();
    expect(counters.map(({ labels, value }) => [labels?.['type'], value])).toEqual([
      ['T0', 1],
      ['T1', 1],
      ['T2', 1],
      ['other', 7],
    ]);
    expect(meter.folded).toBe(7);
  });
});

describe('routeClass', () => {
  it.each([
    ['post', 'https://discord.com/api/v10/channels/81384788765712384/messages', 'POST /channels/:id/messages'],
    ['GET', 'https://discord.com/api/v10/guilds/81384788765712384/members?limit=100', 'GET /guilds/:id/members'],
    [
      'POST',
      'http://127.0.0.1:8080/api/interactions/81384788765712384/aW50ZXJhY3Rpb246/callback',
      'POST /interactions/:id/:token/callback',
    ],
    [
      'PATCH',
      'https://discord.com/api/v10/webhooks/81384788765712384/secrettokenofonlyletters/messages/@original',
      'PATCH /webhooks/:id/:token/messages/@original',
    ],
    [
      'PUT',
      'https://discord.com/api/v10/channels/1/messages/2/reactions/%F0%9F%91%8D/@me',
      'PUT /channels/:id/messages/:id/reactions/:emoji/@me',
    ],
    ['GET', 'https://discord.com/api/v10/invites/discord-developers', 'GET /invites/:code'],
    ['GET', 'https://discord.com/api/v10/new/Some.Secret-Thing', 'GET /new/:value'],
  ])('%s %s', (method, url, route) => expect(routeClass(method, url)).toBe(route));

  it('there are only so many', () => {
    const classes = new RouteClasses();
    const name = (index: number): string => String.fromCharCode(97 + Math.floor(index / 26), 97 + (index % 26));
    const routes = Array.from({ length: 100 }, (_, index) => classes.of('GET', `https://x/api/v10/${name(index)}`));
    expect(new Set(routes).size).toBe(61);
    expect(routes.at(-1)).toBe('other');
  });
});

describe('ResponseMeter', () => {
  let at: number;
  let meter: Meter;
  let responses: ResponseMeter;
  const EPOCH = 1_420_070_400_000;
  /** An id made `ms` after Discord's epoch. */
  const idAt = (ms: number): string => String(BigInt(ms) << 22n);

  beforeEach(() => {
    at = 10_000;
    meter = new Meter(100);
    responses = new ResponseMeter(meter, { monotonic: () => at, wall: () => EPOCH + at });
  });
  const sketches = () => new Map(meter.read().sketches.map(({ name, sum, buckets }) => [name, [sum, buckets[1]]]));

  it('knows when Discord made an id', () => {
    expect(snowflakeTime('175928847299117063')).toBe(1_462_015_105_796);
  });

  it('measures an interaction from its receipt and from its making, and only the first response', () => {
    responses.interaction({ id: idAt(9_900), type: 2 });
    at += 250;
    responses.interactionAnswered(idAt(9_900), true);
    responses.interactionAnswered(idAt(9_900), true);
    const found = sketches();
    expect(found.get('interaction_response_seconds')).toEqual([0.25, 1]);
    expect(found.get('interaction_latency_seconds')).toEqual([0.35, 1]);
  });

  it('one that Discord refuses, or that is not answered in time, is a failure, once', () => {
    for (const id of ['1', '2', '3']) responses.interaction({ id, type: 3 });
    responses.interactionAnswered('1', false);
    at += 3_000;
    responses.sweep();
    responses.interactionAnswered('2', true);
    at += 1_000;
    responses.sweep();
    responses.sweep();
    const readings = meter.read();
    expect(counter(readings, 'interactions_total', { kind: 'component' })).toBe(3);
    expect(counter(readings, 'interaction_failures_total', { reason: 'refused' })).toBe(1);
    expect(counter(readings, 'interaction_failures_total', { reason: 'unanswered' })).toBe(1);
  });

  it('a reply within a minute is a response, a later one a quotation', () => {
    responses.message({ id: idAt(9_990) });
    responses.message({ id: idAt(9_991) });
    at += 1_000;
    responses.messageAnswered(idAt(9_990), true);
    at += 70_000;
    responses.messageAnswered(idAt(9_991), true);
    const readings = meter.read();
    expect(counter(readings, 'message_replies_total')).toBe(1);
  });

  it('a flood that nobody answers is bounded', () => {
    for (let index = 0; index < 50_000; index++) {
      responses.interaction({ id: String(index), type: 2 });
      responses.message({ id: String(index) });
    }
    expect(counter(meter.read(), 'interaction_failures_total', { reason: 'unanswered' })).toBe(30_000);
  });

  it("a clock that is behind Discord's gives no negative time", () => {
    responses.interaction({ id: idAt(99_999), type: 2 });
    responses.interactionAnswered(idAt(99_999), true);
    expect(sketches().get('interaction_latency_seconds')).toEqual([0, 1]);
  });
});

describe('RestMeter', () => {
  interface FakeRest {
    options: { makeRequest: (url: string, init: { method: string }) => Promise<unknown> };
    queueRequest: (request: { method: string; fullRoute: string; body?: unknown }) => Promise<unknown>;
    on: (event: string, listener: (data: { global: boolean }) => void) => void;
  }
  let metrics: AgentMetrics;
  let rest: FakeRest;
  let answer: { status: number; headers: Record<string, string> } | Error;
  let limited: (data: { global: boolean }) => void;

  beforeEach(() => {
    metrics = new AgentMetrics(() => undefined);
    rest = {
      options: {
        makeRequest: () =>
          answer instanceof Error
            ? Promise.reject(answer)
            : Promise.resolve({ status: answer.status, headers: new Headers(answer.headers) }),
      },
      queueRequest: ({ method, fullRoute }) => rest.options.makeRequest(`https://x/api/v10${fullRoute}`, { method }),
      on: (_, listener) => (limited = listener),
    };
    metrics.watch({ rest } as unknown as Client);
  });
  const ask = (method: string, fullRoute: string, body?: unknown) => rest.queueRequest({ method, fullRoute, body });

  it('counts calls by kind and status, 429s by scope, and what leads to a ban', async () => {
    for (const [status, headers] of [
      [200, {}],
      [403, {}],
      [429, { 'x-ratelimit-scope': 'shared' }],
      [429, { 'x-ratelimit-scope': 'user' }],
      [429, { 'x-ratelimit-global': 'true' }],
      [429, {}],
    ] as const) {
      answer = { status, headers };
      await ask('POST', '/channels/1/messages');
    }
    answer = new Error('the network');
    await expect(ask('GET', '/users/@me')).rejects.toThrow('the network');
    limited({ global: true });
    const readings = metrics.read([]);
    const route = 'POST /channels/:id/messages';
    expect(counter(readings, 'rest_requests_total', { route, status: '429' })).toBe(4);
    expect(counter(readings, 'rest_requests_total', { route: 'GET /users/@me', status: 'error' })).toBe(1);
    expect(counter(readings, 'cluster_rest_requests_total', { status: '200' })).toBe(1);
    for (const scope of ['shared', 'user', 'global', 'unknown']) {
      expect([scope, counter(readings, 'rest_rate_limited_total', { scope })]).toEqual([scope, 1]);
    }
    expect(counter(readings, 'rest_invalid_requests_total')).toBe(4);
    expect(counter(readings, 'rest_rate_limit_waits_total', { scope: 'global' })).toBe(1);
  });

  it("the guard's own refusals are no limit of Discord's, and lead to no ban", async () => {
    for (const [status, why] of [
      [429, 'waited'],
      [401, 'unauthorized'],
      [403, 'stopped'],
    ] as const) {
      answer = { status, headers: { 'x-botctl-guard': why } };
      await ask('POST', '/channels/1/messages');
    }
    const readings = metrics.read([]);
    expect(counter(readings, 'cluster_rest_requests_total', { status: '429' })).toBe(1);
    expect(
      readings.counters.filter(({ name }) => name === 'rest_rate_limited_total').map(({ value }) => value),
    ).toEqual([0, 0, 0]);
    expect(counter(readings, 'rest_invalid_requests_total')).toBe(0);
  });

  it('connects responses with interactions and messages, and hands on what the calls give', async () => {
    metrics.dispatch({ t: 'INTERACTION_CREATE', d: { id: '10', type: 2 } });
    metrics.dispatch({ t: 'INTERACTION_CREATE', d: { id: '11', type: 2 } });
    metrics.dispatch({ t: 'MESSAGE_CREATE', d: { id: '12' } });
    answer = { status: 204, headers: {} };
    await expect(ask('POST', '/interactions/10/token/callback')).resolves.toMatchObject({ status: 204 });
    await ask('POST', '/channels/5/messages', { message_reference: { message_id: '12' } });
    await ask('POST', '/channels/5/messages', { content: 'no reply' });
    answer = new Error('refused');
    await expect(ask('POST', '/interactions/11/token/callback')).rejects.toThrow('refused');
    const readings = metrics.read([]);
    expect(counter(readings, 'interaction_failures_total', { reason: 'refused' })).toBe(1);
    expect(counter(readings, 'message_replies_total')).toBe(1);
    expect(readings.sketches.map(({ name }) => name)).toContain('interaction_response_seconds');
  });

  it('a call that is no call fails where it always did, not in here', async () => {
    answer = { status: 200, headers: {} };
    const request = { method: undefined, fullRoute: '/users/@me' } as never;
    await expect(rest.queueRequest(request)).resolves.toMatchObject({ status: 200 });
  });

  it('nonsense from the gateway does no harm to what follows', () => {
    expect(() => metrics.dispatch({ t: 'INTERACTION_CREATE', d: null })).toThrow(TypeError); // contained by the agent
    metrics.dispatch({ t: 'MESSAGE_CREATE', d: { id: '1' } });
    expect(counter(metrics.read([]), 'messages_total')).toBe(1);
  });
});

describe("a bot's own metrics", () => {
  it('are named by the conventions; mistakes are told once and never thrown', () => {
    const warnings: string[] = [];
    const { bot } = new AgentMetrics((text) => warnings.push(text));
    bot.record({ kind: 'counter', name: 'clicks', value: 2, tags: { button: 'ok' } });
    bot.record({ kind: 'gauge', name: 'queue_length', value: 7 });
    bot.record({ kind: 'distribution', name: 'wait_seconds', value: 0.2 });
    bot.record({ kind: 'gauge', name: 'clicks', value: 1 });
    bot.record({ kind: 'gauge', name: 'not a name', value: 1 });
    bot.record({ kind: 'gauge', name: 'size_bucket', value: 1 });
    bot.record({ kind: 'counter', name: 'down', value: -1 });
    bot.record({ kind: 'counter', name: 'down', value: -1 });
    bot.record({ kind: 'gauge', name: 'mine', value: 1, tags: { cluster: 'a', fine: 'yes' } });
    bot.record({ kind: 'gauge', name: 'odd', value: 1, tags: { tag: Object.create(null) as object } });
    bot.record(undefined as never);
    const { counters, gauges, sketches } = bot.read();
    expect(counters).toEqual([{ name: 'bot_clicks_total', labels: { button: 'ok' }, value: 2 }]);
    expect(gauges).toEqual([
      { name: 'bot_queue_length', value: 7 },
      { name: 'bot_mine', labels: { fine: 'yes' }, value: 1 },
    ]);
    expect(sketches.map(({ name }) => name)).toEqual(['bot_wait_seconds']);
    expect(warnings.map((text) => /^metric ([^:]*)/.exec(text)?.[1])).toEqual([
      'clicks',
      'not a name',
      'size_bucket',
      'down',
      'mine',
    ]);
    expect(bot.folded).toBe(7);
  });
});
