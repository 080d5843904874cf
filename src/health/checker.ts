import ms from 'ms';
import type { Clock } from '../clock';
import { reasonOf, scopeName, type HealthCheck, type Reading } from './check';
import type { HealthEventListener } from './events';
import type { HealthResult } from './result';
import { judge, newStanding, type HealthState, type Standing, type Thresholds } from './standing';

export interface CheckPlan extends Thresholds {
  check: HealthCheck;
  /** A look that takes longer is a failure, ms. */
  timeoutMs: number;
}

export interface HealthView {
  /** unhealthy: some scope is; unknown: some scope is not known yet; healthy: all are. */
  state: HealthState;
  /** When the last round began; null: before the first. */
  roundAt: number | null;
  intervalMs: number;
  results: HealthResult[];
}

export interface HealthCheckerOptions {
  plans: readonly CheckPlan[];
  clock: Clock;
  intervalMs: number;
  emit: HealthEventListener;
  /** Takes secrets out of messages: servers and commands say what they like. */
  redact: (text: string) => string;
}

const MAX_MESSAGE = 300;

/** Looks at everything in rounds. Each check is on its own: one that hangs or throws delays no other, nor the next round. */
export class HealthChecker {
  readonly #options: HealthCheckerOptions;
  readonly #runners: CheckRunner[];
  #roundAt: number | null = null;
  #cancel = (): void => undefined;

  constructor(options: HealthCheckerOptions) {
    this.#options = options;
    this.#runners = options.plans.map((plan) => new CheckRunner(plan, options));
  }

  /** The first round is now. */
  start(): void {
    const { clock, intervalMs } = this.#options;
    this.#cancel = clock.after(intervalMs, () => this.start());
    this.#roundAt = clock.now();
    for (const runner of this.#runners) runner.round();
  }

  /** No further round; looks under way are aborted and their results dropped. */
  stop(): void {
    this.#cancel();
    for (const runner of this.#runners) runner.stop();
  }

  view(): HealthView {
    const results = this.#runners.flatMap((runner) => runner.results());
    return { state: this.#overall(results), roundAt: this.#roundAt, intervalMs: this.#options.intervalMs, results };
  }

  #overall(results: readonly HealthResult[]): HealthState {
    if (results.some(({ state }) => state === 'unhealthy')) return 'unhealthy';
    const told = this.#runners.every(({ hasLooked }) => hasLooked);
    return told && results.every(({ state }) => state === 'healthy') ? 'healthy' : 'unknown';
  }
}

interface Kept {
  standing: Standing;
  check: string;
  reading: Reading;
  answered: boolean;
  lookedAt: number;
  tookMs: number;
}

interface Look {
  startedAt: number;
  abort: AbortController;
  /** Its result is in, or too late. */
  over: boolean;
}

/** One check through all rounds. */
class CheckRunner {
  readonly #kept = new Map<string, Kept>();
  #look: Look | null = null;
  #looked = false;
  #stopped = false;

  constructor(
    private readonly plan: CheckPlan,
    private readonly options: HealthCheckerOptions,
  ) {}

  /** Has there been a first result? */
  get hasLooked(): boolean {
    return this.#looked;
  }

  results(): HealthResult[] {
    return [...this.#kept.values()].map(resultOf);
  }

  round(): void {
    const { clock } = this.options;
    const hanging = this.#look;
    if (hanging !== null) {
      // Begun again and again it would only pile up. Before its time is over nothing is known against it.
      if (hanging.over) this.#fail(`still hangs, for ${ms(clock.now() - hanging.startedAt)}`, hanging.startedAt, false);
      return;
    }
    const look: Look = { startedAt: clock.now(), abort: new AbortController(), over: false };
    this.#look = look;
    const cancel = clock.after(this.plan.timeoutMs, () => {
      const reason = `no answer within ${ms(this.plan.timeoutMs)}`;
      this.#settle(look, () => this.#fail(reason, look.startedAt, false));
      look.abort.abort(new Error(reason));
    });
    void this.#run(look.abort.signal)
      .then(
        (readings) => this.#settle(look, () => this.#take(readings, look.startedAt)),
        (error: unknown) => this.#settle(look, () => this.#fail(reasonOf(error), look.startedAt)),
      )
      .finally(() => {
        cancel();
        this.#look = null;
      });
  }

  stop(): void {
    this.#stopped = true;
    this.#look?.abort.abort(new Error('the supervisor stops'));
  }

  async #run(signal: AbortSignal): Promise<Reading[]> {
    return this.plan.check.look(signal);
  }

  #settle(look: Look, conclude: () => void): void {
    if (look.over || this.#stopped) return;
    look.over = true;
    conclude();
  }

  /** The check itself failed: so nothing of what it looks at is known to be well. */
  #fail(reason: string, startedAt: number, answered = true): void {
    const { name, scope } = this.plan.check;
    const known = [...this.#kept.values()];
    const scopes =
      known.length === 0
        ? [{ check: name, scope }]
        : known.map(({ check, reading }) => ({ check, scope: reading.scope }));
    this.#take(
      scopes.map((about) => ({ ...about, ok: false, message: reason })),
      startedAt,
      answered,
    );
  }

  #take(readings: readonly Reading[], startedAt: number, answered = true): void {
    const now = this.options.clock.now();
    this.#looked = true;
    const changed: Kept[] = [];
    const seen = new Set<string>();
    for (const given of readings) {
      const { check = this.plan.check.name, ok } = given;
      const reading = { ...given, message: this.#shown(given.message) };
      const key = `${check} ${scopeName(reading.scope)}`;
      seen.add(key);
      const before = this.#kept.get(key)?.standing ?? newStanding(now);
      const standing = ok === null ? before : judge(before, ok, this.plan, now);
      const kept: Kept = { standing, check, reading, answered, lookedAt: now, tookMs: now - startedAt };
      this.#kept.set(key, kept);
      if (standing.state !== before.state) changed.push(kept);
    }
    for (const [key, kept] of this.#kept) {
      if (seen.has(key)) continue;
      this.#kept.delete(key);
      if (kept.standing.state !== 'unknown') changed.push({ ...kept, standing: newStanding(now) });
    }
    this.#tell(changed);
  }

  #tell(changed: readonly Kept[]): void {
    const groups = new Map<string, HealthResult[]>();
    for (const result of changed.map(resultOf)) {
      const key = `${result.check} ${result.state}`;
      groups.set(key, [...(groups.get(key) ?? []), result]);
    }
    for (const results of groups.values()) {
      const [first] = results;
      if (first !== undefined)
        this.options.emit({ type: 'health.changed', check: first.check, to: first.state, results });
    }
  }

  #shown(message: string): string {
    const line = this.options.redact(message).replace(/\s+/g, ' ').trim();
    return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}…` : line;
  }
}

function resultOf({ standing, check, reading, answered, lookedAt, tookMs }: Kept): HealthResult {
  const { state, since, failures } = standing;
  const { scope, ok, message } = reading;
  return { check, scope, state, since, ok, answered, failures, message, lookedAt, tookMs };
}
