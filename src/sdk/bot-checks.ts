import type { BotCheckSample } from '../ipc/health-sample';

export interface HealthCheckOptions {
  /** How often it runs, ms. Default 30 s. */
  intervalMs?: number;
  /** Longer is a failure, ms. Default 5 s. */
  timeoutMs?: number;
}

/**
 * May be async. Unwell is false, `{ ok: false, message }`, and what is thrown; well is everything else, with a `message` if
 * there is one.
 * @param signal aborts when the time is over: pass it on to what you wait for
 */
export type BotHealthCheck = (signal: AbortSignal) => unknown;

/** Checks of one process. */
export const MAX_BOT_CHECKS = 20;
const INTERVAL_MS = 30_000;
const TIMEOUT_MS = 5_000;
const MAX_INTERVAL_MS = 3_600_000;
const MAX_MESSAGE = 300;
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/i;

interface Registered {
  sample: BotCheckSample;
  timer: NodeJS.Timeout;
}

/** Runs the bot's own checks in its process. Whatever they do, nothing is thrown into the bot. */
export class BotChecks {
  readonly #checks = new Map<string, Registered>();

  /** @returns a function that takes the check back @throws RangeError */
  register(name: string, check: BotHealthCheck, options: HealthCheckOptions = {}): () => void {
    const { intervalMs = INTERVAL_MS, timeoutMs = Math.min(TIMEOUT_MS, intervalMs) } = options;
    validate(name, check, intervalMs, timeoutMs);
    if (this.#checks.has(name)) throw new RangeError(`There is a health check "${name}" already.`);
    if (this.#checks.size >= MAX_BOT_CHECKS) {
      throw new RangeError(`More than ${MAX_BOT_CHECKS} health checks in one process: put some of them together.`);
    }
    const sample: BotCheckSample = { name, ok: null, message: '', at: null, intervalMs, timeoutMs };
    const round = rounds(sample, check);
    setImmediate(round).unref();
    const registered = { sample, timer: setInterval(round, intervalMs).unref() };
    this.#checks.set(name, registered);
    return () => {
      clearInterval(registered.timer);
      if (this.#checks.get(name) === registered) this.#checks.delete(name);
    };
  }

  sample(): BotCheckSample[] {
    return [...this.#checks.values()].map(({ sample }) => ({ ...sample }));
  }
}

/** One more look with each call; one that hangs is not begun again, it fails until it ends. */
function rounds(sample: BotCheckSample, check: BotHealthCheck): () => void {
  let since: number | null = null;
  const note = (ok: boolean, message: string): void => {
    Object.assign(sample, { ok, message: message.slice(0, MAX_MESSAGE), at: Date.now() });
  };
  return () => {
    if (since !== null) return note(false, `still hangs, for ${Math.round((Date.now() - since) / 1_000)} s`);
    since = Date.now();
    let over = false;
    const conclude = (ok: boolean, message: string): void => {
      if (!over) note(ok, message);
      over = true;
    };
    const abort = new AbortController();
    const timer = setTimeout(() => {
      conclude(false, `no answer within ${sample.timeoutMs} ms`);
      abort.abort(new Error('the health check takes too long'));
    }, sample.timeoutMs).unref();
    void Promise.resolve()
      .then(() => check(abort.signal))
      .then(read)
      .then(
        ([ok, message]) => conclude(ok, message),
        (error: unknown) => conclude(false, reason(error)),
      )
      .finally(() => {
        clearTimeout(timer);
        since = null;
      });
  };
}

/** The bot may be JavaScript and answer anything. */
function read(answer: unknown): [ok: boolean, message: string] {
  if (typeof answer !== 'object' || answer === null) return answer === false ? [false, 'says no'] : [true, 'says yes'];
  const { ok, message } = answer as { ok?: unknown; message?: unknown };
  const well = ok !== false;
  return [well, typeof message === 'string' && message !== '' ? message : well ? 'says yes' : 'says no'];
}

/** Even an error may be made so that it throws when it is looked at. */
function reason(error: unknown): string {
  try {
    return error instanceof Error ? error.message || error.name : String(error);
  } catch {
    return 'it threw something that cannot be read';
  }
}

function validate(name: string, check: BotHealthCheck, intervalMs: number, timeoutMs: number): void {
  if (!NAME.test(name)) throw new RangeError('The name of a health check is letters, digits and dashes, 63 at most.');
  if (typeof check !== 'function') throw new TypeError(`The health check "${name}" is not a function.`);
  const fits = (ms: number, least: number, most: number): boolean => ms >= least && ms <= most;
  if (!fits(intervalMs, 1_000, MAX_INTERVAL_MS)) {
    throw new RangeError(`intervalMs of the health check "${name}" is from 1,000 to ${MAX_INTERVAL_MS}.`);
  }
  if (!fits(timeoutMs, 1, intervalMs)) {
    throw new RangeError(`timeoutMs of the health check "${name}" is from 1 to its intervalMs.`);
  }
}
