import { Sandbox, type SandboxOptions } from '../../src/sandbox';
import { until } from '../support/until';
import { GatewayClient } from './gateway-client';

describe("the sandbox's gateway", () => {
  let sandbox: Sandbox;
  let port: number;
  const clients: GatewayClient[] = [];

  async function start(options: Partial<SandboxOptions> = {}): Promise<void> {
    sandbox = new Sandbox({ guilds: 10, shards: 2, maxConcurrency: 1, identifyIntervalMs: 300, ...options });
    ({ port } = await sandbox.listen());
  }
  function client(version?: number): GatewayClient {
    const made = new GatewayClient(port, version);
    clients.push(made);
    return made;
  }
  afterEach(async () => {
    for (const made of clients.splice(0)) made.terminate();
    await sandbox.close();
  });

  it('greets, acknowledges heartbeats, and sends READY and the guilds of the shard', async () => {
    await start();
    const shard = client();
    await shard.identify([1, 2]);
    const { sessionId } = await shard.ready(5);
    expect(sessionId).toMatch(/^[0-9a-f]{32}$/);
    const ids = shard.events('GUILD_CREATE').map(({ d }) => BigInt((d as { id: string }).id));
    expect(ids.every((id) => (id >> 22n) % 2n === 1n)).toBe(true);
    shard.send(1, 5);
    await shard.untilOp(11);
    expect(shard.received[0]).toMatchObject({ op: 10, d: { heartbeat_interval: 41_250 } });
  });

  it('counts an IDENTIFY that comes too early for its bucket, and answers with an invalid session', async () => {
    await start();
    const first = client();
    await first.identify([0, 2]);
    await first.ready(5);
    const second = client();
    await second.identify([1, 2]);
    expect((await second.untilOp(9)).d).toBe(false);
    const { violations, identifies } = sandbox.report();
    expect(identifies).toBe(2);
    expect(violations).toMatchObject([{ shardId: 1, bucket: 0 }]);
    expect(violations[0]?.afterMs).toBeLessThan(300);
    await until(() => Date.now() - (violations[0]?.at ?? 0) > 310);
    second.send(2, { token: 'good-token', intents: 1, shard: [1, 2] });
    await second.ready(5);
    expect(sandbox.report().violations).toHaveLength(1);
  });

  it('lets different buckets identify at once', async () => {
    await start({ maxConcurrency: 2 });
    const [first, second] = [client(), client()];
    await Promise.all([first.identify([0, 2]), second.identify([1, 2])]);
    await Promise.all([first.ready(5), second.ready(5)]);
    expect(sandbox.report().violations).toEqual([]);
  });

  it('replays exactly what was missed, in order, then says RESUMED', async () => {
    await start();
    const first = client();
    await first.identify([0, 1], { intents: 1 });
    const { sessionId, seq } = await first.ready(10);
    first.terminate();
    await until(() => sandbox.report().connections === 0);
    sandbox.setRate(500);
    await until(() => sandbox.report().sent >= 20);
    sandbox.setRate(0);
    const { sent, changes } = sandbox.report();
    const second = client();
    await second.resume(sessionId, seq);
    await second.untilEvent('RESUMED');
    const replay = second.received.filter(({ op, t }) => op === 0 && t !== 'RESUMED');
    expect(replay.map(({ s }) => s)).toEqual(Array.from({ length: sent + changes }, (_, index) => seq + index + 1));
    expect(second.received.at(-1)?.t).toBe('RESUMED');
    expect(sandbox.report()).toMatchObject({ resumes: 1, failedResumes: 0, identifies: 1 });
  });

  it('ends a session on 1000 and 1001, and keeps it on other codes', async () => {
    await start({ identifyIntervalMs: 0 });
    for (const [code, resumable] of [
      [1000, false],
      [1001, false],
      [4000, true],
      [4200, true],
    ] as const) {
      const first = client();
      await first.identify([0, 1]);
      const { sessionId, seq } = await first.ready(10);
      first.close(code);
      await first.untilClosed();
      const second = client();
      await second.resume(sessionId, seq);
      if (resumable) await second.untilEvent('RESUMED');
      else expect([code, (await second.untilOp(9)).d]).toEqual([code, false]);
    }
    expect(sandbox.report()).toMatchObject({ resumes: 2, failedResumes: 2 });
  });

  it('refuses a resume of what it no longer keeps, or that claims too much', async () => {
    await start({ resumeBuffer: 5 });
    const first = client();
    await first.identify([0, 1]);
    const { sessionId, seq } = await first.ready(10);
    first.terminate();
    const old = client();
    await old.resume(sessionId, 1);
    expect((await old.untilOp(9)).d).toBe(false);
    const ahead = client();
    await ahead.resume(sessionId, seq + 100);
    expect(await ahead.untilClosed()).toBe(4007);
  });

  interface Refusal {
    what: string;
    code: number;
    act: (shard: GatewayClient) => Promise<void> | void;
    options?: Partial<SandboxOptions>;
    version?: number;
  }
  const identifyTwice = async (shard: GatewayClient): Promise<void> => {
    await shard.identify([0, 2]);
    await shard.ready(5);
    shard.send(2, { token: 'good-token', intents: 1, shard: [0, 2] });
  };
  const flood = (shard: GatewayClient): void => {
    for (let sent = 0; sent <= 120; sent++) shard.send(1, null);
  };

  it.each<Refusal>([
    { what: 'an unknown opcode', code: 4001, act: (shard) => shard.send(77, null) },
    { what: 'what is no JSON', code: 4002, act: (shard) => shard.sendText('{') },
    { what: 'a payload before IDENTIFY', code: 4003, act: (shard) => shard.send(3, {}) },
    { what: 'a wrong token', code: 4004, act: (shard) => shard.identify([0, 2], { token: 'wrong' }) },
    { what: 'a second IDENTIFY', code: 4005, act: identifyTwice },
    { what: 'too many payloads', code: 4008, act: flood },
    { what: 'a shard that does not exist', code: 4010, act: (shard) => shard.identify([5, 2]) },
    { what: 'half a shard', code: 4010, act: (shard) => shard.identify([0.5, 2]) },
    { what: 'too few shards', code: 4011, act: (shard) => shard.identify([0, 1]), options: { minShards: 2 } },
    { what: 'another version', code: 4012, act: () => undefined, version: 6 },
    { what: 'unknown intents', code: 4013, act: (shard) => shard.identify([0, 2], { intents: 2 ** 30 }) },
    {
      what: 'intents that are not granted',
      code: 4014,
      act: (shard) => shard.identify([0, 2], { intents: 3 }),
      options: { disallowedIntents: 2 },
    },
  ])('closes on $what with $code', async ({ code, act, options = {}, version }) => {
    await start(options);
    const shard = client(version);
    if (version === undefined) await shard.hello();
    await act(shard);
    expect(await shard.untilClosed()).toBe(code);
  });

  it('ends all sessions when the identifies of the day are spent', async () => {
    await start({ sessionStartRemaining: 1, identifyIntervalMs: 0 });
    const first = client();
    await first.identify([0, 2]);
    await first.ready(5);
    expect(sandbox.report().sessionStart.remaining).toBe(0);
    const second = client();
    await second.identify([1, 2]);
    expect(await Promise.all([first.untilClosed(), second.untilClosed()])).toEqual([4004, 4004]);
    expect(sandbox.report()).toMatchObject({ tokenResets: 1, sessions: 0 });
  });

  it('gives every session of a shard every event, several side by side', async () => {
    await start({ identifyIntervalMs: 0 });
    const [one, two] = [client(), client()];
    for (const shard of [one, two]) {
      await shard.identify([0, 1]);
      await shard.ready(10);
    }
    sandbox.setRate(200);
    await until(() => one.events('INTERACTION_CREATE').length > 5);
    sandbox.setRate(0);
    const { sent } = sandbox.report();
    const interactions = (shard: GatewayClient): unknown[] =>
      shard.events('INTERACTION_CREATE').map(({ d }) => (d as { id: string }).id);
    await until(() => interactions(two).length === sent && interactions(one).length === sent);
    expect(interactions(one)).toEqual(interactions(two));
  });

  it('closes a client that sends no heartbeat, and keeps its session', async () => {
    await start({ heartbeatIntervalMs: 100 });
    const shard = client();
    await shard.identify([0, 1]);
    await shard.ready(10);
    expect(await shard.untilClosed()).toBe(4009);
    expect(sandbox.report().sessions).toBe(1);
  });

  it('spreads both kinds of events over all shards', async () => {
    await start({ guilds: 1_000, identifyIntervalMs: 0 });
    const shards = [0, 1, 2, 3].map(() => client());
    for (const [id, shard] of shards.entries()) {
      await shard.identify([id, 4], { intents: 1 | (1 << 9) | (1 << 15) });
      await shard.ready(250);
    }
    sandbox.setRate(1_000);
    await until(() => sandbox.report().sent >= 400);
    sandbox.setRate(0);
    await until(() => shards.reduce((sum, { received }) => sum + received.length, 0) > 1_400);
    for (const shard of shards) {
      for (const kind of ['INTERACTION_CREATE', 'MESSAGE_CREATE', 'CHANNEL_UPDATE']) {
        expect([kind, shard.events(kind).length > 5]).toEqual([kind, true]);
      }
    }
  });

  it('sends members on request', async () => {
    await start();
    const shard = client();
    await shard.identify([0, 1]);
    await shard.ready(10);
    const { id } = shard.events('GUILD_CREATE')[0]?.d as { id: string };
    shard.send(8, { guild_id: id, query: '', limit: 0, nonce: 'n' });
    await shard.untilEvent('GUILD_MEMBERS_CHUNK');
    expect(shard.events('GUILD_MEMBERS_CHUNK')[0]?.d).toMatchObject({ guild_id: id, nonce: 'n', chunk_count: 1 });
  });

  describe('faults', () => {
    async function ready(): Promise<{ shard: GatewayClient; sessionId: string; seq: number }> {
      const shard = client();
      await shard.identify([0, 1]);
      return { shard, ...(await shard.ready(10)) };
    }

    it('drop closes with a code, or ends the TCP connection', async () => {
      await start({ identifyIntervalMs: 0 });
      const first = await ready();
      sandbox.fault('drop', { code: 4009 });
      expect(await first.shard.untilClosed()).toBe(4009);
      const second = await ready();
      sandbox.fault('drop', { shard: 0, terminate: true });
      expect(await second.shard.untilClosed()).toBe(1006);
      sandbox.fault('drop', { shard: 7 });
    });

    it('invalidate says op 9, and forgets the session unless it is resumable', async () => {
      await start({ identifyIntervalMs: 0 });
      const { shard, sessionId, seq } = await ready();
      sandbox.fault('invalidate', { resumable: true });
      expect((await shard.untilOp(9)).d).toBe(true);
      // On the same socket, as discord.js does.
      await shard.resume(sessionId, seq);
      await shard.untilEvent('RESUMED');
      shard.received.length = 0;
      sandbox.fault('invalidate');
      expect((await shard.untilOp(9)).d).toBe(false);
      const second = client();
      await second.resume(sessionId, seq);
      expect((await second.untilOp(9)).d).toBe(false);
    });

    it('reconnect says op 7', async () => {
      await start();
      const { shard } = await ready();
      sandbox.fault('reconnect');
      await shard.untilOp(7);
    });

    it('deaf answers nothing for a while', async () => {
      await start();
      const { shard } = await ready();
      sandbox.fault('deaf', { shard: 0, seconds: 0.3 });
      const since = Date.now();
      shard.send(1, null);
      await until(() => {
        shard.send(1, null);
        return shard.received.some(({ op }) => op === 11);
      });
      expect(Date.now() - since).toBeGreaterThanOrEqual(290);
    });

    it('refuse turns connections away, outage drops them too and fails REST', async () => {
      await start({ identifyIntervalMs: 0 });
      sandbox.fault('refuse', { seconds: 60, code: 4000 });
      expect(await client().untilClosed()).toBe(4000);
      sandbox.fault('refuse', { seconds: 0 });
      const { shard, sessionId, seq } = await ready();
      sandbox.fault('outage', { seconds: 0.5 });
      expect(await shard.untilClosed()).toBe(1006);
      expect(await client().untilClosed()).toBe(1006);
      const url = `http://127.0.0.1:${port}/api/v10/gateway`;
      expect((await fetch(url)).status).toBe(503);
      await until(async () => (await fetch(url)).status === 200);
      const second = client();
      await second.resume(sessionId, seq);
      await second.untilEvent('RESUMED');
      expect(sandbox.report().connectionsRefused).toBe(2);
    });

    it('latency delays, and keeps the order when it ends', async () => {
      await start();
      const { shard, seq } = await ready();
      sandbox.fault('latency', { ms: 150, seconds: 0.2 });
      sandbox.setRate(300);
      await until(() => shard.lastSeq > seq + 100);
      sandbox.setRate(0);
      const order = shard.received.flatMap(({ s }) => s ?? []);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    });

    it('guild-outage makes guilds unavailable and brings them back', async () => {
      await start();
      const { shard } = await ready();
      sandbox.fault('guild-outage', { guilds: 2, seconds: 0.1 });
      await until(() => shard.events('GUILD_DELETE').length === 2 && shard.events('GUILD_CREATE').length === 12);
    });

    it('close-on-identify closes so many times, until it is taken back', async () => {
      await start({ identifyIntervalMs: 0 });
      sandbox.fault('close-on-identify', { code: 4014, count: 1 });
      const first = client();
      await first.identify([0, 1]);
      expect(await first.untilClosed()).toBe(4014);
      await ready();
    });

    it.each([
      ['drop', { code: 10 }, 'code: expected 1000, or a number from 3000 to 4999'],
      ['deaf', { seconds: -1 }, 'seconds: expected a number from 0 to 86400'],
      ['guild-outage', { guilds: 11 }, 'guilds: expected a number from 1 to 10'],
    ] as const)('%s says what is wrong with its options', async (name, options, message) => {
      await start();
      expect(() => sandbox.fault(name, options)).toThrow(message);
    });
  });
});
