import type { Client } from 'discord.js';
import type { Readings } from '../../ipc/readings';
import { BotMetrics } from './bot-metrics';
import { CacheMeter } from './cache-meter';
import { meterGc } from './gc-meter';
import { GatewayMeter, type Dispatch } from './gateway-meter';
import { Meter } from './meter';
import { ResponseMeter } from './response-meter';
import { RestMeter } from './rest-meter';

/** 60 routes with a few statuses each, and Discord's event types, stay below it. */
const MAX_LABEL_SETS = 400;

/** Everything that is counted in the bot's process, to be read with each sample. */
export class AgentMetrics {
  /** What the bot adds itself. */
  readonly bot: BotMetrics;
  readonly #meter = new Meter(MAX_LABEL_SETS);
  readonly #responses: ResponseMeter;
  readonly #gateway: GatewayMeter;
  readonly #caches = new CacheMeter(this.#meter);
  readonly #folded = this.#meter.counter('metrics_folded_total');
  #foldedBefore = 0;

  /** @param onAnswered an interaction is no longer waited for */
  constructor(warn: (text: string) => void, onAnswered: () => void = () => undefined) {
    this.#responses = new ResponseMeter(this.#meter, undefined, onAnswered);
    this.#gateway = new GatewayMeter(this.#meter, this.#responses);
    this.bot = new BotMetrics(warn);
    meterGc(this.#meter);
  }

  /** Interactions that the bot works on. */
  get interactionsInHand(): number {
    return this.#responses.waiting;
  }

  /** The process before was killed while it worked on them. */
  interactionsLost(count: number): void {
    this.#responses.lost(count);
  }

  /** To be called once per client, before it logs in. */
  watch(client: Client): void {
    new RestMeter(this.#meter, this.#responses).install(client.rest);
  }

  /** An event has come over the gateway; the bot has not seen it yet. */
  dispatch(payload: Dispatch): void {
    this.#gateway.dispatch(payload);
  }

  /** A circuit breaker has opened or closed. */
  circuit(route: string, open: boolean): void {
    this.#meter.gauge('rest_circuit_open', { route }).value = open ? 1 : 0;
  }

  /** A call was not sent, since its circuit is open. */
  circuitRefused(route: string): void {
    this.#meter.counter('rest_circuit_refused_total', { route }).add();
  }

  /** What has changed since the last reading. */
  read(clients: Iterable<Client>): Readings {
    this.#responses.sweep();
    this.#caches.measure(clients, performance.now());
    const folded = this.#meter.folded + this.bot.folded;
    this.#folded.add(folded - this.#foldedBefore);
    this.#foldedBefore = folded;
    const [own, bot] = [this.#meter.read(), this.bot.read()];
    return {
      counters: [...own.counters, ...bot.counters],
      gauges: [...own.gauges, ...bot.gauges],
      sketches: [...own.sketches, ...bot.sketches],
    };
  }

  /** The next reading goes to somebody who knows nothing yet. */
  resend(): void {
    this.#meter.resend();
    this.bot.resend();
  }
}
