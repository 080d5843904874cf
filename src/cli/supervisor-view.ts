import { CONTROL_API_VERSION, EXIT, type Status } from '../control/contract';
import { ControlClient, ControlUnreachable } from '../control/client';
import { controlSocketPath } from '../control/socket-path';
import { isRunning, readSupervisorRecord, type SupervisorRecord } from '../supervisor/supervisor-lock';
import type { Located } from '../config/locate';

/** The status of a supervisor as it tells it, or, when it does not answer, as its traces tell it. Starts nothing. */
export async function observe(located: Located): Promise<Status> {
  try {
    return await new ControlClient(controlSocketPath(located.stateDir)).status();
  } catch (error) {
    if (!(error instanceof ControlUnreachable) || error.failure === 'forbidden') throw error;
    const record = readSupervisorRecord(located.stateDir);
    return record !== null && isRunning(record) ? silent(located, record, error) : dead(located, record);
  }
}

export function exitCodeOf({ verdict }: Pick<Status, 'verdict'>): number {
  return verdict === 'well' ? EXIT.ok : verdict === 'degraded' ? EXIT.failed : EXIT.notRunning;
}

/** The process lives, but its socket does not answer. */
function silent({ stateDir }: Located, record: SupervisorRecord, { failure }: ControlUnreachable): Status {
  const status = empty(stateDir, record, record.name);
  status.verdict = 'degraded';
  const busy = failure === 'not-running' && record.state !== 'running';
  status.supervisor.state = busy ? record.state : 'deaf';
  status.problems = busy
    ? [`The supervisor (process ${record.pid}) is ${record.state}.`]
    : [
        `The supervisor (process ${record.pid}) runs, but does not answer. The clusters serve on without it: ` +
          `end it with kill -9 ${record.pid}, then \`botctl start\` takes them over.`,
      ];
  return status;
}

async function dead({ stateDir, readName }: Located, record: SupervisorRecord | null): Promise<Status> {
  const status = empty(stateDir, record, record?.name ?? (await readName()));
  // What the record says of a process that is gone is history.
  status.supervisor.pid = null;
  status.supervisor.uptimeSeconds = null;
  status.supervisor.http = null;
  if (record !== null) {
    status.problems = ['The supervisor ended without cleaning up: killed, or the machine went down. See: botctl logs'];
  }
  return status;
}

function empty(stateDir: string, record: SupervisorRecord | null, name: string): Status {
  const off = { kind: 'off', state: 'off', address: null, version: null, message: null } as const;
  return {
    apiVersion: CONTROL_API_VERSION,
    bot: { name, entry: null, totalShards: null },
    supervisor: {
      state: 'dead',
      pid: record?.pid ?? null,
      uptimeSeconds: record === null ? null : Math.round((Date.now() - record.startedAt) / 1_000),
      version: record?.version ?? null,
      rssBytes: null,
      message: null,
      http: record?.http ?? null,
      stateDir,
      sandbox: record?.sandbox ?? false,
    },
    clusters: [],
    shards: [],
    identify: {
      total: null,
      remaining: null,
      reserve: null,
      resetAt: null,
      maxConcurrency: null,
      queued: 0,
      blocked: null,
    },
    gateway: { gate: 'passing', retryAt: null, reason: null },
    outage: null,
    rest: null,
    postgres: { ...off, shards: 0 },
    redis: off,
    data: null,
    health: null,
    deploy: null,
    incidents: [],
    capacity: null,
    maintenance: null,
    verdict: 'down',
    problems: [],
    actions: [],
  };
}
