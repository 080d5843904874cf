import { statfs } from 'node:fs/promises';
import type { Observation } from '../../capacity';
import { BusyCores, cpuRoom } from '../../capacity/cpu-room';
import type { Connection } from '../../capacity/history-table';
import { memoryRoom } from '../../health';
import { MAX_GUILDS_PER_SHARD } from '../../sharding/plan';
import type { MasterView } from '../../sharding/master';

export interface SourceOptions {
  stateDir: string;
  /** null while the master does not exist yet. */
  master: () => MasterView | null;
  /** One per database shard. */
  databaseUrls: readonly string[];
  embeddedPostgres: boolean;
  /** Space that one database may take, bytes; null: not known. */
  databaseLimit: number | null;
  connect: (shard: number) => Promise<Connection>;
  onError: (what: string, error: unknown) => void;
}

/** Databases that are asked at the same time. */
const CONCURRENCY = 4;
/** Their sizes, which the server has to look up file by file, are asked for at each nth look only. */
const SIZE_EVERY = 10;

const CONNECTIONS_SQL = `
  SELECT (SELECT sum(numbackends)::int FROM pg_stat_database) AS used,
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0) AS "limit"`;
const SIZE_SQL = 'SELECT pg_database_size(current_database())::float8 AS size';

/** Looks at everything that has a limit. What does not answer is left out this time. */
export class CapacitySources {
  readonly #options: SourceOptions;
  readonly #busy = new BusyCores();
  #looks = 0;

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  async observe(): Promise<Observation[]> {
    const master = this.#options.master();
    const withSizes = this.#looks++ % SIZE_EVERY === 0;
    const [disk, databases] = await Promise.all([this.#disk(), this.#databases(withSizes)]);
    return [...this.#machine(master), ...disk, ...(master === null ? [] : botObservations(master)), ...databases];
  }

  #machine(master: MasterView | null): Observation[] {
    const memory = memoryRoom();
    const { cores, source } = cpuRoom();
    const hostBusy = this.#busy.read();
    const own = (master?.clusters ?? []).reduce((sum, { cpuPercent }) => sum + (cpuPercent ?? 0) / 100, 0);
    return [
      { resource: 'memory', scope: 'host', value: memory.usedBytes, limit: memory.limitBytes },
      // A quota is for our own processes, the machine for all that runs on it.
      { resource: 'cpu', scope: 'host', value: source === 'cgroup' ? own : hostBusy, limit: cores },
    ];
  }

  async #disk(): Promise<Observation[]> {
    return this.#attempt('the disk', async () => {
      const { used, free } = await diskRoom(this.#options.stateDir);
      return [{ resource: 'disk', scope: 'host', value: used, limit: used + free }];
    });
  }

