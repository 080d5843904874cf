import type { AgentToSupervisor, Hello, Sample, ShardSession } from '../../ipc/messages';
import type { Clock } from '../../clock';
import type { Served } from '../handoff/handoff';
import { ShardTable } from './shard-table';

type SessionChanges = Extract<AgentToSupervisor, { t: 'sessions' }>['sessions'];

/** What is known of a cluster from the agent of the process that serves. */
export class ClusterFacts {
  readonly table: ShardTable;
  /** By code: what its operator should know. */
  readonly notices = new Map<string, string>();
  readonly #sessions = new Map<number, ShardSession>();
  #sample: Sample | null = null;
  #cpuPercent: number | null = null;

  constructor(
    private readonly shardIds: readonly number[],
    clock: Clock,
  ) {
    this.table = new ShardTable(shardIds, clock);
  }

  get sample(): Sample | null {
    return this.#sample;
  }

  /** Of one processor, between the last two samples. */
  get cpuPercent(): number | null {
    return this.#cpuPercent;
  }

  /** A fresh process could resume all shards, as far as is known. */
  get hasAllSessions(): boolean {
    return this.#sessions.size === this.shardIds.length;
  }

  /** Another process serves from now on: its shards are kept track of by themselves. */
  begin(): void {
    this.notices.clear();
    this.#sample = null;
    this.#cpuPercent = null;
  }

  /** No process serves its shards any more, or another one does. */
  forgetShards(): void {
    this.table.reset();
    this.#sessions.clear();
  }

  takeHello({ sessions }: Hello): void {
    for (const session of sessions) this.#sessions.set(session.shardId, session);
  }

  /** What a process serves that has taken over. */
  takeServed({ shards, sessions }: Served): void {
    this.forgetShards();
    for (const report of shards) this.table.update(report);
    for (const session of sessions) this.#sessions.set(session.shardId, session);
  }

  takeSessions(changes: SessionChanges): void {
    for (const entry of changes) {
      if ('session' in entry) this.#sessions.delete(entry.shardId);
      else this.#sessions.set(entry.shardId, entry);
    }
  }

  takeSample(sample: Sample): void {
    const previous = this.#sample;
    if (previous !== null && sample.uptimeMs > previous.uptimeMs) {
      const cpu = sample.cpuUserMs + sample.cpuSystemMs - previous.cpuUserMs - previous.cpuSystemMs;
      this.#cpuPercent = (100 * cpu) / (sample.uptimeMs - previous.uptimeMs);
    }
    this.#sample = sample;
  }
}
