import { LRUCache } from 'lru-cache';
import type { RestEvent } from '../events';
import type { Route } from '../route';
import { endpointBrake, HOLD_ALL, routeBrake, type BrakeLevel, type Counts } from './decide';
import { SlidingCount } from './invalid-window';

interface Tally {
  invalid: SlidingCount;
  valid: SlidingCount;
  /** For the event; a tally of an endpoint has none of its own. */
  name: string;
  level: BrakeLevel;
  nextAt: number;
  lastAnswer: RefusedAnswer | null;
  /** Tries that went well since it was stopped. */
  worked: number;
}

/** The answer that is given instead of asking again. */
export interface RefusedAnswer {
  status: number;
  body: string;
}

export type Verdict =
  | { pass: true; delayMs: number }
  | { pass: false; answer: RefusedAnswer; why: 'stopped'; retryMs: number }
  | { pass: false; answer: null; why: 'held' };

/** Endpoints that were refused; those that were never are not kept. */
const MAX_ENDPOINTS = 20_000;
const MAX_ROUTES = 5_000;
/** Time between two requests of what is slowed, ms. */
const SLOW_MS = 1_000;
/**
 * What is stopped is tried once in so long, ms: whoever lacked a permission may have got it. A rate limit is over sooner,
 * and what has worked again is soon known to.
 */
const PROBE_MS = { forbidden: 60_000, limited: 5_000, works: 1_000 };
/** A route is let go when so many tries in a row went well, an endpoint with the first. */
const ROUTE_WORKS = 3;

/**
 * Counts what Discord counts towards a ban of the address: 401, 403 and 429, over ten minutes. Slows, then stops, those
 * who cause it, and in the end everything that is no interaction.
 */
export class InvalidRequests {
  readonly #total = new SlidingCount();
  readonly #endpoints = new LRUCache<string, Tally>({ max: MAX_ENDPOINTS });
  readonly #routes = new LRUCache<string, Tally>({ max: MAX_ROUTES });
  #held = false;

  constructor(
    private readonly limits: { invalidLimit: number; maxWaitMs: number },
    private readonly now: () => number,
    private readonly emit: (event: RestEvent) => void,
  ) {}

  get count(): number {
    return this.#total.total(this.now());
  }

  /** Names of what is slowed or stopped at the moment, at most `max`. */
  braked(max: number): { route: string; level: BrakeLevel }[] {
    const found: { route: string; level: BrakeLevel }[] = [];
    for (const tally of [...this.#routes.values(), ...this.#endpoints.values()]) {
      if (tally.level !== 'off' && found.length < max) found.push({ route: tally.name, level: tally.level });
    }
    return found;
  }

  check(route: Route): Verdict {
    const now = this.now();
    const total = this.#total.total(now);
    this.#setHeld(total);
    const all = this.#routes.get(route.template);
    if (all === undefined) return this.#held && !route.exempt ? HELD : PASS;
    // An endpoint without a tally of its own has not been refused yet.
    const endpoint = this.#endpoints.get(keyOf(route));
    const budget = { total, limit: this.limits.invalidLimit };
    this.#enter(all, routeBrake(countsOf(all, now), budget), total);
    if (endpoint !== undefined) this.#enter(endpoint, endpointBrake(countsOf(endpoint, now), budget), total);

    const tallies = endpoint === undefined ? [all] : [endpoint, all];
    const stopped = tallies.filter(({ level }) => level === 'stop');
    if (stopped.length > 0) return this.#probe(stopped, now);
    if (this.#held && !route.exempt) return HELD;
    const slowed = tallies.filter(({ level }) => level === 'slow');
    const at = Math.max(now, ...slowed.map(({ nextAt }) => nextAt));
    if (at - now >= this.limits.maxWaitMs) return HELD;
    for (const tally of slowed) tally.nextAt = at + SLOW_MS;
    return { pass: true, delayMs: at - now };
  }

  /** Lets one through when its time has come. */
  #probe(stopped: readonly Tally[], now: number): Verdict {
    const waiting = stopped.find(({ nextAt }) => now < nextAt);
    if (waiting !== undefined) {
      const { lastAnswer, nextAt } = waiting;
      return { pass: false, answer: lastAnswer ?? FORBIDDEN, why: 'stopped', retryMs: nextAt - now };
    }
    for (const tally of stopped) tally.nextAt = now + probeMs(tally);
    return PASS;
  }

  /** An answer has come. `refusal` is given when it counts as invalid. */
  answered(route: Route, refusal: RefusedAnswer | null): void {
    const now = this.now();
    if (refusal === null) {
      this.#worked(this.#routes.get(route.template), ROUTE_WORKS, now);
      this.#worked(this.#endpoints.get(keyOf(route)), 1, now);
      return;
    }
    this.#total.add(now);
    const tallies = [
      tallyOf(this.#routes, route.template, route.template),
      tallyOf(this.#endpoints, keyOf(route), keyOf(route)),
    ];
    for (const tally of tallies) {
      tally.invalid.add(now);
      tally.lastAnswer = refusal;
      tally.worked = 0;
      if (tally.level === 'stop') tally.nextAt = now + probeMs(tally);
    }
  }

  /** Once it works again, what was held against it is over. */
  #worked(tally: Tally | undefined, enough: number, now: number): void {
    if (tally === undefined) return;
    tally.valid.add(now);
    if (tally.level !== 'stop') return;
    tally.worked++;
    if (tally.worked >= enough) {
      tally.invalid.clear();
      this.#enter(tally, 'off', this.#total.total(now));
    } else tally.nextAt = Math.min(tally.nextAt, now + PROBE_MS.works);
  }

  #enter(tally: Tally, level: BrakeLevel, total: number): void {
    if (tally.level === level) return;
    tally.level = level;
    const now = this.now();
    tally.worked = 0;
    if (level === 'stop') tally.nextAt = now + probeMs(tally);
    this.emit({ type: 'rest.brake', route: tally.name, level, invalid: tally.invalid.total(now), total });
  }

  #setHeld(total: number): void {
    const held = total >= HOLD_ALL * this.limits.invalidLimit;
    if (held === this.#held) return;
    this.#held = held;
    this.emit({ type: 'rest.ban-near', held, total, limit: this.limits.invalidLimit });
  }
}

const PASS: Verdict = { pass: true, delayMs: 0 };
const HELD: Verdict = { pass: false, answer: null, why: 'held' };
const FORBIDDEN: RefusedAnswer = { status: 403, body: '{"message":"403: Forbidden","code":0}' };

function countsOf({ invalid, valid }: Tally, now: number): Counts {
  return { invalid: invalid.total(now), valid: valid.total(now) };
}

function probeMs({ lastAnswer }: Tally): number {
  return lastAnswer?.status === 429 ? PROBE_MS.limited : PROBE_MS.forbidden;
}

function keyOf({ template, major }: Route): string {
  return major === '' ? template : `${template} (${major.split('/', 1)[0] ?? ''})`;
}

function tallyOf(tallies: LRUCache<string, Tally>, key: string, name: string): Tally {
  let tally = tallies.get(key);
  if (tally === undefined) {
    tally = {
      invalid: new SlidingCount(),
      valid: new SlidingCount(),
      name,
      level: 'off',
      nextAt: 0,
      lastAnswer: null,
      worked: 0,
    };
    tallies.set(key, tally);
  }
  return tally;
}
