import type { ShardPhase, ShardReport } from '../../ipc/messages';

export interface ShardChange {
  report: ShardReport;
  closeCode?: number;
  /** Events replayed by the RESUME that has just succeeded. */
  replayed?: number;
}

/** Close codes after which discord.js does not reconnect. */
const UNRECOVERABLE = new Set([4004, 4010, 4011, 4012, 4013, 4014]);

/** Keeps the facts of a client's shards, as told by the events of its gateway connections. */
export class ShardMonitor {
  readonly #reports: Map<number, ShardReport>;

  constructor(
    shardIds: readonly number[],
    /** The phase of a shard has changed. */
    private readonly onChange: (change: ShardChange) => void,
    private readonly now: () => number = Date.now,
  ) {
    this.#reports = new Map(shardIds.map((id) => [id, emptyReport(id, now())]));
  }

  get reports(): ShardReport[] {
    return [...this.#reports.values()];
  }

  get allReady(): boolean {
    return this.reports.every(({ phase }) => phase === 'ready');
  }

  phase(id: number): ShardPhase {
    return this.#reports.get(id)?.phase ?? 'idle';
  }

  connecting(id: number): void {
    this.#enter(id, 'connecting');
  }

  hello(id: number, resumes: boolean): void {
    this.#enter(id, resumes ? 'resuming' : 'queued');
  }

  identifying(id: number): void {
    const report = this.#reports.get(id);
    if (report !== undefined) report.identifies++;
    this.#enter(id, 'identifying');
  }

  /** READY has come: the guilds follow. */
  session(id: number): void {
    this.#enter(id, 'guilds');
  }

  ready(id: number): void {
    this.#enter(id, 'ready');
  }

  resumed(id: number, replayed: number): void {
    const report = this.#reports.get(id);
    if (report !== undefined) report.resumes++;
    this.#enter(id, 'ready', { replayed });
  }

  closed(id: number, code: number): void {
    const report = this.#reports.get(id);
    if (report === undefined) return;
    report.closes++;
    report.lastCloseCode = code;
    this.#enter(id, UNRECOVERABLE.has(code) ? 'dead' : 'disconnected', { closeCode: code });
  }

  dispatch(id: number): void {
    const report = this.#reports.get(id);
    if (report === undefined) return;
    report.events++;
    report.lastEventAt = this.now();
  }

  heartbeat(id: number, latencyMs: number, ackAt: number): void {
    const report = this.#reports.get(id);
    if (report === undefined) return;
    report.pingMs = latencyMs;
    report.lastAckAt = ackAt;
  }

  measured(id: number, facts: Pick<ShardReport, 'guilds' | 'unavailableGuilds' | 'heartbeatIntervalMs'>): void {
    const report = this.#reports.get(id);
    if (report !== undefined) Object.assign(report, facts);
  }

  #enter(id: number, phase: ShardPhase, extra: { closeCode?: number; replayed?: number } = {}): void {
    const report = this.#reports.get(id);
    if (report === undefined || report.phase === phase) return;
    report.phase = phase;
    report.since = this.now();
    this.onChange({ report, ...extra });
  }
}

function emptyReport(id: number, now: number): ShardReport {
  return {
    id,
    phase: 'idle',
    since: now,
    pingMs: -1,
    lastAckAt: null,
    lastEventAt: null,
    heartbeatIntervalMs: null,
    guilds: 0,
    unavailableGuilds: 0,
    events: 0,
    identifies: 0,
    resumes: 0,
    closes: 0,
    lastCloseCode: null,
  };
}
