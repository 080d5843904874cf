import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentTimings } from '../../ipc/messages';
import type { BotSpec } from '../bot-spec';
import type { ClusterPlan } from '../plan';
import type { RosterEntry } from '../roster';
import type { ClusterBoot, ClusterDeps } from './cluster-deps';
import type { ClusterProcess, ProcessExit } from './cluster-process';
import { Incarnation, newIncarnation, type IncarnationOptions } from './incarnation';

export interface LaunchRequest {
  spec: BotSpec;
  /** What a process is told at its boot that not all are; by its id. */
  extra: (id: string) => Pick<ClusterBoot, 'resume' | 'handoff'>;
  /** An operator asked for it: its identifies may use the reserve. */
  operator: boolean;
  /** The incarnations that it is to succeed. */
  successorOf: readonly string[];
}

export interface LauncherHooks {
  /** Its process has ended. */
  onExit: (run: Incarnation, exit: ProcessExit) => Promise<void>;
  /** How often the cluster was started again, for the next supervisor to go on from. */
  restarts: () => number;
}

/** Starts the processes of a cluster, or takes them over, and keeps them in the roster. */
export class Launcher {
  constructor(
    private readonly plan: ClusterPlan,
    private readonly deps: ClusterDeps,
    private readonly hooks: LauncherHooks,
  ) {}

  get timings(): AgentTimings {
    const { sampleIntervalMs, graceMs, checkpointMs } = this.deps.settings;
    return { sampleIntervalMs, graceMs, checkpointMs };
  }

  /** Starts a process and writes it into the roster. @throws LaunchError, or what the file system throws */
  launch({ spec, extra, operator, successorOf }: LaunchRequest): Incarnation {
    const { clock, roster, totalShards } = this.deps;
    const { id, dir } = newIncarnation(roster, this.plan.id);
    try {
      const boot: ClusterBoot = {
        clusterId: this.plan.id,
        incarnation: id,
        shardIds: [...this.plan.shardIds],
        totalShards,
        parkDir: dir,
        timings: this.timings,
        ...extra(id),
      };
      const process = this.deps.launch(spec, boot, join(dir, 'out.log'), join(dir, 'err.log'));
      const run = this.#incarnation({
        ...{ id, spec, dir, process, operator, successorOf },
        spawnedAt: clock.now(),
        adopted: false,
        offsets: { out: 0, err: 0 },
      });
      try {
        this.#writeRoster(run);
      } catch (error) {
        process.kill('SIGKILL'); // nobody could find it again
        throw error;
      }
      return run;
    } catch (error) {
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Takes over the process of an earlier supervisor. */
  adopt(entry: RosterEntry, spec: BotSpec, process: ClusterProcess): Incarnation {
    const { incarnation: id, spawnedAt, outOffset, errOffset } = entry;
    return this.#incarnation({
      ...{ id, spec, process, spawnedAt },
      dir: join(this.deps.roster.dir, id),
      adopted: true,
      operator: false,
      offsets: { out: outOffset, err: errOffset },
      successorOf: [],
    });
  }

  /** Writes how things stand with a process. On a full disk the entry stays as it was; each checkpoint tries again. */
  note(run: Incarnation): void {
    try {
      this.#writeRoster(run);
    } catch {
      // the disk check tells of it
    }
  }

  /** Nothing is left to find of a process that has ended. */
  forget(run: Incarnation): void {
    this.deps.roster.remove(run.id);
    rmSync(run.dir, { recursive: true, force: true });
  }

  /** Where a process listens for those that hand over to it. */
  socketOf(incarnation: string): string {
    return join(this.deps.socketDir, `${incarnation}.sock`);
  }

  #incarnation(options: Omit<IncarnationOptions, 'queue' | 'gate' | 'clock' | 'onLine' | 'onSkipped'>): Incarnation {
    const { queue, gate, clock, emit } = this.deps;
    const cluster = this.plan.id;
    const run = new Incarnation({
      ...options,
      ...{ queue, gate, clock },
      onLine: (line) => emit({ type: 'cluster.output', cluster, line }),
      onSkipped: (bytes) => emit({ type: 'cluster.output-skipped', cluster, bytes }),
    });
    run.ended = run.process.exited.then((exit) => this.hooks.onExit(run, exit));
    return run;
  }

  /** @throws what the file system throws */
  #writeRoster(run: Incarnation): void {
    const { roster, totalShards } = this.deps;
    run.writeRoster(roster, {
      clusterId: this.plan.id,
      shardIds: [...this.plan.shardIds],
      totalShards,
      restarts: this.hooks.restarts(),
    });
  }
}
