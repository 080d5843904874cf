import ms from 'ms';
import type { ShardReport } from '../../ipc/messages';
import type { HealthCheck, Reading } from '../check';
import { EventRate } from '../event-rate';
import { ackAge, claimsReady, reportsOf, type LiveCluster, type LiveShard, type LiveSource } from '../live';

export interface ShardsCheckOptions {
  live: LiveSource;
  now: () => number;
  /** A heartbeat that is not acknowledged for so many intervals is lost. */
  ackIntervals: number;
  /** So many events of its usual rate may be missing before a connected shard counts as deaf. */
  missingEvents: number;
  /** A shard may take so long to connect again, ms. */
  reconnectMs: number;
}

type Verdict = Pick<Reading, 'ok' | 'message'>;

/** States of a cluster in which its shards are not merely waiting. */
const DOWN = new Set(['hung', 'backoff', 'crash-loop', 'fatal']);
/** States of a shard that has not had its turn yet: the wait is for our permits, not for the shard. */
const NOT_BEGUN = new Set(['waiting', 'connecting', 'queued']);

interface Watched {
  rate: EventRate;
  /** It has been connected before. */
  served: boolean;
  /** Since when it has not been connected, ms since the epoch. */
  awaySince: number | null;
}

/** Does each shard hear Discord? By evidence that ages: its heartbeats and its events, against its own usual rate. */
export class ShardsCheck implements HealthCheck {
  readonly name = 'shards';
  readonly scope = { kind: 'bot' } as const;
  readonly #watched = new Map<number, Watched>();

  constructor(private readonly options: ShardsCheckOptions) {}

  look(): Reading[] {
    const bot = this.options.live();
    if (bot === null) return [];
    const reports = reportsOf(bot);
    const clusters = new Map(bot.clusters.map((cluster) => [cluster.id, cluster]));
    return bot.shards.flatMap((shard) => {
      const cluster = clusters.get(shard.cluster);
      // Without the hook there is only the bot's own word.
      if (cluster === undefined || cluster.agent === false) return [];
      const verdict = this.#verdict(shard, cluster, reports.get(shard.id));
      return [{ scope: { kind: 'shard', id: shard.id } as const, ...verdict }];
    });
  }

  #verdict(shard: LiveShard, cluster: LiveCluster, report: ShardReport | undefined): Verdict {
    const watched = this.#watch(shard.id);
    const now = this.options.now();
    if (DOWN.has(cluster.state)) {
      watched.awaySince ??= now;
      return { ok: false, message: `cluster ${cluster.id} is down (${cluster.state})` };
    }
    return claimsReady(shard) ? this.#connected(watched, report, now) : this.#away(shard, watched, now);
  }

  #away({ state }: LiveShard, watched: Watched, now: number): Verdict {
    watched.awaySince ??= now;
    watched.rate.pause();
    const awayMs = now - watched.awaySince;
    if (state === 'dead') return { ok: false, message: 'closed by Discord for good' };
    if (!watched.served && NOT_BEGUN.has(state)) return { ok: null, message: `waits to be connected (${state})` };
    const message = `${state}, not connected for ${ms(awayMs)}`;
    return { ok: awayMs > this.options.reconnectMs ? false : null, message };
  }

  #connected(watched: Watched, report: ShardReport | undefined, now: number): Verdict {
    watched.served = true;
    watched.awaySince = null;
    if (report === undefined) return { ok: null, message: 'connected; no sample yet' };
    const ack = ackAge(report, this.options.ackIntervals, now);
    if (ack === null) return { ok: null, message: 'connected; no sample yet' };
    if (ack.age > ack.limit) {
      return { ok: false, message: `no heartbeat acknowledged for ${ms(ack.age)} (at most ${ms(ack.limit)})` };
    }
    watched.rate.learn(report.events, report.lastEventAt ?? report.since);
    const silentMs = now - Math.max(report.lastEventAt ?? 0, report.since);
    const missing = watched.rate.missing(silentMs);
    if (missing > this.options.missingEvents) {
      const usual = watched.rate.describe();
      return { ok: false, message: `no event for ${ms(silentMs)}, while ${usual} are usual: connected, but deaf` };
    }
    return { ok: true, message: `heartbeat acknowledged ${ms(ack.age)} ago, last event ${ms(silentMs)} ago` };
  }

  #watch(id: number): Watched {
    const known = this.#watched.get(id);
    if (known !== undefined) return known;
    const fresh: Watched = { rate: new EventRate(), served: false, awaySince: null };
    this.#watched.set(id, fresh);
    return fresh;
  }
}
