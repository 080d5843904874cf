import type { Client } from 'pg';
import type { MaintenanceListener, RunOutcome, RunTrigger } from './events';
import { History, type RunRecord, type StepRecord } from './history';
import { HeldElsewhereError, HostLock } from './host-lock';
import { Run } from './run';
import { type Due, leftFirst, missedWindow, nextDue, type ScheduleSettings } from './schedule';
import { type MaintenanceTask, messageOf, type StepReport, type TaskName, TimeUpError } from './task';
import { windowMs } from './window';

/** Time; injected so that tests can move it. */
export interface Clock {
  now(): number;
  after(ms: number, fn: () => void): () => void;
}

export interface MaintenanceOptions {
  tasks: readonly MaintenanceTask[];
  schedule: ScheduleSettings;
  /** Missed windows are made up when botctl is up again; false: only told. */
  catchUp: boolean;
  /** Number of database shards. */
  shards: number;
  /** A connection to a database shard. */
  connect: (shard: number) => Promise<Client>;
  /** How other hosts are to call us. */
  host: string;
  /** Why nothing should be done now, such as an incident or a rollout; null: nothing speaks against it. */
  busy: () => string | null;
  emit: MaintenanceListener;
  onStep?: (step: StepReport) => void;
  clock: Clock;
}

export interface RunRequest {
  /** Tasks; null: all. */
  tasks: readonly TaskName[] | null;
  dryRun: boolean;
  /** Also while something more important is under way. */
  force: boolean;
}

export interface RunReport {
  id: number | null;
  trigger: RunTrigger;
  outcome: RunOutcome;
  message: string | null;
  startedAt: Date;
  ms: number;
  steps: StepReport[];
}

/** How it stands, for `status`. */
export interface MaintenanceView {
  next: { at: Date; tasks: TaskName[] } | null;
  /** What is being done now. */
  running: { trigger: RunTrigger; since: Date; text: string } | null;
  last: { trigger: RunTrigger; startedAt: Date; endedAt: Date; outcome: RunOutcome; message: string | null } | null;
  /** Tasks whose last run failed, with what they said. */
  failing: { task: TaskName; message: string }[];
}

