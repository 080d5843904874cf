import { setTimeout as delay } from 'node:timers/promises';
import type { HandoffReport, Heir } from '../../ipc/messages';
import { DispatchLog } from '../reshard/dispatch-log';
import type { BotState } from './bot-state';
import { countDropped } from './dropped';
import type { HandingClient } from './handing-client';
import { HeirLink } from './heir-link';
import type { CutRecord } from './wire';

export interface PredecessorOptions {
  heirs: readonly Heir[];
  /** The heirs have shards out of this number, with sessions and caches of their own; null: they take this one's. */
  reshard: number | null;
  messagesPerChannel: number;
  handing: HandingClient;
  state: BotState;
  report: (report: HandoffReport) => void;
  /** Saves sessions and caches of these shards where the supervisor finds them. */
  leave: (shardIds: readonly number[]) => Promise<void>;
}

/** The gateway, or the successor, has this long to say something after the cut, ms; then it counts as dead. */
const SERVING_TIMEOUT_MS = 10_000;

/**
 * One handoff, seen by a process that is replaced. One heir stands for all its shards: should it die after the cut, the
 * sessions are taken back. With several, others may serve by then, and what they have cannot be had back: there the
 * shards of the dead one are left for the process that takes its place.
 */
export class Predecessor {
  #isCut = false;
  #links: HeirLink[] = [];
  readonly #log: DispatchLog | null;

  constructor(private readonly options: PredecessorOptions) {
    this.#log = options.reshard === null ? null : new DispatchLog(options.reshard);
  }

  /** From here on the sessions are not this process's, unless it rolls back. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Gives up before the cut: the successors end, this process goes on. */
  abort(): void {
    if (!this.#isCut) this.#close();
  }

  /** @returns true when its shards are others' now; false when this process goes on serving. Never rejects. */
  async run(): Promise<boolean> {
    const { handing, heirs, report } = this.options;
    const obstacle = handing.obstacle();
    if (obstacle !== null) {
      report({ step: 'failed', reason: obstacle, restart: true });
      return false;
    }
    const links = heirs.map((heir) => new HeirLink(heir, handing));
    this.#links = links;
    const stopJournal = handing.journal((shard, t, d) => {
      this.#log?.add(t, d);
      for (const link of links) link.dispatched(shard, t, d);
    });
    try {
      await this.#copy(links);
      await this.#cut(links);
    } catch (error) {
      const reason = (error as Error).message;
      if (this.#isCut) await this.#takeBack(links, reason);
      else {
        this.#close();
        report({ step: 'failed', reason, restart: false });
      }
      return false;
    } finally {
      stopJournal();
    }
    return this.#settle(links);
  }

  /** One after the other, in the order of the supervisor: an heir of two predecessors is served by both in turn. */
  async #copy(links: readonly HeirLink[]): Promise<void> {
    const anyEnd = Promise.race(links.map(({ ended }) => ended));
    anyEnd.catch(() => undefined); // after the cut each is waited for by itself
    if (this.#log === null) {
      for (const link of links) await Promise.race([link.copy(this.options.messagesPerChannel), anyEnd]);
    }
    await Promise.race([Promise.all(links.map(({ wantsCut }) => wantsCut)), anyEnd]);
  }

  async #cut(links: readonly HeirLink[]): Promise<void> {
    const { handing, state } = this.options;
    const obstacle = handing.obstacle();
    if (obstacle !== null) throw new Error(obstacle);
    this.#isCut = true;
    const at = Date.now();
    await handing.cut();
    const dropped = countDropped(handing.client);
    const exported = await state.export();
    const record: CutRecord = { k: 'cut', at, sessions: [], dropped, state: exported };
    for (const link of links) {
      if (this.#log === null) link.cut({ ...record, sessions: handing.sessions() });
      else link.cut({ ...record, told: this.#log.of(link.heir.shardIds) });
    }
  }

  /** After the cut. @returns false when the sessions were taken back */
  async #settle(links: readonly HeirLink[]): Promise<boolean> {
    const dead: { link: HeirLink; reason: string }[] = [];
    const settled = links.map(async (link) => {
      try {
        await withinServingTime(Promise.race([link.serves, link.ended]));
      } catch (error) {
        await link.end();
        dead.push({ link, reason: (error as Error).message });
      }
    });
    await Promise.all(settled);
    const [first] = dead;
    if (first === undefined) return true;
    if (first.link.heir.isSole) {
      await this.#takeBack(links, first.reason);
      return false;
    }
    // They had their own: the process in their place identifies.
    if (this.#log !== null) return true;
    await this.options.leave(dead.flatMap(({ link }) => link.heir.shardIds));
    return true;
  }

  async #takeBack(links: readonly HeirLink[], reason: string): Promise<void> {
    await Promise.all(links.map((link) => link.end()));
    this.#isCut = false;
    this.options.handing.rollBack();
    this.options.report({ step: 'rolled-back', reason });
  }

  #close(): void {
    for (const link of this.#links) link.close();
  }
}

async function withinServingTime(answered: Promise<void>): Promise<void> {
  const timer = new AbortController();
  const late = delay(SERVING_TIMEOUT_MS, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`the successor was not answered by Discord within ${SERVING_TIMEOUT_MS / 1_000} s`);
  });
  try {
    await Promise.race([answered, late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
  }
}
