import type { ShardReport } from '../../ipc/messages';
import type { Clock } from '../../clock';

/** A shard as `status` shows it; see control/contract for the states. */
export type ObservedShardState =
  | 'waiting'
  | 'connecting'
  | 'queued'
  | 'identifying'
  | 'guilds'
  | 'resuming'
  | 'ready'
  | 'stale'
  | 'disconnected'
  | 'dead';

export interface ObservedShard {
  id: number;
  state: ObservedShardState;
  pingMs: number | null;
  lastAckAgeMs: number | null;
  lastEventAgeMs: number | null;
  guilds: number;
  unavailableGuilds: number;
  resumes: number;
  identifies: number;
  closes: number;
  lastCloseCode: number | null;
}

type Counters = Pick<ShardReport, 'resumes' | 'identifies' | 'closes'>;

/** A shard that claims to be ready is stale when its last ack is older than so many heartbeat intervals. */
const STALE_INTERVALS = 2.5;
/** Acks are reported with the samples, every 5 s: what we know of them may be that old, and a little more, ms. */
const REPORT_AGE_MS = 7_500;

/** The shards of one cluster over all its incarnations: counters go on where a dead process left them. */
export class ShardTable {
  readonly #reports = new Map<number, ShardReport>();
  readonly #before = new Map<number, Counters>();

  constructor(
    private readonly shardIds: readonly number[],
    private readonly clock: Clock,
  ) {}

  /** Takes a report in; returns the previous phase when it differs. */
  update(report: ShardReport): ShardReport['phase'] | null {
    if (!this.shardIds.includes(report.id)) return null;
    const previous = this.#reports.get(report.id)?.phase ?? 'idle';
    this.#reports.set(report.id, report);
    return previous === report.phase ? null : previous;
  }

  /** The process is gone: its counters are kept, its shards are not. */
  reset(): void {
    for (const [id, report] of this.#reports) {
      const before = this.#before.get(id);
      this.#before.set(id, {
        resumes: report.resumes + (before?.resumes ?? 0),
        identifies: report.identifies + (before?.identifies ?? 0),
        closes: report.closes + (before?.closes ?? 0),
      });
    }
    this.#reports.clear();
  }

  get allReady(): boolean {
    return this.shardIds.every((id) => this.#state(id) === 'ready');
  }

  /** True while a shard waits for the gate or the queue: that wait is ours, not the bot's. */
  get someWaitForUs(): boolean {
    return [...this.#reports.values()].some(({ phase }) => phase === 'connecting' || phase === 'queued');
  }

  get guilds(): number {
    let sum = 0;
    for (const report of this.#reports.values()) sum += report.guilds;
    return sum;
  }

  /** IDENTIFYs sent so far, over all incarnations. */
  get identifies(): number {
    return this.observe().reduce((sum, shard) => sum + shard.identifies, 0);
  }

  observe(): ObservedShard[] {
    const now = this.clock.now();
    const age = (at: number | null | undefined): number | null =>
      typeof at === 'number' ? Math.max(0, now - at) : null;
    return this.shardIds.map((id) => {
      const report = this.#reports.get(id);
      const before = this.#before.get(id);
      return {
        id,
        state: this.#state(id),
        pingMs: report !== undefined && report.pingMs >= 0 ? report.pingMs : null,
        lastAckAgeMs: age(report?.lastAckAt),
        lastEventAgeMs: age(report?.lastEventAt),
        guilds: report?.guilds ?? 0,
        unavailableGuilds: report?.unavailableGuilds ?? 0,
        resumes: (report?.resumes ?? 0) + (before?.resumes ?? 0),
        identifies: (report?.identifies ?? 0) + (before?.identifies ?? 0),
        closes: (report?.closes ?? 0) + (before?.closes ?? 0),
        lastCloseCode: report?.lastCloseCode ?? null,
      };
    });
  }

  #state(id: number): ObservedShardState {
    const report = this.#reports.get(id);
    if (report === undefined || report.phase === 'idle') return 'waiting';
    if (report.phase !== 'ready') return report.phase;
    return this.#isStale(report) ? 'stale' : 'ready';
  }

  #isStale({ heartbeatIntervalMs, lastAckAt, lastEventAt, since }: ShardReport): boolean {
    if (heartbeatIntervalMs === null) return false;
    const evidence = Math.max(lastAckAt ?? 0, lastEventAt ?? 0, since);
    return this.clock.now() - evidence > heartbeatIntervalMs * STALE_INTERVALS + REPORT_AGE_MS;
  }
}
