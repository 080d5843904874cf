import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IdentifyBudget } from '../../../src/sharding/identify/budget';
import { FileIdentifyLedger } from '../../../src/sharding/identify/ledger';
import { FakeClock } from '../../support/fake-clock';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe('the account of identifies', () => {
  let dir: string;
  let file: string;
  let clock: FakeClock;
  let errors: Error[];
  let open: FileIdentifyLedger[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'botctl-ledger-'));
    file = join(dir, 'identifies.jsonl');
    clock = new FakeClock();
    errors = [];
    open = [];
  });
  afterEach(() => {
    for (const ledger of open) ledger.close();
    rmSync(dir, { recursive: true, force: true });
  });

  function ledgerOf(path = file): FileIdentifyLedger {
    const ledger = new FileIdentifyLedger(path, clock, (error) => errors.push(error));
    open.push(ledger);
    return ledger;
  }

  describe('ledger', () => {
    it('is on disk when spend returns, for its owner alone, and known to the next run', () => {
      const first = ledgerOf();
      first.spend(3);
      expect(readFileSync(file, 'utf8')).toContain('"shard":3');
      expect(statSync(file).mode & 0o777).toBe(0o600);
      // No close: the process was killed.
      expect(ledgerOf().spentSince(0)).toBe(1);
    });

    it('takes back what was not sent, also over a restart', () => {
      const first = ledgerOf();
      const id = first.spend(1);
      first.spend(2);
      first.refund(id);
      first.refund(id);
      expect(first.spentSince(0)).toBe(1);
      const second = ledgerOf();
      expect([second.spentByShard(1, 0), second.spentByShard(2, 0)]).toEqual([0, 1]);
      // Ids go on: a new entry is not taken for the one that was refunded.
      second.spend(1);
      expect(ledgerOf().spentByShard(1, 0)).toBe(1);
    });

    it('survives a torn last line and lines of nonsense', () => {
      ledgerOf().spend(1);
      appendFileSync(file, 'nonsense\n{"id":"x"}\n{"id":9,"at":');
      const next = ledgerOf();
      expect(next.spentSince(0)).toBe(1);
      next.spend(2);
      expect(ledgerOf().spentSince(0)).toBe(2);
      expect(errors).toEqual([]);
    });

    it('forgets what is older than a day, and takes a time in the future for now', async () => {
      ledgerOf().spend(1);
      await clock.advance(26 * HOUR_MS);
      const second = ledgerOf();
      expect(second.spentSince(0)).toBe(0);
      writeFileSync(file, `${JSON.stringify({ id: 1, at: clock.now() + 10 * DAY_MS, shard: 5 })}\n`);
      expect(ledgerOf().lastSpent(() => true)).toBe(clock.now());
    });

    it('tells the latest identify of a bucket', async () => {
      const ledger = ledgerOf();
      ledger.spend(0);
      const before = clock.now();
      await clock.advance(1_000);
      ledger.spend(1);
      expect(ledger.lastSpent((shard) => shard % 2 === 0)).toBe(before);
      expect(ledger.lastSpent((shard) => shard > 5)).toBeNull();
    });

    it('stays small', () => {
      const ledger = ledgerOf();
      for (let n = 0; n < 2_100; n++) ledger.refund(ledger.spend(0));
      expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThan(2_300);
      expect(ledger.spentSince(0)).toBe(0);
    });

    it('goes on in memory when the disk fails, and says so', () => {
      const ledger = ledgerOf(join(dir, 'no-folder', 'file'));
      ledger.spend(1);
      expect(ledger.spentSince(0)).toBe(1);
      expect(errors.length).toBeGreaterThan(0);
    });
  });

  describe('budget', () => {
    const limit = (
      remaining: number,
      reset_after = DAY_MS / 2,
    ): { total: number; remaining: number; reset_after: number; max_concurrency: number } => ({
      total: 1_000,
      remaining,
      reset_after,
      max_concurrency: 1,
    });

    it('knows nothing before the first answer, and refuses', () => {
      const budget = new IdentifyBudget(ledgerOf(), clock, 0.1);
      expect(budget.view()).toBeNull();
      expect(budget.refusal(true)?.reason).toBe('the identify limit is not known yet');
    });

    it('believes the lower of two accounts', async () => {
      const ledger = ledgerOf();
      const budget = new IdentifyBudget(ledger, clock, 0.1);
      for (let n = 0; n < 5; n++) ledger.spend(n);
      await clock.advance(1);
      // Discord's answer lags behind what we have just spent.
      budget.reconcile(limit(1_000), clock.now());
      expect(budget.view()?.remaining).toBe(995);
      // Somebody else has spent as well.
      budget.reconcile(limit(600), clock.now());
      expect(budget.view()?.remaining).toBe(600);
      ledger.spend(9);
      expect(budget.view()?.remaining).toBe(599);
    });

    it('keeps the reserve for operators, and the last one for nobody', () => {
      const budget = new IdentifyBudget(ledgerOf(), clock, 0.1);
      budget.reconcile(limit(100), clock.now());
      expect(budget.refusal(false)).toEqual({
        reason: '100 of 1000 identifies are left today; 100 are kept in reserve for `botctl restart`',
        until: clock.now() + DAY_MS / 2,
      });
      expect(budget.refusal(true)).toBeNull();
      budget.reconcile(limit(1), clock.now());
      expect(budget.refusal(true)?.reason).toContain('the last one is never spent');
    });

    it('is full again after the reset, less what was spent since', async () => {
      const ledger = ledgerOf();
      const budget = new IdentifyBudget(ledger, clock, 0.1);
      budget.reconcile(limit(0, HOUR_MS), clock.now());
      expect(budget.refusal(true)).not.toBeNull();
      await clock.advance(HOUR_MS);
      ledger.spend(0);
      expect(budget.view()).toMatchObject({ remaining: 999 });
      expect(budget.refusal(false)).toBeNull();
    });
  });
});