  async #databases(withSizes: boolean): Promise<Observation[]> {
    const { databaseUrls } = this.#options;
    // One database tells the connections of its whole server.
    const first = new Map(databaseUrls.map((url, shard) => [addressOf(url), shard] as const).reverse());
    const left = databaseUrls.map((url, shard) => ({
      shard,
      server: first.get(addressOf(url)) === shard ? addressOf(url) : null,
    }));
    const todo = left.filter(({ server }) => withSizes || server !== null);
    const found: Observation[] = [];
    const worker = async (): Promise<void> => {
      for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
        const { shard, server } = next;
        found.push(...(await this.#attempt(`database shard ${shard}`, () => this.#database(shard, server, withSizes))));
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    return found;
  }

  async #database(shard: number, server: string | null, withSize: boolean): Promise<Observation[]> {
    const connection = await this.#options.connect(shard);
    try {
      const found: Observation[] = [];
      if (server !== null) {
        const { used, limit } = (await connection.query(CONNECTIONS_SQL)).rows[0] as { used: number; limit: number };
        found.push({ resource: 'connections', scope: server, value: used, limit });
      }
      if (withSize) {
        const { size } = (await connection.query(SIZE_SQL)).rows[0] as { size: number };
        found.push({ resource: 'database-size', scope: `db:${shard}`, value: size, limit: await this.#room(size) });
      }
      return found;
    } finally {
      await connection.end().catch(() => undefined);
    }
  }

  /** What a database may grow to: as the config says; that of our own server to what the disk has. */
  async #room(size: number): Promise<number | null> {
    const { databaseLimit, embeddedPostgres, stateDir } = this.#options;
    if (databaseLimit !== null) return databaseLimit;
    return embeddedPostgres ? size + (await diskRoom(stateDir)).free : null;
  }

  async #attempt(what: string, look: () => Promise<Observation[]>): Promise<Observation[]> {
    try {
      return await look();
    } catch (error) {
      this.#options.onError(what, error);
      return [];
    }
  }
}

/** What the bot's processes and Discord tell. Pure. */
export function botObservations({ totalShards, clusters, shards, identify }: MasterView): Observation[] {
  const found: Observation[] = [
    { resource: 'shards', scope: 'bot', value: totalShards, limit: null },
    { resource: 'clusters', scope: 'bot', value: clusters.length, limit: null },
  ];
  const ready = shards.filter(({ state }) => state === 'ready');
  if (ready.length > 0 && ready.length === shards.length) {
    const guilds = ready.reduce((sum, shard) => sum + shard.guilds, 0);
    found.push({ resource: 'guilds', scope: 'bot', value: guilds, limit: null });
  }
  // While most of them are still coming up, the fullest one is not among them for sure.
  if (ready.length * 2 > shards.length) {
    const fullest = ready.reduce((a, b) => (b.guilds > a.guilds ? b : a));
    found.push({
      ...{ resource: 'guilds-per-shard', scope: 'bot', value: fullest.guilds, limit: MAX_GUILDS_PER_SHARD },
      detail: `shard ${fullest.id}`,
    });
  }
  const busiest = clusters.reduce((a, b) => ((b.cpuPercent ?? -1) > (a.cpuPercent ?? -1) ? b : a), clusters[0] ?? NONE);
  if (busiest.cpuPercent !== null) {
    const detail = `cluster ${busiest.id}`;
    found.push({ resource: 'cluster-cpu', scope: 'bot', value: busiest.cpuPercent / 100, limit: 1, detail });
  }
  const heaps = clusters.flatMap(({ id, sample }) => (sample === null ? [] : { id, ...sample }));
  if (heaps.length > 0) {
    const share = ({ heapUsedBytes, heapLimitBytes }: (typeof heaps)[number]): number => heapUsedBytes / heapLimitBytes;
    const { id, heapUsedBytes: value, heapLimitBytes: limit } = heaps.reduce((a, b) => (share(b) > share(a) ? b : a));
    found.push({ resource: 'heap', scope: 'bot', value, limit, detail: `cluster ${id}` });
  }
  const { budget } = identify;
  if (budget !== null) {
    const { total: limit, remaining } = budget;
    found.push({ resource: 'identifies', scope: 'bot', value: limit - remaining, limit });
  }
  const pools = clusters.flatMap(({ sample }) => sample?.data?.pools ?? []);
  if (pools.length > 0) {
    const sum = (of: (pool: (typeof pools)[number]) => number): number => pools.reduce((n, pool) => n + of(pool), 0);
    const [value, limit] = [sum(({ inUse }) => inUse), sum(({ max }) => max)];
    found.push({ resource: 'pool-connections', scope: 'bot', value, limit });
  }
  return found;
}

const NONE = { id: -1, cpuPercent: null };

async function diskRoom(dir: string): Promise<{ used: number; free: number }> {
  const { blocks, bfree, bavail, bsize } = await statfs(dir);
  return { used: (blocks - bfree) * bsize, free: bavail * bsize };
}

/** Host and port; never a password. */
function addressOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'an address that cannot be read';
}
