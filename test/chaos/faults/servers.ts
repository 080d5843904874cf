import { Client } from 'pg';
import type { Fault } from '../fault';
import type { Stage } from '../stage';

const QUIET = { identifies: 0, mayLose: false } as const;
/** A health check's look has to time out before it has failed. */
const PAUSE_VISIBLE_MS = 4_000;

function signal(server: 'postgres' | 'redis', name: NodeJS.Signals) {
  return (stage: Stage): Promise<() => void> => {
    process.kill(stage.serverPid(server), name);
    return Promise.resolve(() => undefined);
  };
}

export const serverFaults: readonly Fault[] = [
  {
    ...QUIET,
    name: 'Postgres: kill -9',
    incident: 'database-down',
    visibleAfterMs: 500,
    lastsMs: 0,
    recoversMs: 60_000,
    inject: signal('postgres', 'SIGKILL'),
  },
  {
    ...QUIET,
    name: 'Postgres: paused (SIGSTOP)',
    incident: 'database-down',
    also: ['pool-exhausted', 'slow-responses', 'error-rate'],
    visibleAfterMs: PAUSE_VISIBLE_MS,
    lastsMs: 0,
    recoversMs: 90_000,
    inject: async (stage) => {
      const pids = await backends(stage);
      for (const pid of pids) stop(pid);
      return () => undefined;
    },
  },
  {
    ...QUIET,
    name: 'Postgres: restarted (fast)',
    incident: 'database-down',
    visibleAfterMs: 500,
    lastsMs: 0,
    recoversMs: 60_000,
    inject: signal('postgres', 'SIGINT'),
  },
  {
    ...QUIET,
    name: 'Postgres: no connection left',
    incident: 'pool-exhausted',
    also: ['database-down', 'slow-responses', 'error-rate'],
    visibleAfterMs: 3_000,
    lastsMs: 10_000,
    recoversMs: 60_000,
    needsTraffic: true,
    inject: async (stage) => {
      const clients = await takeAll(stage);
      return async () => {
        await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
      };
    },
  },
  {
    ...QUIET,
    name: 'Postgres: read-only',
    incident: 'database-down',
    also: ['deferred-writes-stuck'],
    visibleAfterMs: PAUSE_VISIBLE_MS,
    lastsMs: 8_000,
    recoversMs: 60_000,
    inject: async (stage) => {
      const name = 'default_transaction_read_only';
      await stage.sql(0, `ALTER SYSTEM SET ${name} = on`, 'SELECT pg_reload_conf()');
      return async () => {
        await stage.sql(0, `SET ${name} = off`, `ALTER SYSTEM RESET ${name}`, 'SELECT pg_reload_conf()');
      };
    },
  },
  {
    ...QUIET,
    name: 'Redis: kill -9',
    incident: 'redis-down',
    visibleAfterMs: 500,
    lastsMs: 0,
    recoversMs: 40_000,
    inject: signal('redis', 'SIGKILL'),
  },
  {
    ...QUIET,
    name: 'Redis: paused (SIGSTOP)',
    incident: 'redis-down',
    visibleAfterMs: PAUSE_VISIBLE_MS,
    lastsMs: 0,
    recoversMs: 60_000,
    inject: signal('redis', 'SIGSTOP'),
  },
  {
    ...QUIET,
    name: 'Redis: full',
    incident: 'redis-down',
    visibleAfterMs: PAUSE_VISIBLE_MS,
    lastsMs: 6_000,
    recoversMs: 40_000,
    inject: async (stage) => {
      const set = (memory: string, policy: string): Promise<unknown> =>
        stage.redis(async (redis) => {
          await redis.config('SET', 'maxmemory-policy', policy);
          await redis.config('SET', 'maxmemory', memory);
        });
      const before = await stage.redis(async (redis) => ({
        memory: (await redis.config('GET', 'maxmemory'))[1] ?? '0',
        policy: (await redis.config('GET', 'maxmemory-policy'))[1] ?? 'noeviction',
      }));
      await set('1', 'noeviction');
      return async () => {
        await set(before.memory, before.policy);
      };
    },
  },
];

/** The postmaster and every process of its, as a frozen machine would have them. */
async function backends(stage: Stage): Promise<number[]> {
  const rows = await stage.sql<{ pid: number }>(0, 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
  return [stage.serverPid('postgres'), ...rows.map(({ pid }) => pid)];
}

function stop(pid: number): void {
  try {
    process.kill(pid, 'SIGSTOP');
  } catch {
    // ended meanwhile
  }
}

/** Connections until the server takes no more. */
async function takeAll(stage: Stage): Promise<Client[]> {
  const [address, password] = await stage.postgresLogin();
  const clients: Client[] = [];
  for (;;) {
    const client = new Client({ connectionString: `postgres://botctl:${password}@${address}/botctl_shard_0` });
    client.on('error', () => undefined);
    try {
      await client.connect();
      clients.push(client);
    } catch {
      return clients;
    }
  }
}
