import {
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  CountBreaker,
  ExponentialBackoff,
  handleWhen,
  isBrokenCircuitError,
} from 'cockatiel';
import type { Client } from 'discord.js';
import { RouteClasses } from '../metrics/route-class';
import { RestGuardLostError } from './outcome';

type RestOptions = Client['rest']['options'];
type Response = Awaited<ReturnType<RestOptions['makeRequest']>>;

/** Calls of one kind that are looked at, how many there must be, and the share of failures that opens the circuit. */
const WINDOW = { size: 20, minimumNumberOfCalls: 8, threshold: 0.5 };
/** A call that is given up after so long, ms, was not answered. */
const SILENT_MS = 5_000;
/** One call is let through after such a time, ms. */
const HALF_OPEN_MS = { initialDelay: 1_000, maxDelay: 30_000 };

/** Discord fails at this kind of call; it was not sent. */
export class RestCircuitOpenError extends Error {
  override readonly name = 'RestCircuitOpenError';
  constructor(readonly route: string) {
    super(`${route}: not sent, since Discord fails at most calls of this kind at the moment; it is tried again soon`);
  }
}

export interface RouteBreakersOptions {
  /** A circuit has opened (why), or closed (null). */
  onChange: (route: string, reason: string | null) => void;
  onRefused: (route: string) => void;
}

/**
 * A circuit breaker for each kind of REST call: where Discord answers with 5xx or not at all, calls fail at once instead of
 * piling up, and one after the other finds out whether it serves again. Refusals of Discord's (4xx) are answers.
 */
export class RouteBreakers {
  readonly #routes = new RouteClasses();
  readonly #circuits = new Map<string, CircuitBreakerPolicy>();

  constructor(private readonly options: RouteBreakersOptions) {}

  install(options: RestOptions): void {
    const makeRequest = options.makeRequest.bind(options);
    options.makeRequest = async (url, init) => {
      const route = this.#routes.of(init.method ?? 'GET', url);
      try {
        return await this.#circuit(route).execute(() => attempt(() => makeRequest(url, init)));
      } catch (error) {
        if (error instanceof ServerFault) return error.response;
        if (error instanceof Silence) throw error.cause;
        if (!isBrokenCircuitError(error)) throw error;
        this.options.onRefused(route);
        throw new RestCircuitOpenError(route);
      }
    };
  }

  #circuit(route: string): CircuitBreakerPolicy {
    let circuit = this.#circuits.get(route);
    if (circuit === undefined) {
      circuit = circuitBreaker(handleWhen(isDiscordsFault), {
        halfOpenAfter: new ExponentialBackoff(HALF_OPEN_MS),
        breaker: new CountBreaker(WINDOW),
      });
      this.#circuits.set(route, circuit);
      this.#watch(route, circuit);
    }
    return circuit;
  }

  #watch(route: string, circuit: CircuitBreakerPolicy): void {
    let open = false;
    circuit.onStateChange((state) => {
      if (state === CircuitState.HalfOpen || open === (state === CircuitState.Open)) return;
      open = state === CircuitState.Open;
      this.options.onChange(route, open ? 'Discord fails at most calls of this kind' : null);
    });
  }
}

async function attempt(call: () => Promise<Response>): Promise<Response> {
  const begin = performance.now();
  let response: Response;
  try {
    response = await call();
  } catch (error) {
    const aborted = error instanceof Error && error.name === 'AbortError';
    // A call that the bot itself took back looks the same, but is seldom so late.
    if (aborted && performance.now() - begin >= SILENT_MS) throw new Silence(error.message, { cause: error });
    throw error;
  }
  if (response.status >= 500) throw new ServerFault(response);
  return response;
}

/** Carries the error of a call without an answer. */
class Silence extends Error {}

/** Carries an answer that counts as a failure past the circuit breaker. */
class ServerFault extends Error {
  constructor(readonly response: Response) {
    super(`status ${response.status}`);
  }
}

function isDiscordsFault(error: Error): boolean {
  return error.name !== 'AbortError' && !(error instanceof RestGuardLostError);
}
