import type { Client } from 'discord.js';
import type { WsManager } from '../client/internals';
import { shardOf, STATUS_READY, writableManager } from '../snapshot/internals';
import { MAX_SKEW_MS, TOLD_MS } from './dispatch-log';
import { eventKey, guildOf } from './event-key';

interface Dispatch {
  data: { t: string; d: unknown };
  shardId: number;
}

/** Stands among the guilds that a shard waits for, so that its bot does not hear of being ready. */
const HOLD = '0';
/** Longest delay a timer takes, ms. */
const NEVER_MS = 2 ** 31 - 1;
/** discord.js's own, for options that do without it. */
const DEFAULT_GUILD_TIMEOUT_MS = 15_000;
const POLL_MS = 20;
/** A little longer than the others: what they tell must be found here, ms. */
const REMEMBERED_MS = TOLD_MS + 2 * MAX_SKEW_MS;
/** What has been told may come as late as this after the cut, ms. */
const LATE_MS = 10_000;

/**
 * Stands between the gateway and a client whose bot must not hear of what another generation of processes still handles.
 * First all events go by unheard, into the caches; then they are held back; in the end each is heard that the others have
 * not told, and only those.
 */
export class EventGate {
  readonly #emit: (event: string, payload: object) => unknown;
  #state: 'unheard' | 'held' | 'sifting' | 'open' = 'unheard';
  #isMuted = true;
  #held: Dispatch[] = [];
  /** What went by unheard lately. */
  #lately: { key: string; at: number }[] = [];
  /** How often the others have told of an event that has not come here yet. */
  readonly #told = new Map<string, number>();
  #guildTimeout = DEFAULT_GUILD_TIMEOUT_MS;
  #lastGuildAt = Date.now();

  constructor(
    private readonly manager: WsManager,
    private readonly client: Client,
    private readonly shardIds: readonly number[],
  ) {
    this.#emit = manager.emit.bind(manager);
  }

  /** The event that goes by now is not for the bot. */
  get isUnheard(): boolean {
    return this.#isMuted;
  }

  /** From now on the bot hears nothing; to be called before the client connects. */
  close(): void {
    const { client, manager } = this;
    this.#guildTimeout = client.options.waitGuildTimeout ?? DEFAULT_GUILD_TIMEOUT_MS;
    client.options.waitGuildTimeout = NEVER_MS;
    manager.emit = (event, payload) => {
      if (event === 'dispatch') return this.#onDispatch(payload as Dispatch);
      return this.#emit(event, event === 'ready' && this.#state === 'unheard' ? withHold(payload) : payload);
    };
    for (const emitter of [client, client.ws] as unknown as { emit: (...args: unknown[]) => boolean }[]) {
      const emit = emitter.emit.bind(emitter);
      emitter.emit = (...args) => !this.#isMuted && emit(...args);
    }
  }

  /** Resolves when all guilds are there that will come. */
  async filled(): Promise<void> {
    const missing = (): number => {
      return Math.max(...this.shardIds.map((id) => (shardOf(this.client, id)?.expectedGuilds?.size ?? Infinity) - 1));
    };
    // As discord.js does it: what does not come for so long is unavailable.
    while (missing() > 0) {
      if (Number.isFinite(missing()) && Date.now() - this.#lastGuildAt > this.#guildTimeout) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** From now on events wait. */
  hold(): void {
    this.#state = 'held';
  }

  /**
   * Lets the client be ready, then lets the bot hear what the others have not told.
   * @param told keys of what they have told lately, and from when on all of it is known, ms since the epoch
   * @returns how many events neither they nor this bot have heard of
   */
  async open(told: { keys: readonly string[]; since: number }): Promise<number> {
    for (const key of told.keys) this.#told.set(key, (this.#told.get(key) ?? 0) + 1);
    const lately = this.#lately.filter(({ at }) => at >= told.since - MAX_SKEW_MS);
    // What came here near the beginning, they may have told just before it.
    const missed = lately.filter(({ key, at }) => !this.#takeTold(key) && at >= told.since + MAX_SKEW_MS).length;
    this.#lately = [];
    this.#isMuted = false;
    this.client.options.waitGuildTimeout = 0;
    for (const id of this.shardIds) shardOf(this.client, id)?.gotGuild(HOLD);
    while (!this.client.isReady()) await new Promise((resolve) => setTimeout(resolve, 1));
    this.client.options.waitGuildTimeout = this.#guildTimeout;
    this.#state = 'sifting';
    for (const payload of this.#held.splice(0)) this.#sift(payload);
    setTimeout(() => (this.#state = 'open'), LATE_MS).unref();
    return missed;
  }

  #onDispatch(payload: Dispatch): unknown {
    switch (this.#state) {
      case 'unheard':
        return this.#passUnheard(payload);
      case 'held':
        return this.#held.push(payload);
      case 'sifting':
        return this.#sift(payload);
      case 'open':
        return this.#emit('dispatch', payload);
    }
  }

  #passUnheard(payload: Dispatch): unknown {
    const { t, d } = payload.data;
    if (t === 'GUILD_CREATE') this.#lastGuildAt = Date.now();
    // What a new session brings has not happened now: the others have had it long ago.
    const isNews = !this.#isAwaited(payload);
    const key = isNews ? eventKey(t, d) : null;
    if (key !== null) this.#remember(key);
    return this.#unheard(payload);
  }

  #isAwaited({ data: { t, d }, shardId }: Dispatch): boolean {
    const guild = t === 'GUILD_CREATE' ? guildOf(t, d) : null;
    return guild !== null && shardOf(this.client, shardId)?.expectedGuilds?.has(guild) === true;
  }

  #sift(payload: Dispatch): unknown {
    const key = eventKey(payload.data.t, payload.data.d);
    return key !== null && this.#takeTold(key) ? this.#unheard(payload) : this.#emit('dispatch', payload);
  }

  #unheard(payload: Dispatch): unknown {
    const { ws } = this.client;
    const { status } = ws;
    const [muted, isReady] = [this.#isMuted, payload.data.t === 'READY'];
    this.#isMuted = true;
    // Else discord.js would keep it until the client is ready, and tell of it then.
    if (!isReady) writableManager(ws).status = STATUS_READY;
    try {
      return this.#emit('dispatch', payload);
    } finally {
      this.#isMuted = muted;
      if (!isReady) writableManager(ws).status = status;
    }
  }

  #remember(key: string): void {
    const now = Date.now();
    this.#lately.push({ key, at: now });
    if (now - (this.#lately[0]?.at ?? now) > 2 * REMEMBERED_MS) {
      this.#lately = this.#lately.filter(({ at }) => now - at <= REMEMBERED_MS);
    }
  }

  #takeTold(key: string): boolean {
    const left = this.#told.get(key) ?? 0;
    if (left === 0) return false;
    this.#told.set(key, left - 1);
    return true;
  }
}

function withHold(payload: object): object {
  const { data } = payload as { data: { guilds: object[] } };
  return { ...payload, data: { ...data, guilds: [...data.guilds, { id: HOLD, unavailable: true }] } };
}
