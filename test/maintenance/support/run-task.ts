import type { Client } from 'pg';
import { Run } from '../../../src/maintenance/run';
import type { MaintenanceTask, StepReport } from '../../../src/maintenance/task';

/** Runs one task on the first `shards` databases, without a window or load that holds it up. */
export function runTask(
  task: MaintenanceTask,
  { connect, shards, signal }: { connect: (shard: number) => Promise<Client>; shards: number; signal?: AbortSignal },
): Promise<StepReport[]> {
  return new Run({
    ...{ tasks: [task], shards, dryRun: false, signal: signal ?? new AbortController().signal, connect },
    ...{ now: Date.now, busy: () => null, onStep: () => undefined, tell: () => undefined },
  }).run();
}
