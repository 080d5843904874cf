import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { BotChecks } from '../../../src/health/checks/bot';
import { DiscordCheck } from '../../../src/health/checks/discord';
import { EventLoopCheck } from '../../../src/health/checks/event-loop';
import { IdentifyBudgetCheck } from '../../../src/health/checks/identify-budget';
import { MemoryCheck } from '../../../src/health/checks/memory';
import type { LiveBot } from '../../../src/health/live';
import { memoryRoom } from '../../../src/health/memory-room';
import type { Sample } from '../../../src/ipc/messages';
import { aBot, aReport, aSample, HEARTBEAT_MS } from '../support/live-bot';

const NOW = 1_800_000_000_000;
const GB = 1024 ** 3;

function botWith(sample: Partial<Sample>): LiveBot {
  const bot = aBot(NOW, []);
  return { ...bot, clusters: [{ ...bot.clusters[0]!, sample: aSample(NOW, [], sample) }] };
}

describe('memory', () => {
  const room = { limitBytes: 8 * GB, usedBytes: 2 * GB, source: 'host' as const };
  const look = (bot: LiveBot | null, over: Partial<ConstructorParameters<typeof MemoryCheck>[0]> = {}) =>
    new MemoryCheck({ live: () => bot, room: () => room, maxShare: 0.9, clusterLimitBytes: null, ...over }).look();

  it.each<[string, Partial<Sample>, number | null, boolean]>([
    ['little of everything', {}, null, true],
    ['a resident set near its limit', { rssBytes: 0.95 * GB }, GB, false],
    ['a resident set near what there is', { rssBytes: 7.5 * GB }, null, false],
    ['a heap near where V8 gives up', { heapUsedBytes: 3.9 * GB, heapLimitBytes: 4 * GB }, null, false],
    ['a heap that is full only by its own size', { heapUsedBytes: 0.2 * GB, heapLimitBytes: 4 * GB }, null, true],
  ])('%s', (_, sample, clusterLimitBytes, ok) => {
    const [host, cluster] = look(botWith(sample), { clusterLimitBytes });
    expect(host).toMatchObject({
      scope: { kind: 'host' },
      ok: true,
      message: '2 GB of 8 GB (25 %) of the machine in use',
    });
    expect(cluster).toMatchObject({ scope: { kind: 'cluster', id: 0 }, ok });
  });

  it('a machine without room is unwell, with a bot or without', () => {
    expect(look(null, { room: () => ({ ...room, usedBytes: 7.9 * GB }) })).toMatchObject([{ ok: false }]);
  });
});

describe('the room', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'botctl-cgroup-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function write(files: Record<string, string | number>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), `${text}\n`);
    }
  }

  it('is the machine where there are no control groups, or none with a limit', () => {
    expect(memoryRoom(root)).toMatchObject({ source: 'host', limitBytes: totalmem() });
    write({
      'proc/self/cgroup': '0::/a',
      'sys/fs/cgroup/a/memory.max': 'max',
      'sys/fs/cgroup/a/memory.current': 500e6,
    });
    expect(memoryRoom(root).source).toBe('host');
    expect(memoryRoom().limitBytes).toBeLessThanOrEqual(totalmem());
  });

  it('is what a control group of version 2 leaves, page cache aside', () => {
    write({
      'proc/self/cgroup': '0::/pod/bot',
      'sys/fs/cgroup/pod/bot/memory.max': 100e6,
      'sys/fs/cgroup/pod/bot/memory.current': 90e6,
      'sys/fs/cgroup/pod/bot/memory.stat': 'anon 1\ninactive_file 40000000\nactive_file 2',
    });
    expect(memoryRoom(root)).toEqual({ source: 'cgroup', limitBytes: 100e6, usedBytes: 50e6 });
  });

  it('is the tightest of all limits above', () => {
    write({
      'proc/self/cgroup': '0::/pod/bot',
      'sys/fs/cgroup/pod/bot/memory.max': 80e6,
      'sys/fs/cgroup/pod/bot/memory.current': 10e6,
      'sys/fs/cgroup/pod/memory.max': 100e6,
      'sys/fs/cgroup/pod/memory.current': 95e6,
    });
    expect(memoryRoom(root)).toMatchObject({ limitBytes: 100e6, usedBytes: 95e6 });
  });

  it('is found in a container, where the path is that of the host, and in version 1', () => {
    write({
      'proc/self/cgroup': '5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/docker/abc',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': 64e6,
      'sys/fs/cgroup/memory/memory.usage_in_bytes': 60e6,
      'sys/fs/cgroup/memory/memory.stat': 'cache 9\ninactive_file 1\ntotal_inactive_file 20000000',
    });
    expect(memoryRoom(root)).toEqual({ source: 'cgroup', limitBytes: 64e6, usedBytes: 40e6 });
  });
});

describe('the event loop', () => {
  const look = (bot: LiveBot) => new EventLoopCheck({ live: () => bot, now: () => NOW, maxDelayMs: 1_000 }).look();

  it.each<[string, Partial<Sample>, boolean, RegExp]>([
    ['comes round in time', {}, true, /^delay 3 ms/],
    ['comes round late', { loopDelayP99Ms: 1_500 }, false, /^delay 1500 ms .*well is up to 1000 ms/],
    ['was late once', { loopDelayMaxMs: 3_000 }, true, /at most 3000 ms/],
    ['stands still', { at: NOW - 20_000 }, false, /^stands still: not a word for 20s$/],
  ])('%s', (_, sample, ok, message) => {
    const [reading] = look(botWith(sample));
    expect(reading).toMatchObject({ scope: { kind: 'cluster', id: 0 }, ok });
    expect(reading!.message).toMatch(message);
  });

  it('of a process that has not told yet is no matter', () => {
    const bot = aBot(NOW, []);
    expect(look({ ...bot, clusters: [{ ...bot.clusters[0]!, sample: null }] })).toEqual([]);
    expect(look({ ...bot, clusters: [{ ...bot.clusters[0]!, state: 'hung', sample: null }] })[0]!.ok).toBe(false);
  });
});