/** A run is refused; `host` when another one is at it. */
export class MaintenanceRefusedError extends Error {
  override readonly name = 'MaintenanceRefusedError';
  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** The clock is looked at again at least this often: it may be set, or the machine sleep, ms. */
const LOOK_MS = 10 * 60_000;
/** Databases and bot come first after a start, ms. */
const CATCH_UP_MS = 5 * 60_000;
/** Held up by something more important, or by databases that are down, a run tries again, ms. */
const RETRY_MS = 30_000;

/** Looks after the databases, each night in a window and whenever it is told to. */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #history: History;
  readonly #stopping = new AbortController();
  readonly #failing = new Map<TaskName, string>();
  #cancel: () => void = () => undefined;
  #cancelCatchUp: () => void = () => undefined;
  /** Work that is due is being done, or waits for something more important. */
  #dueNow = false;
  #running: MaintenanceView['running'] = null;
  #last: MaintenanceView['last'] = null;
  #work: Promise<unknown> = Promise.resolve();
  /** Work that was due before is not due again. */
  #since: Date;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
    this.#history = new History(() => options.connect(0));
    this.#since = new Date(options.clock.now());
  }

  start(): void {
    this.#arm();
    this.#cancelCatchUp = this.#options.clock.after(CATCH_UP_MS, () => {
      this.#work = this.#catchUp().catch(() => undefined);
    });
    this.#work = this.#readLast();
  }

  /** What is under way is broken off; it goes on in the next window. */
  async stop(): Promise<void> {
    this.#stopping.abort(new TimeUpError('the supervisor stops'));
    this.#cancel();
    this.#cancelCatchUp();
    await this.#work.catch(() => undefined);
  }

  view(): MaintenanceView {
    const due = nextDue(this.#options.schedule, this.#since);
    return {
      next: due === null ? null : { at: due.at, tasks: due.tasks },
      running: this.#running,
      last: this.#last,
      failing: [...this.#failing].map(([task, message]) => ({ task, message })),
    };
  }

  get history(): History {
    return this.#history;
  }

  async recent(limit: number): Promise<{ runs: RunRecord[]; steps: StepRecord[] }> {
    const runs = await this.#history.runs(limit);
    const [newest] = runs;
    return { runs, steps: newest === undefined ? [] : await this.#history.steps(newest.id) };
  }

  /**
   * Runs now, for as long as a window is.
   * @throws MaintenanceRefusedError
   */
  async runNow(
    request: RunRequest,
    tell: (text: string) => void,
    onStep: (step: StepReport) => void,
  ): Promise<RunReport> {
    if (this.#running !== null) throw new MaintenanceRefusedError('Maintenance is running here already.');
    const busy = request.force ? null : this.#options.busy();
    if (busy !== null && !request.dryRun) {
      throw new MaintenanceRefusedError(`Not now: ${busy}.`, 'Wait for its end, or use --force.');
    }
    const names = this.#options.tasks.map(({ name }) => name);
    const until = new Date(this.#options.clock.now() + windowMs(this.#options.schedule.window));
    const work = this.#run({ tasks: [...(request.tasks ?? names)], until, trigger: 'now' }, request, tell, onStep);
    this.#work = work.catch(() => undefined);
    try {
      return await work;
    } catch (error) {
      if (error instanceof HeldElsewhereError) {
        throw new MaintenanceRefusedError(error.message, 'One host does it for all: look there.');
      }
      throw error;
    }
  }

  #arm(): void {
    if (this.#stopping.signal.aborted) return;
    const now = this.#options.clock.now();
    const due = nextDue(this.#options.schedule, this.#since);
    const wait = due === null ? LOOK_MS : Math.min(LOOK_MS, Math.max(0, due.at.getTime() - now));
    this.#cancel = this.#options.clock.after(wait, () => {
      if (due === null || this.#options.clock.now() < due.at.getTime()) {
        this.#arm();
        return;
      }
      this.#since = due.at;
      this.#work = this.#scheduled(due)
        .catch(() => undefined)
        .then(() => this.#arm());
    });
  }

  /** In its window: waits while something speaks against it, and begins late rather than not. */
  async #scheduled(due: Omit<Due, 'trigger'> & { trigger: RunTrigger }): Promise<void> {
    this.#dueNow = true;
    try {
      await this.#attempt(due);
    } finally {
      this.#dueNow = false;
    }
  }

  async #attempt(due: Omit<Due, 'trigger' | 'at'> & { trigger: RunTrigger }): Promise<void> {
    const { clock, busy, emit } = this.#options;
    let reason = 'the window was over before it could begin';
    while (clock.now() < due.until.getTime() && !this.#stopping.signal.aborted) {
      const why = this.#running !== null ? 'maintenance is running by command' : busy();
      if (why === null) {
        const left = await this.#history.left().catch(() => []);
        try {
          await this.#run({ ...due, tasks: leftFirst(due.tasks, left) }, { dryRun: false, force: false });
          return;
        } catch (error) {
          reason = messageOf(error);
          if (error instanceof HeldElsewhereError) break;
        }
      } else reason = why;
      await this.#pause(RETRY_MS);
    }
    if (!this.#stopping.signal.aborted) emit({ type: 'maintenance.skipped', trigger: due.trigger, reason });
  }

  /** Ends early when we stop. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#options.clock.after(ms, end);
      signal.addEventListener('abort', end);
    });
  }

  async #catchUp(): Promise<void> {
    const { schedule, clock, catchUp, emit } = this.#options;
    const now = new Date(clock.now());
    const missed = missedWindow(schedule.window, await this.#history.lastInWindow(), now);
    if (missed === null || this.#running !== null || this.#dueNow) return;
    if (!catchUp) {
      const window = missed.start.toISOString();
      emit({ type: 'maintenance.missed', window, reason: 'botctl did not run in this window' });
      return;
    }
    const tasks = schedule.tasks.filter((task) => task.schedule === null).map(({ name }) => name);
    const until = now < missed.end ? missed.end : new Date(now.getTime() + windowMs(schedule.window));
    if (tasks.length > 0) await this.#scheduled({ tasks, at: now, until, trigger: 'catch-up' });
  }

  async #run(
    { tasks: names, until, trigger }: { tasks: readonly TaskName[]; until: Date; trigger: RunTrigger },
    { dryRun, force }: Pick<RunRequest, 'dryRun' | 'force'>,
    tell: (text: string) => void = () => undefined,
    onStep: (step: StepReport) => void = () => undefined,
  ): Promise<RunReport> {
    const { clock, connect, host, emit, busy } = this.#options;
    const startedAt = new Date(clock.now());
    const time = new AbortController();
    const cancelTime = clock.after(until.getTime() - clock.now(), () =>
      time.abort(new TimeUpError('the window is over; it goes on in the next one')),
    );
    const signal = AbortSignal.any([time.signal, this.#stopping.signal]);
    this.#running = { trigger, since: startedAt, text: 'starting' };
    let lock: HostLock | null = null;
    try {
      lock = dryRun
        ? null
        : await HostLock.acquire(
            () => connect(0),
            host,
            (reason) => time.abort(reason),
          );
      const id = dryRun ? null : await this.#history.begin(host, trigger);
      if (!dryRun) emit({ type: 'maintenance.started', trigger, tasks: names });
      const run = new Run({
        tasks: names.flatMap((name) => this.#options.tasks.find((task) => task.name === name) ?? []),
        ...{ dryRun, signal, connect, shards: this.#options.shards },
        busy: force ? () => null : busy,
        onStep: (step) => {
          this.#options.onStep?.(step);
          onStep(step);
        },
        tell: (text) => {
          if (this.#running !== null) this.#running = { ...this.#running, text };
          tell(text);
        },
        now: () => clock.now(),
      });
      const steps = await run.run();
      const outcome = outcomeOf(steps);
      const message = outcome === 'cut' ? messageOf(signal.reason) : null;
      const ms = clock.now() - startedAt.getTime();
      const report: RunReport = { id, trigger, outcome, message, startedAt, ms, steps };
      if (id !== null) await this.#conclude(id, report, names);
      return report;
    } finally {
      cancelTime();
      this.#running = null;
      await lock?.release();
    }
  }

  async #conclude(id: number, report: RunReport, tasks: readonly TaskName[]): Promise<void> {
    const { trigger, outcome, message, startedAt, ms, steps } = report;
    const { emit, clock } = this.#options;
    this.#last = { trigger, startedAt, endedAt: new Date(clock.now()), outcome, message };
    for (const task of tasks)
      this.#judge(
        task,
        steps.filter((step) => step.task === task),
      );
    const failed = steps.filter((step) => step.outcome === 'failed').length;
    const done = steps.filter((step) => step.outcome === 'done').length;
    emit({ type: 'maintenance.ended', trigger, outcome, done, failed, ms });
    await this.#history.end(id, outcome, message, steps);
  }

  #judge(task: TaskName, steps: readonly StepReport[]): void {
    const { emit } = this.#options;
    const failed = steps.find((step) => step.outcome === 'failed');
    if (failed !== undefined) {
      const message = failed.message ?? 'it failed';
      this.#failing.set(task, message);
      emit({ type: 'maintenance.failed', task, shard: failed.shard, message });
    } else if (steps.every((step) => step.outcome !== 'cut')) {
      emit({ type: 'maintenance.recovered', task, failed: this.#failing.delete(task) });
    }
  }

  /** Of the supervisor before this one. */
  async #readLast(): Promise<void> {
    const runs = await this.#history.runs(20).catch(() => []);
    const last = runs.find(({ endedAt }) => endedAt !== null);
    if (last?.endedAt == null || this.#last !== null) return;
    const { trigger, startedAt, endedAt, outcome, message } = last;
    this.#last = { trigger, startedAt, endedAt, outcome: outcome ?? 'done', message };
  }
}

/** A step that was not permitted is told, but makes no failure: nothing will change by itself. Pure. */
export function outcomeOf(steps: readonly StepReport[]): RunOutcome {
  if (steps.some(({ outcome }) => outcome === 'failed')) return 'failed';
  return steps.some(({ outcome }) => outcome === 'cut') ? 'cut' : 'done';
}
