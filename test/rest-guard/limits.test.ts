import { DISCORD_LIMITS, Sandbox, type RestLimitOptions } from '../../src/sandbox';
import { until } from '../support/until';
import { GuardProcess } from './support/guard-process';

describe('the guard against a strict Discord', () => {
  let sandbox: Sandbox;
  let guard: GuardProcess;

  afterEach(async () => {
    await guard.end();
    await sandbox.close();
  });

  async function start(
    limits: Partial<RestLimitOptions> = {},
    settings: Partial<Parameters<typeof GuardProcess.start>[0]> = {},
    options: ConstructorParameters<typeof Sandbox>[0] = {},
  ): Promise<void> {
    sandbox = new Sandbox({ restLimits: { ...DISCORD_LIMITS, ...limits }, ...options });
    const { apiUrl } = await sandbox.listen();
    guard = await GuardProcess.start({ api: apiUrl, ...settings });
  }

  const message = (channel: number): string =>
    `/v10/channels/10000000000000${String(channel).padStart(4, '0')}/messages`;
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"content":"x"}' } as const;
  const events = async (type: string) => (await guard.report()).events.filter((event) => event.type === type);

  it('keeps to the bucket of a route without one 429', async () => {
    await start({ perRoute: { limit: 5, windowMs: 1_000 } });
    const answers = await Promise.all(Array.from({ length: 23 }, () => guard.call(message(1), post)));
    expect(answers.map(({ status }) => status)).toEqual(new Array(23).fill(200));
    expect(sandbox.report().restLimits).toMatchObject({ route429: 0, global429: 0 });
  });

  it('lets interactions pass while everything else waits for the global limit', async () => {
    await start({ globalPerSecond: 2 }, { globalPerSecond: 2 });
    let waiting = 10;
    const bulk = Array.from({ length: 10 }, (_, n) => guard.call(message(n), post).finally(() => waiting--));
    await until(async () => (await guard.report()).snapshot.gauges.queued > 0);
    const reply = await guard.call('/v10/interactions/100000000000000001/token/callback', { ...post });
    expect(reply.status).toBe(204);
    expect(waiting).toBeGreaterThan(0);
    await Promise.all(bulk);
    expect(sandbox.report().restLimits?.global429).toBe(0);
  });

  it('stops an endpoint that answers 403 in a loop long before the ban, and goes on with the others', async () => {
    await start(
      { globalPerSecond: 5_000, perRoute: { limit: 5_000, windowMs: 1_000 } },
      { globalPerSecond: 5_000, maxWaitMs: 200 },
    );
    sandbox.fault('rest-error', { status: 403, path: '/channels/100000000000000001', seconds: 60 });
    for (let n = 0; n < 100; n++) await Promise.all([1, 1, 1, 1, 1].map((id) => guard.call(message(id), post)));
    expect(sandbox.report().restLimits?.invalid).toBeLessThan(1_000);
    const stopped = await events('rest.brake');
    expect(stopped.map((event) => 'level' in event && event.level)).toContain('slow');
    expect((await guard.call(message(2), post)).status).toBe(200);
  });

  it('stops a route that is refused everywhere before 1,000 invalid requests', async () => {
    await start(
      { globalPerSecond: 5_000, perRoute: { limit: 5_000, windowMs: 1_000 } },
      { globalPerSecond: 5_000, maxWaitMs: 200 },
    );
    sandbox.fault('rest-error', { status: 403, path: '/channels/', seconds: 60 });
    for (let n = 0; n < 1_500; n += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, at) => guard.call(message(n + at), post)));
    }
    expect(sandbox.report().restLimits?.invalid).toBeLessThan(1_000);
    const answer = await guard.call(message(7_000), post);
    expect(answer.headers['x-botctl-guard']).toBe('stopped');
    expect((await guard.report()).snapshot.gauges.braked.length).toBeGreaterThan(0);
    expect((await guard.call('/v10/users/@me')).status).toBe(200);
  });

  it('latches all calls with a token that Discord refuses, says so once, and leaves other tokens alone', async () => {
    await start({}, {}, { token: 'good' });
    const bad = { headers: { authorization: 'Bot bad' } };
    const answers = await Promise.all(Array.from({ length: 20 }, () => guard.call('/v10/users/@me', bad)));
    for (let n = 0; n < 20; n++) answers.push(await guard.call('/v10/gateway/bot', bad));
    expect(answers.map(({ status }) => status)).toEqual(new Array(40).fill(401));
    expect(sandbox.report().restUnauthorised).toBeLessThan(5);
    expect(await events('rest.unauthorized')).toHaveLength(1);
    expect((await guard.call('/v10/users/@me', { headers: { authorization: 'Bot good' } })).status).toBe(200);
  });

  it('does not take a 401 of one endpoint for the end of the token', async () => {
    await start();
    sandbox.fault('rest-error', { status: 401, path: '/gateway', seconds: 60 });
    expect((await guard.call('/v10/gateway/bot')).status).toBe(401);
    expect((await guard.call('/v10/users/@me')).status).toBe(200);
    expect(await events('rest.unauthorized')).toEqual([]);
  });

  it('recognises the ban, answers with a time to come back, and sends nothing meanwhile', async () => {
    await start();
    sandbox.banRest(60_000);
    const first = await guard.call('/v10/users/@me');
    expect([first.status, first.headers['x-botctl-guard']]).toEqual([429, 'banned']);
    expect(Number(first.headers['retry-after'])).toBeGreaterThan(1);
    for (let n = 0; n < 50; n++) expect((await guard.call(message(n), post)).status).toBe(429);
    expect(sandbox.report().restLimits?.whileBanned).toBe(1);
    expect(await events('rest.banned')).toMatchObject([{ banned: true }]);
  });

  it('gives each cluster its turn, and one that floods not the room of all', async () => {
    await start({ globalPerSecond: 10 }, { globalPerSecond: 10, maxQueue: 100 });
    const done: string[] = [];
    const send = (cluster: string, n: number): Promise<number> =>
      guard.call(message(n), { ...post, cluster }).then(({ status }) => {
        done.push(`${cluster} ${status}`);
        return status;
      });
    const flood = Array.from({ length: 150 }, (_, n) => send('flood', n));
    await until(async () => (await guard.report()).snapshot.counters.own['queue-full'] !== undefined);
    const small = Array.from({ length: 5 }, (_, n) => send('small', 500 + n));
    await Promise.all(small);
    expect(
      done.filter((line) => line === 'small 200').length + done.filter((line) => line === 'small 429').length,
    ).toBe(5);
    expect(await events('rest.queue-full')).toMatchObject([{ full: true }]);
    await guard.agent.destroy();
    await Promise.allSettled(flood);
    await until(async () => (await guard.report()).snapshot.gauges.queued === 0);
  });
});
