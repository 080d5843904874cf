import { LRUCache } from 'lru-cache';
import type { RestEvent } from '../events';
import type { Route } from '../route';
import { brakeFor, HOLD_ALL, type BrakeLevel } from './decide';
import { SlidingCount } from './invalid-window';

interface Tally {
  invalid: SlidingCount;
  valid: SlidingCount;
  /** For the event; a tally of an endpoint has none of its own. */
  name: string;
  level: BrakeLevel;
  nextAt: number;
  lastAnswer: RefusedAnswer | null;
}

/** The answer that is given instead of asking again. */
export interface RefusedAnswer {
  status: number;
  body: string;
}

export type Verdict =
  | { pass: true; delayMs: number }
  | { pass: false; answer: RefusedAnswer; why: 'stopped' }
  | { pass: false; answer: null; why: 'held' };

/** Endpoints that were refused; those that were never are not kept. */
const MAX_ENDPOINTS = 20_000;
const MAX_ROUTES = 5_000;
/** Time between two requests of what is slowed, ms. */
const SLOW_MS = 1_000;
/** A stopped endpoint is tried once in so long, ms: whoever lacked a permission may have got it. */
const PROBE_MS = 60_000;

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
    const counts = (tally: Tally | undefined): { invalid: number; valid: number } => ({
      invalid: tally?.invalid.total(now) ?? 0,
      valid: tally?.valid.total(now) ?? 0,
    });
    const level = brakeFor({ endpoint: counts(endpoint), route: counts(all), total, limit: this.limits.invalidLimit });
    const tally = endpoint ?? all;
    this.#enter(tally, level, total);
    if (level === 'stop') {
      if (now < tally.nextAt) return { pass: false, answer: tally.lastAnswer ?? FORBIDDEN, why: 'stopped' };
      tally.nextAt = now + PROBE_MS;
      return PASS;
    }
    if (this.#held && !route.exempt) return HELD;
    if (level === 'off') return PASS;
    const at = Math.max(now, tally.nextAt);
    if (at - now >= this.limits.maxWaitMs) return HELD;
    tally.nextAt = at + SLOW_MS;
    return { pass: true, delayMs: at - now };
  }

  /** An answer has come. `refusal` is given when it counts as invalid. */
  answered(route: Route, refusal: RefusedAnswer | null): void {
    const now = this.now();
    if (refusal === null) {
      this.#routes.get(route.template)?.valid.add(now);
      const endpoint = this.#endpoints.get(keyOf(route));
      if (endpoint !== undefined) {
        endpoint.valid.add(now);
        // It works again: what was held against it is over.
        if (endpoint.level === 'stop') {
          endpoint.invalid.clear();
          this.#enter(endpoint, 'off', this.#total.total(now));
        }
      }
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
      if (tally.level === 'stop') tally.nextAt = now + PROBE_MS;
    }
  }

  #enter(tally: Tally, level: BrakeLevel, total: number): void {
    if (tally.level === level) return;
    tally.level = level;
    const now = this.now();
    if (level === 'stop') tally.nextAt = now + PROBE_MS;
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

function keyOf({ template, major }: Route): string {
  return major === '' ? template : `${template} (${major.split('/', 1)[0] ?? ''})`;
}

function tallyOf(tallies: LRUCache<string, Tally>, key: string, name: string): Tally {
  let tally = tallies.get(key);
  if (tally === undefined) {
    tally = { invalid: new SlidingCount(), valid: new SlidingCount(), name, level: 'off', nextAt: 0, lastAnswer: null };
    tallies.set(key, tally);
  }
  return tally;
}
