import { setTimeout as delay } from 'node:timers/promises';
import type {
  AgentToSupervisor,
  BootRecord,
  DroppedState,
  HandoffGap,
  HandoffReport,
  SupervisorToAgent,
} from '../../ipc/messages';
import type { ManagedClient } from '../client/managed-client';
import type { GiveWay } from '../give-way';
import { BotState } from './bot-state';
import { Predecessor } from './predecessor';
import { RunningHandlers } from './running-handlers';
import { isForeign, Successor } from './successor';
import { Newcomer } from '../reshard/newcomer';

export interface AgentHandoffOptions {
  boot: BootRecord;
  giveWay: GiveWay | null;
  /** The client whose sessions the supervisor knows, and how many there are in all. */
  clients: () => { first: ManagedClient | undefined; count: number };
  send: (frame: AgentToSupervisor) => void;
  /** Asks the bot to take no more work; never rejects. */
  drain: (deadlineMs: number) => Promise<void>;
  /** Calls the stop handlers of the bot. */
  callStopHandlers: () => Promise<void>;
  /** Saves sessions and caches of these shards where the supervisor finds them. Never rejects. */
  leave: (client: ManagedClient, shardIds: readonly number[]) => Promise<void>;
  /** Tells the last figures of this process. */
  sample: () => void;
  /** Ends this process in order: by SIGTERM, so that the bot's own handlers run. */
  end: () => void;
}

/** A successor that has failed is given so long, ms, to say why. */
const LAST_WORDS_MS = 100;

/** Both sides of a handoff in one process: it may succeed one process and, later, be succeeded by another. */
export class AgentHandoff {
  readonly state = new BotState();
  readonly successor: Successor | null = null;
  readonly newcomer: Newcomer | null = null;
  #predecessor: Predecessor | null = null;
  #retired = false;
  #last: HandoffReport | null = null;

  constructor(private readonly options: AgentHandoffOptions) {
    const { handoff, parkDir } = options.boot;
    if (handoff === undefined) return;
    const joining = {
      ...handoff,
      parkDir,
      state: this.state,
      report: (report: HandoffReport) => this.#report(report),
      serving: (gap: HandoffGap, dropped: DroppedState, missed = 0) => this.#serving(gap, dropped, missed),
    };
    if (handoff.reshard) this.newcomer = new Newcomer(joining);
    else this.successor = new Successor({ ...joining, giveWay: options.giveWay });
  }

  get #joining(): Successor | Newcomer | null {
    return this.successor ?? this.newcomer;
  }

  /** The sessions are another process's: this one may not save them. */
  get hasGivenAway(): boolean {
    return this.#retired || (this.#predecessor?.isCut ?? false);
  }

  /** This process is to stop: a handoff that has not come to its cut is given up. */
  abort(): void {
    this.#predecessor?.abort();
  }

  onFrame(frame: Extract<SupervisorToAgent, { t: 'hand-over' | 'take-over' }>): void {
    if (frame.t === 'take-over') this.#joining?.allow();
    else if (this.#predecessor === null) void this.#handOver(frame);
  }

  /** What was said while there was no connection is said again; twice is the same as once. */
  onAttached(): void {
    if (this.#last !== null) this.options.send({ t: 'handoff', report: this.#last });
  }

  /** Without a supervisor nobody would let it take over, and the next one could not tell it from its predecessor. */
  onDetached(): void {
    if (this.#joining?.hasTaken === false) process.kill(process.pid, 'SIGKILL');
  }

  onSuccessorFailed(error: Error): void {
    this.#report({ step: 'failed', reason: error.message, restart: isForeign(error) });
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), LAST_WORDS_MS);
  }

  async #handOver(frame: Extract<SupervisorToAgent, { t: 'hand-over' }>): Promise<void> {
    const { first, count } = this.options.clients();
    if (first === undefined || count > 1) {
      const reason = first === undefined ? 'no client has logged in' : 'more than one client logs in';
      this.#report({ step: 'failed', reason, restart: true });
      return;
    }
    const { handing } = first;
    const handlers = new RunningHandlers(handing.client);
    const unfollow = handlers.follow();
    this.#predecessor = new Predecessor({
      heirs: frame.heirs,
      reshard: frame.reshard ?? null,
      messagesPerChannel: frame.messagesPerChannel,
      handing,
      state: this.state,
      report: (report) => this.#report(report),
      leave: (shardIds) => this.options.leave(first, shardIds),
    });
    const done = await this.#predecessor.run();
    unfollow();
    this.#predecessor = null;
    if (done) await this.#retire(first, handlers, frame.drainMs);
  }

  async #retire(first: ManagedClient, handlers: RunningHandlers, drainMs: number): Promise<void> {
    this.#retired = true;
    const startedAt = Date.now();
    const [done] = await Promise.all([first.drain(drainMs, () => handlers.count === 0), this.options.drain(drainMs)]);
    const left = Math.max(0, drainMs - (Date.now() - startedAt));
    await Promise.race([this.options.callStopHandlers(), delay(left, undefined, { ref: false })]);
    this.options.sample();
    this.#report({ step: 'retired', tookMs: Date.now() - startedAt, done });
    this.options.end();
  }

  #serving(gap: HandoffGap, dropped: DroppedState, missed: number): void {
    const { first } = this.options.clients();
    this.#report({
      step: 'serving',
      ...gap,
      shards: first?.reports() ?? [],
      sessions: first?.sessions() ?? [],
      dropped,
      missed,
    });
  }

  #report(report: HandoffReport): void {
    this.#last = report;
    this.options.send({ t: 'handoff', report });
  }
}