describe('the identify budget', () => {
  const look = (remaining: number | null, minShare = 0) => {
    const budget = remaining === null ? null : { total: 1_000, remaining, reserve: 100, resetAt: NOW + 3_600_000 };
    const bot = aBot(NOW, [], { identify: { budget } });
    return new IdentifyBudgetCheck({ live: () => bot, now: () => NOW, minShare }).look()[0]!;
  };

  it.each([
    [900, 0, true, '900 of 1000 identifies left, reset in 1h'],
    [101, 0, true, '101 of 1000 identifies left, reset in 1h'],
    [100, 0, false, '100 of 1000 identifies left, reset in 1h: only the reserve of 100 is left'],
    [250, 0.25, false, '250 of 1000 identifies left, reset in 1h'],
    [251, 0.25, true, '251 of 1000 identifies left, reset in 1h'],
    [null, 0, null, 'not known yet'],
  ])('%s left, share %s: %s', (remaining, minShare, ok, message) => {
    expect(look(remaining, minShare)).toMatchObject({ ok, message });
  });
});

describe('Discord', () => {
  let now = NOW;
  let asked: number;
  let answers: boolean;
  let bot: LiveBot | null;
  let check: DiscordCheck;

  beforeEach(() => {
    now = NOW;
    asked = 0;
    answers = true;
    bot = null;
    check = new DiscordCheck({
      live: () => bot,
      now: () => now,
      ackIntervals: 2,
      reach: () => {
        asked++;
        return answers ? Promise.resolve() : Promise.reject(new Error('refused'));
      },
    });
  });
  const look = async () => (await check.look(new AbortController().signal))[0]!;
  const deaf = (id: number) => aReport(id, now, { lastAckAt: now - 600_000 });

  it.each([
    ['all shards', 4, 0, true],
    ['half of the shards', 2, 2, true],
    ['few shards', 1, 3, false],
    ['no shard', 0, 4, false],
  ])('heard by %s', async (_, hearing, silent, ok) => {
    const reports = [...Array(hearing + silent).keys()].map((id) => (id < hearing ? aReport(id, now) : deaf(id)));
    bot = aBot(now, reports);
    expect(await look()).toMatchObject({
      ok,
      message: `${hearing} of ${hearing + silent} connected shards have their heartbeats acknowledged`,
    });
    expect(asked).toBe(0);
  });

  it('is asked over REST while no shard is connected', async () => {
    bot = aBot(now, [aReport(0, now, { phase: 'queued', lastAckAt: null })]);
    expect(await look()).toMatchObject({ ok: true });
    answers = false;
    expect((await look()).message).toBe('no shard is connected, and the REST API does not answer: refused');
    bot = null;
    expect((await look()).ok).toBe(false);
  });

  it('is lost when no shard has heard of it for long, although REST answers', async () => {
    bot = aBot(now, [aReport(0, now)]);
    expect((await look()).ok).toBe(true);
    now += 5_000;
    bot = aBot(now, [aReport(0, now, { phase: 'resuming', lastAckAt: NOW - 10_000 })]);
    expect((await look()).ok).toBe(true);
    now += 5 * HEARTBEAT_MS;
    expect(await look()).toMatchObject({ ok: false, message: expect.stringContaining('no shard has had') as string });
  });

  it('refuses: the gate and a fatal cause say so', async () => {
    bot = aBot(now, [aReport(0, now)], { gate: { gate: 'backing-off', reason: 'HTTP 503' } });
    expect((await look()).message).toBe('the gateway refuses connections: HTTP 503');
    bot = aBot(now, [], { fatal: 'Discord refused the token.' });
    expect(await look()).toMatchObject({ ok: false, message: 'Discord refused the token.' });
  });
});

describe("the bot's own checks", () => {
  const mine = { name: 'mine', ok: true, message: 'says yes', at: NOW, intervalMs: 10_000, timeoutMs: 1_000 };
  const look = (health: NonNullable<Sample['health']>) => {
    const bot = botWith({ health });
    return new BotChecks({ live: () => bot, now: () => NOW }).look();
  };

  it.each([
    [mine, true, 'says yes'],
    [{ ...mine, ok: false, message: 'no node' }, false, 'no node'],
    [{ ...mine, ok: null, at: null }, null, 'has not run yet'],
    [{ ...mine, at: NOW - 38_000 }, true, 'says yes'],
    [{ ...mine, at: NOW - 40_000 }, false, 'has not run for 40s'],
  ])('%j', (sample, ok, message) => {
    expect(look([sample])).toEqual([{ check: 'bot:mine', scope: { kind: 'cluster', id: 0 }, ok, message }]);
  });

  it('are bounded, whatever a process says', () => {
    const many = Array.from({ length: 1_000 }, (_, i) => ({ ...mine, name: `${i}`.padEnd(500, 'x') }));
    const readings = look(many);
    expect(readings).toHaveLength(32);
    expect(readings[0]!.check!.length).toBeLessThan(80);
  });
});
