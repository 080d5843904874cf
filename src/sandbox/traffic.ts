import type { Accounting } from './accounting';
import type { Gateway } from './gateway';
import type { Session } from './session';
import { botIdOf, type Payload, type World } from './world';

const TICK_MS = 10;
const INTENT_MEMBERS = 1 << 1;
const INTENT_GUILDS = 1 << 0;
const INTENTS_MESSAGES = (1 << 9) | (1 << 15);
/** Each so many events that want an answer, one change that wants none. */
const CHANGE_EVERY = 4;

/** Members who type, use commands and come and go, at a steady rate. */
export class Traffic {
  changes = 0;
  #rate = 0;
  #due = 0;
  #last = 0;
  #step = 0;
  #state = 1;
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly world: World,
    private readonly gateway: Gateway,
    private readonly accounting: Accounting,
  ) {}

  get rate(): number {
    return this.#rate;
  }

  setRate(perSecond: number): void {
    this.#rate = perSecond;
    this.#last = performance.now();
    this.#due = 0;
    if (perSecond > 0) this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    else this.stop();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(): void {
    const now = performance.now();
    this.#due += ((now - this.#last) / 1_000) * this.#rate;
    this.#last = now;
    for (; this.#due >= 1; this.#due--) this.#happen();
  }

  #happen(): void {
    if (this.world.guilds === 0) return;
    this.#step++;
    const index = this.#random(this.world.guilds);
    const sessions = this.gateway.sessionsOf(index);
    if (this.#random(2) === 0) this.#interaction(index, sessions);
    else this.#message(index, sessions);
    if (this.#random(CHANGE_EVERY) === 0) this.#change(index, sessions);
  }

  /** The same course in every run (xorshift): no pattern may tie the kind of an event to a shard. */
  #random(below: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % below;
  }

  #interaction(index: number, sessions: Session[]): void {
    const id = this.world.snowflake();
    this.accounting.sent(id, this.world.channelId(index, 0), sessions);
    for (const session of sessions) {
      session.dispatch('INTERACTION_CREATE', this.world.pingInteraction(index, id, botIdOf(session.token)), id);
    }
  }

  /** Only a bot that may read messages can answer them; for another one it is an interaction again. */
  #message(index: number, sessions: Session[]): void {
    const readers = sessions.filter(({ intents }) => (intents & INTENTS_MESSAGES) === INTENTS_MESSAGES);
    if (readers.length === 0) return this.#interaction(index, sessions);
    const id = this.world.snowflake();
    this.accounting.sent(id, this.world.channelId(index, 0), readers);
    for (const session of readers) session.dispatch('MESSAGE_CREATE', this.world.pingMessage(index, id, true), id);
  }

  /** One change, told to all who may know of it. */
  #change(index: number, sessions: Session[]): void {
    const ofMember = this.#random(2) === 0;
    const [bit, t, d] = ofMember
      ? ([INTENT_MEMBERS, 'GUILD_MEMBER_UPDATE', this.#memberUpdate(index)] as const)
      : ([INTENT_GUILDS, 'CHANNEL_UPDATE', { ...this.world.channel(index, 0), topic: `topic ${this.#step}` }] as const);
    for (const session of sessions) {
      if ((session.intents & bit) === 0) continue;
      this.changes++;
      session.dispatch(t, d);
    }
  }

  #memberUpdate(index: number): Payload {
    return { guild_id: this.world.guildId(index), ...this.world.member(index, 0), nick: `nick ${this.#step}` };
  }
}
