import { setMaxListeners } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IdentifyBudget } from '../../../src/sharding/identify/budget';
import type { IdentifyPermit } from '../../../src/sharding/identify/identify-queue';
import { FileIdentifyLedger } from '../../../src/sharding/identify/ledger';
import { LocalIdentifyQueue } from '../../../src/sharding/identify/local-identify-queue';
import { FakeClock } from '../../support/fake-clock';

const NEVER = new AbortController().signal;
setMaxListeners(0, NEVER); // one for each that waits; in use each has a signal of its own
const PACE = 5_100;

describe('LocalIdentifyQueue', () => {
  let dir: string;
  let clock: FakeClock;
  let ledger: FileIdentifyLedger;
  let budget: IdentifyBudget;
  let granted: { shard: number; holder: string; at: number; permit: IdentifyPermit }[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'botctl-queue-'));
    clock = new FakeClock();
    granted = [];
    open();
  });

  afterEach(() => {
    ledger.close();
    rmSync(dir, { recursive: true });
  });

  function open(): void {
    ledger = new FileIdentifyLedger(join(dir, 'ledger.jsonl'), clock, (error) => {
      throw error;
    });
    budget = new IdentifyBudget(ledger, clock, 0.1);
    budget.reconcile({ total: 1_000, remaining: 1_000, reset_after: 0, max_concurrency: 1 }, clock.now());
  }

  function queue(maxConcurrency = 1): LocalIdentifyQueue {
    return new LocalIdentifyQueue({ ledger, budget, clock, intervalMs: 5_000, marginMs: 100, maxConcurrency });
  }

  function ask(
    q: LocalIdentifyQueue,
    shardId: number,
    options: { holder?: string; signal?: AbortSignal; operator?: boolean; use?: boolean } = {},
  ): Promise<void> {
    const { holder = `h${shardId}`, signal = NEVER, operator = false, use = true } = options;
    return q.permit({ shardId, holder, operator }, signal).then((permit) => {
      granted.push({ shard: shardId, holder, at: clock.now(), permit });
      if (!use) return;
      permit.used();
      q.answered(shardId, holder);
    });
  }

  const shards = (): number[] => granted.map(({ shard }) => shard);

  test('paces one bucket by the interval plus the margin', async () => {
    const q = queue();
    const start = clock.now();
    for (const shard of [0, 1, 2]) void ask(q, shard);
    await clock.advance(2 * PACE);
    expect(granted.map(({ shard, at }) => [shard, at - start])).toEqual([
      [0, 0],
      [1, PACE],
      [2, 2 * PACE],
    ]);
  });

  test('uses all buckets at once', async () => {
    const q = queue(4);
    for (const shard of [0, 1, 2, 3, 4]) void ask(q, shard);
    await clock.advance(0);
    expect(shards()).toEqual([0, 1, 2, 3]);
    expect(q.queued).toBe(1);
  });

  test('counts the pace from the moment the IDENTIFY was really sent', async () => {
    const q = queue();
    void ask(q, 0, { use: false });
    void ask(q, 1);
    await clock.advance(4_000);
    granted[0]!.permit.used();
    q.answered(0, 'h0');
    await clock.advance(PACE - 1);
    expect(shards()).toEqual([0]);
    await clock.advance(1);
    expect(shards()).toEqual([0, 1]);
  });

  test('counts the pace from READY when the IDENTIFY was long on its way', async () => {
    const q = queue();
    void ask(q, 0, { use: false });
    void ask(q, 1);
    await clock.advance(0);
    granted[0]!.permit.used();
    await clock.advance(400);
    q.answered(0, 'an earlier process');
    q.answered(0, 'h0');
    await clock.advance(PACE - 1);
    expect(shards()).toEqual([0]);
    await clock.advance(1);
    expect(shards()).toEqual([0, 1]);
  });

  test('waits no longer than a second for a READY that does not come, or comes late', async () => {
    const q = queue();
    void ask(q, 0, { use: false });
    void ask(q, 1, { use: false });
    void ask(q, 2);
    await clock.advance(0);
    granted[0]!.permit.used();
    await clock.advance(PACE + 999);
    expect(shards()).toEqual([0]);
    await clock.advance(1);
    expect(shards()).toEqual([0, 1]);
    granted[1]!.permit.used();
    await clock.advance(3_000);
    q.answered(1, 'h1');
    await clock.advance(PACE + 1_000 - 3_001);
    expect(shards()).toEqual([0, 1]);
    await clock.advance(1);
    expect(shards()).toEqual([0, 1, 2]);
  });

  test('a returned permit costs neither pace nor budget', async () => {
    const q = queue();
    void ask(q, 0, { use: false });
    void ask(q, 1);
    await clock.advance(0);
    granted[0]!.permit.returned();
    await clock.advance(0);
    expect(shards()).toEqual([0, 1]);
    expect(budget.view()!.remaining).toBe(999);
  });

  test('a process that dies with a permit gives it back, but the pace is kept: it may have been sent', async () => {
    const q = queue();
    void ask(q, 0, { use: false });
    void ask(q, 1);
    await clock.advance(1_000);
    q.release('h0');
    expect(budget.view()!.remaining).toBe(1_000);
    await clock.advance(PACE - 1);
    expect(shards()).toEqual([0]);
    await clock.advance(1);
    expect(shards()).toEqual([0, 1]);
  });

  test('a permit that is never heard of again does not block the bucket for ever', async () => {
    const q = queue();
    void ask(q, 0, { use: false });
    void ask(q, 1);
    await clock.advance(30_000 + PACE + 1_000);
    expect(shards()).toEqual([0, 1]);
    granted[0]!.permit.returned(); // late: no effect
    expect(budget.view()!.remaining).toBe(998);
  });

  test('an aborted wait leaves the line', async () => {
    const q = queue();
    const abort = new AbortController();
    void ask(q, 0);
    const waiting = ask(q, 1, { signal: abort.signal });
    void ask(q, 2);
    abort.abort();
    await expect(waiting).rejects.toThrow();
    await clock.advance(PACE);
    expect(shards()).toEqual([0, 2]);
  });

  test('a shard that identifies over and over goes behind the others', async () => {
    const q = queue();
    for (let i = 0; i < 3; i++) {
      void ask(q, 7);
      await clock.advance(PACE);
    }
    granted = [];
    void ask(q, 6, { use: false });
    await clock.advance(PACE);
    void ask(q, 7);
    void ask(q, 1);
    granted[0]!.permit.used();
    q.answered(6, granted[0]!.holder);
    await clock.advance(2 * PACE);
    expect(shards()).toEqual([6, 1, 7]);
  });

  test('only the head of each line may hold a connection open', async () => {
    const q = queue();
    const turns: number[] = [];
    for (const shardId of [0, 1, 2, 3]) {
      void q.turn({ shardId, holder: 'h', operator: false }, NEVER).then(() => turns.push(shardId));
    }
    await clock.advance(0);
    expect(turns).toEqual([0, 1]);
    void ask(q, 0, { holder: 'h' });
    await clock.advance(0);
    expect(turns).toEqual([0, 1, 2]);
  });

  test('a slow connector at the head does not hold up who asks behind it', async () => {
    const q = queue();
    void q.turn({ shardId: 0, holder: 'h', operator: false }, NEVER);
    void ask(q, 1);
    await clock.advance(0);
    expect(shards()).toEqual([1]);
  });

  test('keeps the reserve for operators and never spends the last one', async () => {
    budget.reconcile({ total: 1_000, remaining: 101, reset_after: 3_600_000, max_concurrency: 1 }, clock.now());
    const q = queue();
    void ask(q, 0);
    void ask(q, 1);
    await clock.advance(60_000);
    expect(shards()).toEqual([0]);
    expect(q.blocked).toMatch(/100 of 1000 identifies are left today; 100 are kept in reserve/);
    void ask(q, 2, { operator: true });
    await clock.advance(3_600_000);
    expect(shards().slice(0, 3)).toEqual([0, 1, 2]);

    budget.reconcile({ total: 1_000, remaining: 1, reset_after: 3_600_000, max_concurrency: 1 }, clock.now());
    void ask(q, 3, { operator: true });
    await clock.advance(3_000_000);
    expect(shards()).not.toContain(3);
  });

  test('waits for the reset and goes on by itself', async () => {
    budget.reconcile({ total: 1_000, remaining: 100, reset_after: 7_200_000, max_concurrency: 1 }, clock.now());
    const q = queue();
    void ask(q, 0);
    await clock.advance(7_199_999);
    expect(shards()).toEqual([]);
    await clock.advance(2_000);
    expect(shards()).toEqual([0]);
    expect(q.blocked).toBeNull();
  });

  test('a restarted supervisor forgets neither the pace nor what was spent', async () => {
    void ask(queue(), 0);
    await clock.advance(1_000);
    ledger.close();
    open();
    // Discord's answer may be behind: our own account of the running window counts as well.
    budget.reconcile({ total: 1_000, remaining: 1_000, reset_after: 80_000_000, max_concurrency: 1 }, clock.now());
    expect(budget.view()!.remaining).toBe(999);
    const q = queue();
    void ask(q, 1);
    // The ledger knows when the permit was given, not when the IDENTIFY arrived: up to a second later.
    await clock.advance(PACE + 1_000 - 1_001);
    expect(shards()).toEqual([0]);
    await clock.advance(1);
    expect(shards()).toEqual([0, 1]);
  });

  test('the spending is on disk before the permit is given', async () => {
    let onDisk = '';
    const permit = queue().permit({ shardId: 5, holder: 'h', operator: false }, NEVER);
    onDisk = readFileSync(join(dir, 'ledger.jsonl'), 'utf8');
    await permit;
    expect(JSON.parse(onDisk)).toMatchObject({ shard: 5, at: clock.now() });
  });

  test('a fatal latch stops all permits until it is lifted', async () => {
    const q = queue();
    q.halt('4014');
    void ask(q, 0);
    await clock.advance(60_000);
    expect(shards()).toEqual([]);
    expect(q.blocked).toBe('4014');
    q.resume();
    await clock.advance(0);
    expect(shards()).toEqual([0]);
  });

  test('a change of max_concurrency lays the lines anew without losing anyone', async () => {
    const q = queue(1);
    for (const shard of [0, 1, 2, 3]) void ask(q, shard);
    await clock.advance(0);
    q.setMaxConcurrency(4);
    await clock.advance(PACE);
    expect(shards().sort()).toEqual([0, 1, 2, 3]);
  });

  test('never breaks the pace of any bucket in random use', async () => {
    let seed = 42;
    const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
    const q = queue(4);
    const sent: { key: number; at: number }[] = [];
    const client = async (shardId: number): Promise<void> => {
      for (let i = 0; i < 6; i++) {
        const permit = await q.permit({ shardId, holder: `h${shardId}`, operator: false }, NEVER);
        await new Promise<void>((resolve) => clock.after(random() * 3_000, resolve));
        if (random() < 0.2) {
          permit.returned();
        } else {
          permit.used();
          // On its way to Discord, which counts arrivals; READY comes back some time later.
          clock.after(random() * 900, () => sent.push({ key: shardId % 4, at: clock.now() }));
          clock.after(900 + random() * 2_000, () => q.answered(shardId, `h${shardId}`));
        }
      }
    };
    const all = Promise.all(Array.from({ length: 12 }, (_, shard) => client(shard)));
    await clock.advance(30 * 60_000);
    await all;
    for (const key of [0, 1, 2, 3]) {
      const times = sent.filter((entry) => entry.key === key).map(({ at }) => at);
      const gaps = times.slice(1).map((at, i) => at - times[i]!);
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(5_000);
    }
    expect(budget.view()!.remaining).toBe(1_000 - sent.length);
  });
});
