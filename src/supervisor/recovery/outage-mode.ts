import type { Logger } from 'pino';
import type { OutageStatus } from '../../control/recovery-contract';
import type { IncidentDesk } from '../../incidents';
import { judgeOutage, outageText, OutageWatch } from '../../recovery/outage';
import type { Master, MasterView } from '../../sharding/master';

export interface OutageModeOptions {
  enabled: boolean;
  master: () => Master | null;
  desk: Pick<IncidentDesk, 'signal'>;
  /** ms since the epoch, without jumps. */
  now: () => number;
  logger: Logger;
}

/** After an operator has ended it, it is not entered again for so long, ms. */
const BY_HAND_MS = 5 * 60 * 1_000;
/** An IDENTIFY or RESUME without an answer for so long, ms, is a sign. */
const UNANSWERED_MS = 20_000;

/** While Discord itself is out nothing is done that needs it; connections and identifies are tried one by one, slowly. */
export class OutageMode {
  readonly #watch = new OutageWatch();
  #status: OutageStatus | null = null;
  /** Shards that wait for an answer to their IDENTIFY or RESUME, and since when. */
  #asking = new Map<number, number>();

  constructor(private readonly options: OutageModeOptions) {}

  get status(): OutageStatus | null {
    return this.#status;
  }

  attempted(shard: number, reason: string | null): void {
    this.#watch.attempted(shard, reason, this.options.now());
  }

  round(): void {
    const { enabled, master, now } = this.options;
    const view = master()?.view() ?? null;
    if (!enabled || view === null || view.fatal !== null) return;
    const evidence = this.#watch.evidence(this.#seen(view), now());
    const verdict = judgeOutage(evidence);
    if (verdict === 'enter') this.#enter(outageText(evidence, this.#watch.reason));
    if (verdict === 'leave') this.#leave('Discord is back');
  }

  /** By hand: tries at once, and does not come on again for a while. False: it is not on. */
  end(): boolean {
    if (this.#status === null) return false;
    this.#leave('ended by hand', this.options.now() + BY_HAND_MS);
    this.options.master()?.probeGateway();
    return true;
  }

  #enter(text: string): void {
    const { master, desk, logger, now } = this.options;
    this.#watch.enter(now());
    this.#status = { since: Date.now(), text };
    master()?.caution(true);
    desk.signal({ type: 'discord-outage', scope: 'bot', holds: true, text: `${text}. Outage mode is on.` });
    logger.error({ event: 'outage.entered' }, `${text}; outage mode: nothing is done until it is back`);
  }

  #leave(why: string, notBefore = 0): void {
    const { master, desk, logger } = this.options;
    this.#watch.leave(notBefore);
    this.#status = null;
    master()?.caution(false);
    desk.signal({ type: 'discord-outage', scope: 'bot', holds: false, text: `Outage mode is over: ${why}.` });
    logger.info({ event: 'outage.left' }, `outage mode is over: ${why}`);
  }

  #seen({ shards }: MasterView): { shards: number; connected: number; unanswered: number } {
    const now = this.options.now();
    const asking = shards.filter(({ state }) => state === 'identifying' || state === 'resuming');
    this.#asking = new Map(asking.map(({ id }) => [id, this.#asking.get(id) ?? now]));
    return {
      shards: shards.length,
      connected: shards.filter(({ state }) => state === 'ready' || state === 'guilds').length,
      unanswered: [...this.#asking.values()].filter((since) => now - since > UNANSWERED_MS).length,
    };
  }
}
