import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import type { GuardAnswer } from '../ipc/rest-guard';
import { Ban } from './brakes/ban';
import { DeadWebhooks, UNKNOWN_WEBHOOK } from './brakes/dead-webhooks';
import { InvalidRequests, type RefusedAnswer } from './brakes/invalid-requests';
import { Buckets } from './bucket';
import { Call } from './call';
import type { Discord, Incoming } from './discord';
import type { RestEvent } from './events';
import { isBan, limitHeaders } from './limit-headers';
import { Occupancy } from './occupancy';
import { routeOf, type Route } from './route';
import type { Job } from './scheduler';
import type { GuardSettings } from './settings';
import { Stats, type GuardSnapshot } from './stats';
import { TokenLane, TokenLanes } from './token-lane';

export type GuardLimits = Pick<GuardSettings, 'globalPerSecond' | 'maxQueue' | 'maxWaitMs' | 'invalidLimit'>;

/** A request with all that belongs to it. */
interface Passage {
  call: Call;
  route: Route;
  lane: TokenLane;
  job: Job;
  /** Between its arrival and its turn. */
  waits: boolean;
  timer: NodeJS.Timeout | null;
  sentAt: number;
}

/** Bodies of refusals up to this size are looked at and remembered, bytes. */
const MAX_REFUSAL_BYTES = 16 * 1024;
/** Asked to come back after, ms. */
const FULL_RETRY_MS = 1_000;
const HELD_RETRY_MS = 10_000;
const MAX_BRAKED_SHOWN = 10;
const SWEEP_MS = 30_000;

/** Takes every request of all clusters through Discord's limits. */
export class Guard {
  readonly stats = new Stats();
  readonly #buckets = new Buckets<Job>();
  readonly #lanes: TokenLanes;
  readonly #invalid: InvalidRequests;
  readonly #ban: Ban;
  readonly #webhooks = new DeadWebhooks();
  readonly #occupancy: Occupancy;
  readonly #sweeper: NodeJS.Timeout;
  #inFlight = 0;

