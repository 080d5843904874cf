import { rmSync } from 'node:fs';
import type { BotSpec } from '../bot-spec';
import type { Clock } from '../../clock';
import type { MasterEventListener } from '../events';
import { Handoff, type HandoffResult, type HandoffSettings, type Served } from '../handoff/handoff';
import type { HandoffStep, ReplaceOptions, ReplaceOutcome } from '../handoff/replace';
import type { Turns } from '../handoff/turns';
import type { Incarnation } from './incarnation';
import type { ClusterState } from './observed-cluster';

/** A handoff in which a cluster has a part. `over`: it has come to its end, and all clusters have been told. */
export interface HandoffUnderWay {
  abort: AbortController;
  over: Promise<unknown>;
  /** A shard of another number has its session. */
  onIdentified?: () => void;
}

/** The cluster whose process is replaced. */
export interface Replaceable {
  readonly id: number;
  readonly shardIds: readonly number[];
  readonly state: ClusterState;
  /** What it runs now. */
  readonly spec: BotSpec;
  /** IDENTIFYs that its processes have spent. */
  readonly identifies: number;
  /** Why sessions and caches cannot go over to another process now, or null. */
  readonly obstacle: string | null;
  /** Other clusters have its shards. */
  readonly isGone: boolean;
  readonly isStopping: boolean;
  /** The process that is the cluster. */
  readonly serving: Incarnation | null;
  /** Deaths before the replacement do not count after it. */
  forgive(): void;
  stop(): Promise<void>;
  assign(spec: BotSpec): void;
  start(options: { operator: boolean }): void;
  /** Ready, down, or slow beyond `timeoutMs`. */
  settled(timeoutMs?: number): Promise<void>;
  /** Starts a process that waits for the shards. @throws LaunchError, or what the file system throws */
  launchSuccessor(spec: BotSpec, operator: boolean): Incarnation;
  /** Where a process listens for those that hand over to it. */
  socketOf(incarnation: string): string;
  /** Until `note(null)`. */
  handingOver(handoff: HandoffUnderWay): void;
  /** Where the handoff stands; null: it is over. */
  note(step: HandoffStep | null): void;
  /** The successor serves: from now on it is the cluster. */
  succeed(predecessor: Incarnation, successor: Incarnation, served: Served): void;
  /** Waits for the end of a process that has given all away and may drain so long, ms. */
  retire(predecessor: Incarnation, drainMs: number): Promise<void>;
}

export interface ReplacementDeps {
  clock: Clock;
  emit: MasterEventListener;
  /** null: a process is always stopped before the next one starts. */
  handoff: HandoffSettings | null;
  turns: Turns;
}

/** What has taken over is waited for so long, ms, until it answers as fast as a process that has run for a while. */
const WARM_UP_MS = 3_000;

/** Puts a fresh process in the place of a cluster's: by handoff where that is possible, else by stop and start. */
export class Replacement {
  constructor(
    private readonly cluster: Replaceable,
    private readonly deps: ReplacementDeps,
  ) {}

  /** Resolves when the cluster is settled (ready, or down for good); never rejects. One at a time. */
  async run({
    spec = this.cluster.spec,
    cold = false,
    operator = true,
    readyTimeoutMs,
    onStep,
    signal,
  }: ReplaceOptions): Promise<ReplaceOutcome> {
    const { cluster } = this;
    const { clock, emit } = this.deps;
    const startedAt = clock.now();
    const { identifies } = cluster;
    const outcome = (how: ReplaceOutcome['how'], reason: string | null, served: Served | null): ReplaceOutcome => ({
      how,
      reason,
      ready: cluster.state === 'ready',
      identifies: cluster.identifies - identifies,
      gapMs: served?.gapMs ?? null,
      caughtUpMs: served?.caughtUpMs ?? null,
      tookMs: clock.now() - startedAt,
      dropped: served?.dropped ?? null,
    });
    if (signal?.aborted === true) return outcome('kept', 'it was given up before it began', null);
    if (cluster.isGone) return outcome('kept', 'other clusters have its shards by now', null);
    const step = (name: HandoffStep): void => onStep?.(name);
    cluster.forgive();
    const obstacle = cold ? 'a restart was asked for' : cluster.obstacle;
    const restart = async (reason: string): Promise<ReplaceOutcome> => {
      step('stopping');
      await cluster.stop();
      cluster.assign(spec);
      step('starting');
      cluster.start({ operator });
      await cluster.settled(readyTimeoutMs);
      return outcome('restart', reason, null);
    };
    if (obstacle !== null) return restart(obstacle);

    const result = await this.#handOver(spec, operator, step, signal ?? null);
    if (result.ok) {
      await cluster.settled();
      return outcome('handoff', null, result.served);
    }
    emit({ type: 'cluster.handoff-failed', cluster: cluster.id, reason: result.reason });
    if (result.restart) return restart(result.reason);
    if (!cluster.isStopping) await cluster.settled();
    return outcome('kept', result.reason, null);
  }

  async #handOver(
    spec: BotSpec,
    operator: boolean,
    step: (name: HandoffStep) => void,
    signal: AbortSignal | null,
  ): Promise<HandoffResult> {
    const { cluster } = this;
    const { clock, emit, handoff: settings, turns } = this.deps;
    const predecessor = cluster.serving;
    if (predecessor === null || settings === null) return { ok: false, reason: 'it has ended', restart: true };
    let successor: Incarnation;
    try {
      successor = cluster.launchSuccessor(spec, operator);
    } catch (error) {
      return { ok: false, reason: `its successor could not be started: ${(error as Error).message}`, restart: false };
    }
    const socketPath = cluster.socketOf(successor.id);
    const onStep = (name: HandoffStep): void => {
      cluster.note(name);
      emit({ type: 'cluster.handoff', cluster: cluster.id, step: name, pid: successor.process.pid });
      step(name);
    };
    const abort = new AbortController();
    let endTurn = (): void => undefined;
    const leader = new Handoff({
      ...{ predecessor, successor, socketPath, settings, clock, onStep },
      shardIds: cluster.shardIds,
      turn: async (aborted) => {
        endTurn = await turns.take(aborted);
      },
    });
    const leading = leader.run(signal === null ? abort.signal : AbortSignal.any([signal, abort.signal]));
    const over = leading.then((result) => {
      if (result.ok) cluster.succeed(predecessor, successor, result.served);
      else predecessor.ceding = false;
      rmSync(socketPath, { force: true });
    });
    cluster.handingOver({ abort, over });
    try {
      const result = await leading;
      await over;
      if (result.ok) {
        onStep('draining');
        const warm = successor.pulse.calm(WARM_UP_MS).finally(endTurn);
        await Promise.all([cluster.retire(predecessor, settings.drainMs), warm]);
      }
      return result;
    } finally {
      endTurn(); // else no other cluster would be handed over any more
      cluster.note(null);
    }
  }
}
