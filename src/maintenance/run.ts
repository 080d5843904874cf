import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { cancelWith, yieldingSession } from './session';
import {
  DeniedError,
  type MaintenanceTask,
  messageOf,
  SkippedError,
  type StepOutcome,
  type StepPlan,
  type StepReport,
  type TaskContext,
  type TaskName,
} from './task';

export interface RunOptions {
  tasks: readonly MaintenanceTask[];
  shards: number;
  dryRun: boolean;
  signal: AbortSignal;
  /** A plain connection to a database shard. */
  connect: (shard: number) => Promise<Client>;
  /** Why nothing should be done now; null: nothing speaks against it. */
  busy: () => string | null;
  onStep: (step: StepReport) => void;
  /** Where the run is, for people. */
  tell: (text: string) => void;
  now: () => number;
}

const BUSY_LOOK_MS = 5_000;

/** Runs tasks one after the other. A step that fails keeps no other one from being done. */
export class Run {
  readonly steps: StepReport[] = [];

  constructor(private readonly options: RunOptions) {}

  /** Never rejects: what went wrong is in the steps. */
  async run(): Promise<StepReport[]> {
    for (const task of this.options.tasks) {
      const before = this.steps.length;
      try {
        this.options.signal.throwIfAborted();
        await this.#task(task);
      } catch (error) {
        const outcome = this.options.signal.aborted ? 'cut' : outcomeOf(error);
        // The step that was under way has said so.
        if (outcome === 'cut' && this.steps.slice(before).some((step) => step.outcome === 'cut')) continue;
        this.#add(
          task.name,
          { shard: null, object: null, action: task.name },
          outcome,
          sentence(error),
          this.options.now(),
        );
      }
    }
    return this.steps;
  }

  async #task(task: MaintenanceTask): Promise<void> {
    const { options } = this;
    const clients: { client: Client; release: () => void }[] = [];
    const context: TaskContext = {
      shards: options.shards,
      dryRun: options.dryRun,
      signal: options.signal,
      now: () => new Date(options.now()),
      connect: async (shard) => {
        const client = await options.connect(shard);
        clients.push({ client, release: cancelWith(options.signal, client, () => options.connect(shard)) });
        await yieldingSession(client);
        return client;
      },
      step: (plan, work) => this.#step(task.name, plan, work),
      report: (plan, outcome, message) => this.#add(task.name, plan, outcome, message, options.now()),
      checkpoint: () => this.#checkpoint(),
    };
    try {
      await task.run(context);
    } finally {
      for (const { client, release } of clients) {
        release();
        await client.end().catch(() => undefined);
      }
    }
  }

  async #step(task: TaskName, plan: StepPlan, work: Parameters<TaskContext['step']>[1]): Promise<void> {
    const { dryRun, signal, tell, now } = this.options;
    const startedAt = now();
    if (dryRun) {
      this.#add(task, plan, 'planned', null, startedAt);
      return;
    }
    await this.#checkpoint();
    const name = stepName(plan);
    tell(name);
    try {
      const after = await work((text) => tell(`${name}: ${text}`));
      this.#add(task, plan, 'done', null, startedAt, after);
    } catch (error) {
      const outcome = signal.aborted ? 'cut' : outcomeOf(error);
      this.#add(task, plan, outcome, signal.aborted ? sentence(signal.reason) : sentence(error), startedAt);
      signal.throwIfAborted();
    }
  }

  async #checkpoint(): Promise<void> {
    const { signal, busy, tell } = this.options;
    for (let reason = busy(); reason !== null; reason = busy()) {
      tell(`waiting: ${reason}`);
      await delay(BUSY_LOOK_MS, undefined, { signal }).catch(() => undefined);
      signal.throwIfAborted();
    }
    signal.throwIfAborted();
  }

  #add(
    task: TaskName,
    { shard, object, action, before }: StepPlan,
    outcome: StepOutcome,
    message: string | null,
    startedAt: number,
    after: StepReport['after'] = null,
  ): void {
    const step: StepReport = {
      ...{ task, shard, object, action, outcome, message, after },
      before: before ?? null,
      startedAt: new Date(startedAt),
      ms: Math.round(this.options.now() - startedAt),
    };
    this.steps.push(step);
    this.options.onStep(step);
  }
}

/** "database shard 2: public.log: vacuum". */
export function stepName({ shard, object, action }: Pick<StepPlan, 'shard' | 'object' | 'action'>): string {
  return [shard === null ? null : `database shard ${shard}`, object, action].filter((part) => part !== null).join(': ');
}

const PERMISSION_DENIED = '42501';

function outcomeOf(error: unknown): StepOutcome {
  if (error instanceof DeniedError || (error as { code?: unknown }).code === PERMISSION_DENIED) return 'denied';
  return error instanceof SkippedError ? 'skipped' : 'failed';
}

function sentence(error: unknown): string {
  return error instanceof DeniedError ? `${error.message} Allow it with: ${error.grant}` : messageOf(error);
}