  constructor(
    private readonly limits: GuardLimits,
    private readonly discord: Discord,
    private readonly emit: (event: RestEvent) => void,
    /** Monotonic, ms. */
    private readonly now: () => number = () => performance.now(),
  ) {
    const startedAt = now();
    this.#lanes = new TokenLanes(
      (authorization) =>
        new TokenLane({
          perSecond: limits.globalPerSecond,
          startedAt,
          buckets: this.#buckets,
          now,
          emit,
          isRefused: () => discord.refuses(authorization),
        }),
    );
    this.#invalid = new InvalidRequests(limits, now, emit);
    this.#ban = new Ban(now, emit);
    this.#occupancy = new Occupancy(limits.maxQueue);
    this.#sweeper = setInterval(() => this.#buckets.sweep(now()), SWEEP_MS).unref();
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const now = this.now();
    const call: Call = new Call(request, response, now, () => this.#gone(passage));
    const route = routeOf(call.method, call.path, Date.now());
    const lane = this.#lanes.of(call.authorization);
    const job: Job = {
      cluster: call.cluster,
      priority: route.priority,
      route,
      bucket: this.#buckets.of(route, now),
      state: 'bucket',
      slot: null,
      run: () => this.#run(passage),
    };
    const passage: Passage = { call, route, lane, job, waits: false, timer: null, sentAt: 0 };
    if (this.#refused(passage, false)) return;
    const verdict = this.#invalid.check(route);
    if (!verdict.pass) {
      if (verdict.why === 'stopped') this.#stopped(passage, verdict.answer, verdict.retryMs);
      else this.#own(passage, 'stopped', 429, { message: NEAR_BAN }, HELD_RETRY_MS);
      return;
    }
    if (!this.#occupancy.enter(call.cluster)) {
      this.#tellFull();
      this.#own(passage, 'queue-full', 429, { message: FULL }, FULL_RETRY_MS);
      return;
    }
    passage.waits = true;
    this.#wait(passage, verdict.delayMs);
  }

  /** Only this share of the global limit is used for so long, ms; what is exempt from it is not slowed. */
  slow(share: number, forMs: number): void {
    this.#lanes.slow(share, this.now() + forMs);
  }

  /** Figures for `status` and for a scrape. */
  snapshot(): GuardSnapshot {
    const now = this.now();
    const { stats } = this;
    const main = this.#lanes.main;
    return {
      startedAt: stats.startedAt,
      pid: process.pid,
      rssBytes: process.memoryUsage.rss(),
      counters: {
        sent: stats.sent,
        rateLimited: { ...stats.rateLimited },
        own: { ...stats.own },
        cancelled: stats.cancelled,
        failed: stats.failed,
      },
      gauges: {
        queued: this.#occupancy.total,
        inFlight: this.#inFlight,
        buckets: this.#buckets.size,
        clusters: this.#occupancy.clusters,
        globalPerSecond: this.limits.globalPerSecond,
        globalRemaining: main?.scheduler.global.remaining(now) ?? this.limits.globalPerSecond,
        invalid: this.#invalid.count,
        invalidLimit: this.limits.invalidLimit,
        bannedForMs: Math.round(this.#ban.remainingMs),
        unauthorized: main?.isRefused ?? false,
        braked: this.#invalid.braked(MAX_BRAKED_SHOWN),
      },
      classes: stats.classes(now),
    };
  }

  close(): void {
    clearInterval(this.#sweeper);
  }

  /** What can be answered without asking Discord. `last`: right before it would be sent. */
  #refused(passage: Passage, last: boolean): boolean {
    const { route, lane } = passage;
    if (route.webhook !== null && this.#webhooks.has(route.webhook)) {
      this.#own(passage, 'unknown-webhook', 404, UNKNOWN_WEBHOOK);
      return true;
    }
    if (last ? !lane.admits() : lane.isRefused && !lane.mayProbe) {
      this.#own(passage, 'unauthorized', 401, { message: UNAUTHORIZED });
      return true;
    }
    if (last ? !this.#ban.admits() : this.#ban.remainingMs > 0) {
      this.#own(passage, 'banned', 429, { message: BANNED }, Math.max(FULL_RETRY_MS, this.#ban.remainingMs));
      return true;
    }
    return false;
  }

  #wait(passage: Passage, delayMs: number): void {
    const { maxWaitMs } = this.limits;
    const submit = (): void => {
      passage.timer = setTimeout(() => this.#waitedTooLong(passage), maxWaitMs - delayMs);
      passage.lane.scheduler.submit(passage.job);
    };
    if (delayMs <= 0) submit();
    else passage.timer = setTimeout(submit, delayMs);
  }

  #waitedTooLong(passage: Passage): void {
    if (!passage.lane.scheduler.cancel(passage.job)) return;
    this.#leave(passage);
    this.#own(passage, 'waited', 429, { message: WAITED }, FULL_RETRY_MS);
  }

  /** The caller is gone: what waits is forgotten, what is under way is broken off by the call's signal. */
  #gone(passage: Passage): void {
    this.stats.cancelled++;
    if (!passage.waits) return;
    passage.lane.scheduler.cancel(passage.job);
    passage.job.state = 'done';
    this.#leave(passage);
  }

