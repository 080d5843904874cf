import type { Client } from 'pg';

/** In the order in which they run: a backup is there before anything is deleted. */
export const TASKS = [
  'backup',
  'prune-backups',
  'retention',
  'cache',
  'history',
  'vacuum',
  'reindex',
  'releases',
] as const;

export type TaskName = (typeof TASKS)[number];

export function isTaskName(name: string): name is TaskName {
  return (TASKS as readonly string[]).includes(name);
}

/** What was measured, by name: rows, bytes and the like. */
export type Figures = Record<string, number | string>;

export type StepOutcome =
  | 'done'
  | 'planned' // a dry run
  | 'skipped' // not now: the message says why
  | 'denied' // not permitted: the message has the GRANT that helps
  | 'cut' // time was up; goes on the next time
  | 'failed';

/** One piece of work: a table, an index, a backup. */
export interface StepReport {
  task: TaskName;
  /** Database shard; null: all, or none. */
  shard: number | null;
  /** Name of the table, index, backup; null: the task as a whole. */
  object: string | null;
  /** What is done, in words. */
  action: string;
  outcome: StepOutcome;
  message: string | null;
  before: Figures | null;
  after: Figures | null;
  startedAt: Date;
  ms: number;
}

export interface StepPlan {
  shard: number | null;
  object: string | null;
  action: string;
  before?: Figures;
}

/** What a task may use. */
export interface TaskContext {
  /** Number of database shards. */
  shards: number;
  dryRun: boolean;
  /** Aborted when time is up or the supervisor stops. */
  signal: AbortSignal;
  now: () => Date;
  /** A connection with low lock time-outs, whose running statement is cancelled with the signal. Ended with the task. */
  connect: (shard: number) => Promise<Client>;
  /** Does one step and reports it; a dry run only reports it. Never throws for the work's own fault. */
  step: (plan: StepPlan, work: (tell: (text: string) => void) => Promise<Figures | null>) => Promise<void>;
  /** Reports a step that is not done. */
  report: (plan: StepPlan, outcome: 'skipped' | 'denied' | 'failed', message: string) => void;
  /** Between two steps: waits while something more important is under way. @throws the signal's reason when time is up */
  checkpoint: () => Promise<void>;
}

export interface MaintenanceTask {
  readonly name: TaskName;
  /** @throws what keeps the whole task from working, or the signal's reason */
  run(context: TaskContext): Promise<void>;
}

/** Not permitted; `grant` is the statement that would permit it. */
export class DeniedError extends Error {
  override readonly name = 'DeniedError';
  constructor(
    message: string,
    readonly grant: string,
  ) {
    super(message);
  }

  get hint(): string {
    return `Allow it with: ${this.grant}`;
  }
}

/** There is a reason not to do it now. */
export class SkippedError extends Error {
  override readonly name = 'SkippedError';
}

/** Why the signal of a run is aborted. */
export class TimeUpError extends Error {
  override readonly name = 'TimeUpError';
}

/** Does the work on every shard, one after the other; one that fails does not keep the others from it. */
export async function eachShard(
  context: TaskContext,
  action: string,
  work: (client: Client, shard: number) => Promise<void>,
): Promise<void> {
  for (let shard = 0; shard < context.shards; shard++) {
    await context.checkpoint();
    let client: Client | null = null;
    try {
      client = await context.connect(shard);
      await work(client, shard);
    } catch (error) {
      context.signal.throwIfAborted();
      context.report({ shard, object: null, action }, 'failed', messageOf(error));
    } finally {
      await client?.end().catch(() => undefined);
    }
  }
}

/** What went wrong, and what to do about it where the error says so. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join('; ');
  if (!(error instanceof Error)) return String(error);
  const { hint } = error as { hint?: unknown };
  return typeof hint === 'string' ? `${error.message} ${hint}` : error.message;
}
