import ms from 'ms';
import { reasonOf, type HealthCheck, type Reading } from '../check';
import { ackAge, claimsReady, reportsOf, type LiveBot, type LiveSource } from '../live';

export interface DiscordCheckOptions {
  live: LiveSource;
  now: () => number;
  /** A heartbeat that is not acknowledged for so many intervals is lost. */
  ackIntervals: number;
  /** Asks Discord's REST API for something that costs nothing; rejects when it is not answered. */
  reach: (signal: AbortSignal) => Promise<void>;
}

/** Without an acknowledged heartbeat on any shard for so many intervals, the gateway counts as lost. */
const LOST_INTERVALS = 2;
const SCOPE = { kind: 'bot' } as const;

/** Is there a Discord? By the heartbeats of the shards; while no shard is connected, by asking. */
export class DiscordCheck implements HealthCheck {
  readonly name = 'discord';
  readonly scope = SCOPE;
  #heardAt: number | null = null;
  #longestInterval = 0;

  constructor(private readonly options: DiscordCheckOptions) {}

  async look(signal: AbortSignal): Promise<Reading[]> {
    const bot = this.options.live();
    if (bot?.fatal != null) return [bad(bot.fatal)];
    if (bot !== null && bot.gate.gate !== 'passing') {
      return [bad(`the gateway refuses connections: ${bot.gate.reason ?? 'no reason given'}`)];
    }
    return [(bot === null ? null : this.#byHeartbeats(bot)) ?? (await this.#byAsking(signal))];
  }

  #byHeartbeats(bot: LiveBot): Reading | null {
    const { now, ackIntervals } = this.options;
    const at = now();
    const reports = reportsOf(bot);
    for (const { lastAckAt, heartbeatIntervalMs } of reports.values()) {
      if (lastAckAt !== null) this.#heardAt = Math.max(this.#heardAt ?? 0, lastAckAt);
      this.#longestInterval = Math.max(this.#longestInterval, heartbeatIntervalMs ?? 0);
    }
    const connected = bot.shards.filter(claimsReady).flatMap(({ id }) => reports.get(id) ?? []);
    const ages = connected.flatMap((report) => ackAge(report, ackIntervals, at) ?? []);
    const fresh = ages.filter(({ age, limit }) => age <= limit).length;
    if (ages.length > 0) {
      const text = `${fresh} of ${ages.length} connected shards have their heartbeats acknowledged`;
      return fresh * 2 >= ages.length ? good(text) : bad(text);
    }
    const silence = this.#heardAt === null ? 0 : at - this.#heardAt;
    if (this.#heardAt !== null && silence > LOST_INTERVALS * ackIntervals * this.#longestInterval) {
      return bad(`no shard has had a heartbeat acknowledged for ${ms(silence)}`);
    }
    return null;
  }

  async #byAsking(signal: AbortSignal): Promise<Reading> {
    try {
      await this.options.reach(signal);
    } catch (error) {
      return bad(`no shard is connected, and the REST API does not answer: ${reasonOf(error)}`);
    }
    return good('no shard is connected at the moment; the REST API answers');
  }
}

function good(message: string): Reading {
  return { scope: SCOPE, ok: true, message };
}

function bad(message: string): Reading {
  return { scope: SCOPE, ok: false, message };
}
