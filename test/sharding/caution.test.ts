import { setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConnectGate } from '../../src/sharding/connect/connect-gate';
import { IdentifyBudget } from '../../src/sharding/identify/budget';
import { FileIdentifyLedger } from '../../src/sharding/identify/ledger';
import { LocalIdentifyQueue } from '../../src/sharding/identify/local-identify-queue';
import { FakeClock } from '../support/fake-clock';

const NEVER = new AbortController().signal;
// Many wait on it at once.
setMaxListeners(0, NEVER);

describe('the gate, while Discord is known to be out', () => {
  function scene() {
    const clock = new FakeClock();
    const attempts: string[] = [];
    const gate = new ConnectGate({
      clock,
      backoffMinMs: 1_000,
      backoffMaxMs: 60_000,
      failureThreshold: 5,
      random: () => 0.5,
      onAttempt: (key, reason) => attempts.push(`${key} ${reason ?? 'ok'}`),
    });
    let tries = 0;
    const go = (key: string): Promise<void> =>
      gate.pass(key, false, NEVER).then(() => {
        tries++;
      });
    return { clock, gate, go, attempts, tries: () => tries };
  }

  it('one success does not forgive: the delays go on growing, and the second failure closes it again', async () => {
    const { clock, gate, go } = scene();
    gate.caution(true);
    for (const key of ['a/0', 'a/1']) void go(key).then(() => gate.failed(key, 'refused'));
    await clock.advance(0);
    expect(gate.view.gate).toBe('backing-off');
    const first = (gate.view.retryAt ?? 0) - clock.now();
    void go('a/2').then(() => gate.succeeded('a/2'));
    await clock.advance(first);
    expect(gate.view.gate).toBe('passing');
    for (const key of ['a/3', 'a/4']) void go(key).then(() => gate.failed(key, 'refused'));
    await clock.advance(0);
    expect(gate.view.gate).toBe('backing-off');
    expect((gate.view.retryAt ?? 0) - clock.now()).toBeGreaterThan(first);
  });

  it('without caution the delay begins anew after a success', async () => {
    const { clock, gate, go } = scene();
    const fail = async (): Promise<number> => {
      for (const n of [1, 2, 3, 4, 5]) void go(`a/${n}`).then(() => gate.failed(`a/${n}`, 'refused'));
      await clock.advance(0);
      return (gate.view.retryAt ?? 0) - clock.now();
    };
    const first = await fail();
    void go('a/9').then(() => gate.succeeded('a/9'));
    await clock.advance(first);
    gate.caution(false);
    expect(await fail()).toBe(first);
  });

  it('can be told to try at once, and tells each attempt', async () => {
    const { clock, gate, go, attempts, tries } = scene();
    gate.caution(true);
    for (const key of ['a/0', 'a/1']) void go(key).then(() => gate.failed(key, 'refused'));
    await clock.advance(0);
    void go('a/2').then(() => gate.succeeded('a/2'));
    await clock.advance(0);
    expect(tries()).toBe(2);
    gate.probeNow();
    await clock.advance(0);
    expect(tries()).toBe(3);
    expect(attempts).toEqual(['a/0 refused', 'a/1 refused', 'a/2 ok']);
  });
});

describe('the identify queue, while Discord is known to be out', () => {
  const dir = mkdtempSync(join(tmpdir(), 'botctl-caution-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  function scene() {
    const clock = new FakeClock();
    const ledger = new FileIdentifyLedger(join(dir, `${Math.random()}.jsonl`), clock, (error) => {
      throw error;
    });
    const budget = new IdentifyBudget(ledger, clock, 0.1);
    budget.reconcile({ total: 1_000, remaining: 1_000, reset_after: 0, max_concurrency: 16 }, clock.now());
    const queue = new LocalIdentifyQueue({ ledger, budget, clock, intervalMs: 5_000, marginMs: 0, maxConcurrency: 16 });
    const granted: number[] = [];
    for (let shardId = 0; shardId < 16; shardId++) {
      void queue.permit({ shardId, holder: 'a', operator: false }, NEVER).then((permit) => {
        granted.push(shardId);
        permit.used();
      });
    }
    return { clock, queue, granted };
  }

  it('gives one permit a minute over all buckets, until READY has answered one', async () => {
    const { clock, queue, granted } = scene();
    expect(granted).toEqual([]);
    queue.caution(true);
    await clock.advance(0);
    const before = granted.length; // those that were given before it was known
    const late = new Promise<void>((resolve) => {
      void queue.permit({ shardId: 16, holder: 'a', operator: false }, NEVER).then((permit) => {
        permit.used();
        resolve();
      });
    });
    for (let shardId = 17; shardId < 32; shardId++) {
      void queue.permit({ shardId, holder: 'a', operator: false }, NEVER).then((permit) => {
        granted.push(shardId);
        permit.used();
      });
    }
    await clock.advance(59_000);
    expect(granted.length - before).toBeLessThanOrEqual(1);
    await clock.advance(120_000);
    expect(granted.length - before).toBeLessThanOrEqual(3);
    queue.answered(16, 'a');
    await late;
    await clock.advance(10_000);
    expect(granted.length - before).toBe(15);
  });
});
