import { BUCKETS, bucketOf } from '../../src/ipc/bucket-scale';
import type { Sample, ShardReport } from '../../src/ipc/messages';
import type { Fact } from '../../src/metrics';
import type { Readings } from '../../src/ipc/readings';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** 2026-01-01, on the hour. */
export const START = Date.UTC(2026, 0, 1);

export function aShard(id: number, facts: Partial<ShardReport> = {}): ShardReport {
  return {
    id,
    phase: 'ready',
    since: START,
    pingMs: 40,
    lastAckAt: START,
    lastEventAt: START,
    heartbeatIntervalMs: 41_250,
    guilds: 1_000,
    unavailableGuilds: 0,
    events: 0,
    identifies: 1,
    resumes: 0,
    closes: 0,
    lastCloseCode: null,
    ...facts,
  };
}

export function aSample(facts: Partial<Sample> = {}): Sample {
  return {
    at: START,
    uptimeMs: 0,
    rssBytes: 100e6,
    heapUsedBytes: 40e6,
    heapLimitBytes: 4e9,
    cpuUserMs: 0,
    cpuSystemMs: 0,
    loopDelayMeanMs: 0,
    loopDelayP99Ms: 1,
    loopDelayMaxMs: 2,
    unhandledRejections: 0,
    shards: [],
    ...facts,
  };
}

export function readings(facts: Partial<Readings> = {}): Readings {
  return { counters: [], gauges: [], sketches: [], ...facts };
}

/** Values as an agent's sketch tells them. */
export function sketch(values: readonly number[]): { sum: number; buckets: number[] } {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(bucketOf(value), (counts.get(bucketOf(value)) ?? 0) + 1);
  return { sum: values.reduce((a, b) => a + b, 0), buckets: [...counts].flat() };
}

/** A small generator with a seed: the same fleet in every run. */
export function random(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

const TYPES = ['MESSAGE_CREATE', 'INTERACTION_CREATE', 'PRESENCE_UPDATE', 'TYPING_START', 'GUILD_MEMBER_UPDATE'];
const ROUTES = Array.from({ length: 12 }, (_, index) => `POST /route-${index}/:id`);
const CACHES = ['guilds', 'users', 'channels', 'members', 'roles', 'presences', 'voice_states', 'emojis', 'messages'];

/** One process of a busy bot; each sample goes on where the last one ended, with everything that an agent reports. */
export class SimulatedCluster {
  readonly incarnation: string;
  #seq = 0;
  #counters = new Map<string, number>();
  #sketches = new Map<string, { sum: number; counts: Float64Array }>();
  readonly #shards: ShardReport[];

  constructor(
    readonly id: number,
    shardIds: readonly number[],
    private readonly rng: () => number,
  ) {
    this.incarnation = `c${id}`;
    this.#shards = shardIds.map((shard) => aShard(shard));
  }

  sample(at: number): Sample {
    this.#seq++;
    const { rng } = this;
    for (const shard of this.#shards) {
      shard.events += Math.floor(rng() * 200);
      if (rng() < 0.1) shard.pingMs = 30 + rng() * 40;
      if (rng() < 0.001) shard.guilds++;
    }
    return aSample({
      seq: this.#seq,
      at,
      rssBytes: 500e6 + rng() * 100e6,
      heapUsedBytes: 300e6 + rng() * 50e6,
      cpuUserMs: this.#seq * 800,
      cpuSystemMs: this.#seq * 80,
      loopDelayMeanMs: rng(),
      loopDelayP99Ms: rng() * 5,
      loopDelayMaxMs: rng() * 20,
      shards: this.#shards,
      readings: {
        counters: [
          ...TYPES.map((type) => this.#counter('events_total', { type }, 300)),
          ...['command', 'component', 'autocomplete'].map((kind) => this.#counter('interactions_total', { kind }, 40)),
          this.#counter('interaction_failures_total', { reason: 'unanswered' }, 2),
          this.#counter('messages_total', undefined, 400),
          ...ROUTES.map((route) => this.#counter('rest_requests_total', { route, status: '200' }, 20)),
          ...['200', '204', '404'].map((status) => this.#counter('cluster_rest_requests_total', { status }, 40)),
        ],
        gauges: [
          ...CACHES.map((kind) => ({
            name: 'discord_cache_entries',
            labels: { kind },
            value: Math.round(10_000 + rng() * 1_000),
          })),
          { name: 'members', value: 1e6 },
        ],
        sketches: [
          this.#sketch('interaction_response_seconds', undefined, 10),
          this.#sketch('interaction_latency_seconds', undefined, 10),
          ...ROUTES.map((route) => this.#sketch('rest_request_duration_seconds', { route }, 3)),
          this.#sketch('gc_pause_seconds', { kind: 'minor' }, 5),
          this.#sketch('gc_pause_seconds', { kind: 'major' }, 1),
        ],
      },
    });
  }

  /** What the supervisor itself sees of its shards. */
  facts(): Fact[] {
    return this.#shards.flatMap((shard): Fact[] => {
      const labels = { cluster: String(this.id), shard: String(shard.id) };
      return [
        { name: 'shard_ready', labels, value: 1 },
        { name: 'shard_ping_seconds', labels, value: shard.pingMs / 1_000 },
        { name: 'shard_guilds', labels, value: shard.guilds },
      ];
    });
  }

  #counter(name: string, labels: Record<string, string> | undefined, most: number): Readings['counters'][number] {
    const key = name + JSON.stringify(labels);
    const value = (this.#counters.get(key) ?? 0) + Math.floor(this.rng() * most);
    this.#counters.set(key, value);
    return { name, ...(labels && { labels }), value };
  }

  #sketch(name: string, labels: Record<string, string> | undefined, count: number): Readings['sketches'][number] {
    const key = name + JSON.stringify(labels);
    const known = this.#sketches.get(key) ?? { sum: 0, counts: new Float64Array(BUCKETS) };
    this.#sketches.set(key, known);
    const changed = new Set<number>();
    for (let index = 0; index < count; index++) {
      // Log-normal, as latencies are.
      const value = 0.05 * Math.exp((this.rng() + this.rng() + this.rng() - 1.5) * 1.5);
      const bucket = bucketOf(value);
      known.counts[bucket] = (known.counts[bucket] ?? 0) + 1;
      known.sum += value;
      changed.add(bucket);
    }
    const buckets = [...changed].flatMap((bucket) => [bucket, known.counts[bucket] ?? 0]);
    return { name, ...(labels && { labels }), sum: known.sum, buckets };
  }
}