  /** It waits no longer. */
  #leave(passage: Passage): void {
    passage.waits = false;
    if (passage.timer !== null) clearTimeout(passage.timer);
    passage.timer = null;
    this.#occupancy.leave(passage.call.cluster);
    if (this.#full && this.#occupancy.total < this.limits.maxQueue / 2) {
      this.#full = false;
      this.emit({ type: 'rest.queue-full', full: false, queued: this.#occupancy.total });
    }
  }

  #full = false;

  #tellFull(): void {
    if (this.#full) return;
    this.#full = true;
    this.emit({ type: 'rest.queue-full', full: true, queued: this.#occupancy.total });
  }

  #run(passage: Passage): void {
    this.#leave(passage);
    const { call, lane, route, job } = passage;
    if (call.signal.aborted || this.#refused(passage, true)) {
      // Called from within the scheduler's loop: it must see the job running first.
      queueMicrotask(() => lane.scheduler.finish(job, null));
      return;
    }
    const now = this.now();
    this.stats.waited(route.class, now - call.arrivedAt, now);
    passage.sentAt = now;
    this.stats.sent++;
    lane.sent++;
    this.#inFlight++;
    call.announce();
    this.discord
      .send({
        method: call.method,
        path: call.path,
        headers: call.forwardedHeaders(),
        body: call.hasBody ? call.request : null,
        signal: call.signal,
        timeoutMs: call.timeoutMs,
      })
      .then(
        (answer) => this.#answer(passage, answer),
        (error: unknown) => this.#failed(passage, error),
      )
      .catch((error: unknown) => this.#failed(passage, error))
      .finally(() => this.#inFlight--);
  }

  async #answer(passage: Passage, answer: Incoming): Promise<void> {
    const { call, route, lane, job } = passage;
    const { status, headers } = answer;
    const now = this.now();
    this.stats.answered(route.class, status, now - passage.sentAt, now);
    const limits = limitHeaders(headers);
    if (isBan(status, headers)) {
      this.#ban.hit();
      lane.scheduler.finish(job, null);
      answer.body.resume();
      this.#own(passage, 'banned', 429, { message: BANNED }, this.#ban.remainingMs);
      return;
    }
    this.#ban.lifted();
    // First: it may hold back those whose turn would come now.
    if (call.authorization !== '') void lane.answered(status);
    lane.scheduler.finish(job, { status, limits });
    if (status === 429) {
      const scope = limits.scope ?? 'user';
      this.stats.rateLimited[scope]++;
      if (scope === 'global') this.emit({ type: 'rest.global-limit', retryAfterMs: limits.retryAfterMs ?? 0 });
    }
    const refusal = (status === 401 || status === 403 || status === 429) && limits.scope !== 'shared';
    const read = refusal || (status === 404 && route.webhook !== null);
    if (!refusal) this.#invalid.answered(route, null);
    if (read) await this.#passRefusal(passage, answer, refusal);
    else this.#pass(call, answer);
  }

  #pass(call: Call, { status, headers, body }: Incoming): void {
    if (call.response.destroyed) return void body.destroy();
    call.begin(status, headers);
    body.pipe(call.response);
    // An answer that ends early must not look complete.
    finished(body, (error) => {
      if (error) call.response.destroy();
    });
    call.response.once('close', () => body.destroy());
  }

  /** A refusal is remembered, in order to be given again without asking; a large one is only passed on. */
  async #passRefusal({ call, route }: Passage, answer: Incoming, refusal: boolean): Promise<void> {
    const { status, headers, body } = answer;
    const length = Number(headers['content-length'] ?? MAX_REFUSAL_BYTES + 1);
    if (length > MAX_REFUSAL_BYTES || headers['content-encoding'] !== undefined) {
      if (refusal) this.#invalid.answered(route, { status, body: JSON.stringify({ message: `${status}`, code: 0 }) });
      this.#pass(call, answer);
      return;
    }
    const parts: Buffer[] = [];
    for await (const part of body as AsyncIterable<Buffer>) parts.push(part);
    const bytes = Buffer.concat(parts);
    const text = bytes.toString('utf8');
    if (route.webhook !== null && (status === 404 || status === 401)) this.#webhooks.learn(route.webhook, text);
    if (refusal) this.#invalid.answered(route, { status, body: text });
    if (call.response.destroyed) return;
    call.begin(status, headers);
    call.response.end(bytes);
  }

  #failed({ call, lane, job }: Passage, error: unknown): void {
    lane.scheduler.finish(job, null);
    this.#ban.unknown();
    if (call.signal.aborted) return;
    this.stats.failed++;
    if (call.isAnswered) return void call.response.destroy();
    const { code = '', message } = error as NodeJS.ErrnoException;
    const why = NOT_CONNECTED.has(code) ? 'unreachable' : code === 'UND_ERR_HEADERS_TIMEOUT' ? 'timeout' : 'broken';
    this.#count(why);
    call.refuse(why, why === 'timeout' ? 504 : 502, { message: `${code} ${message}`.trim() });
  }

  #stopped(passage: Passage, { status, body }: RefusedAnswer, retryMs: number): void {
    // A remembered 429 would have the bot wait for a time that is long over.
    if (status === 429) this.#own(passage, 'stopped', 429, { message: NEAR_BAN }, Math.max(FULL_RETRY_MS, retryMs));
    else this.#own(passage, 'stopped', status, body);
  }

  #own({ call }: Passage, why: GuardAnswer, status: number, body: string | { message: string }, ms?: number): void {
    this.#count(why);
    call.refuse(why, status, body, ms);
  }

  #count(why: GuardAnswer): void {
    this.stats.ownAnswer(why);
  }
}

/** Nothing has been sent with these. */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const FULL = 'botctl: too many requests wait already (rest.maxQueue)';
const WAITED = 'botctl: the request waited longer than rest.maxWait';
const BANNED = 'botctl: Discord has banned this address for a while';
const NEAR_BAN = 'botctl: held back, since too many requests were refused and a ban is near';
const UNAUTHORIZED = '401: Unauthorized (remembered by botctl: Discord refuses the token)';
