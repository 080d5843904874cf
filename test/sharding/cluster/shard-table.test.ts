import type { ShardReport } from '../../../src/ipc/messages';
import { ShardTable } from '../../../src/sharding/cluster/shard-table';
import { FakeClock } from '../../support/fake-clock';

describe('ShardTable', () => {
  let clock: FakeClock;
  let table: ShardTable;

  beforeEach(() => {
    clock = new FakeClock();
    table = new ShardTable([4, 5], clock);
  });

  function report(id: number, over: Partial<ShardReport> = {}): ShardReport {
    return {
      id,
      phase: 'ready',
      since: clock.now(),
      pingMs: 20,
      lastAckAt: clock.now(),
      lastEventAt: clock.now(),
      heartbeatIntervalMs: 1_000,
      guilds: 10,
      unavailableGuilds: 0,
      events: 1,
      identifies: 1,
      resumes: 2,
      closes: 3,
      lastCloseCode: 4000,
      ...over,
    };
  }
  const states = (): string[] => table.observe().map(({ state }) => state);

  it('waits for reports, and is ready when all are', () => {
    expect(states()).toEqual(['waiting', 'waiting']);
    expect(table.update(report(4))).toBe('idle');
    expect(table.update(report(4))).toBeNull();
    expect(table.allReady).toBe(false);
    table.update(report(5));
    expect(table.allReady).toBe(true);
    expect(table.guilds).toBe(20);
  });

  it('ignores shards of other clusters', () => {
    expect(table.update(report(9))).toBeNull();
    expect(table.guilds).toBe(0);
  });

  it('calls a shard stale by the age of its last sign of life, not before the next sample could have told', async () => {
    table.update(report(4));
    table.update(report(5, { heartbeatIntervalMs: 41_250 }));
    await clock.advance(9_999);
    expect(states()).toEqual(['ready', 'ready']);
    await clock.advance(2);
    expect(states()).toEqual(['stale', 'ready']);
    table.update(report(4));
    expect(states()).toEqual(['ready', 'ready']);
  });

  it('knows when a shard waits for us rather than for Discord', () => {
    table.update(report(4, { phase: 'guilds' }));
    expect(table.someWaitForUs).toBe(false);
    table.update(report(5, { phase: 'queued' }));
    expect(table.someWaitForUs).toBe(true);
  });

  it('counts on over the processes of a cluster', () => {
    table.update(report(4));
    table.reset();
    expect(table.observe()[0]).toMatchObject({ state: 'waiting', identifies: 1, resumes: 2, closes: 3, guilds: 0 });
    table.update(report(4, { identifies: 1, resumes: 0, closes: 0 }));
    expect(table.observe()[0]).toMatchObject({ identifies: 2, resumes: 2, closes: 3 });
  });
});
