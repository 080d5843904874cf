import { setTimeout as delay } from 'node:timers/promises';
import {
  CLUSTER_HEADER,
  GUARD_HEADER,
  TIMEOUT_HEADER,
  type GuardAnswer,
  type RestGuardBoot,
} from '../../ipc/rest-guard';
import { DirectPace } from './direct-pace';
import { GuardWatch } from './guard-watch';
import { guardAnswerError, isRepeatable, RestGuardLostError } from './outcome';

/** Options of a `REST` of @discordjs/rest 2, as far as they are looked at. */
export interface RestOptions {
  api: string;
  timeout: number;
  globalRequestsPerSecond: number;
  agent?: unknown;
  makeRequest?: MakeRequest;
}

export interface RequestInit {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  dispatcher?: unknown;
  onInfo?: (info: { statusCode: number }) => void;
}

export interface RestResponse {
  status: number;
  headers: { get(name: string): string | null };
  text(): Promise<string>;
}

/** @discordjs/rest calls it as a method of its options. */
export type MakeRequest = (this: unknown, url: string, init: RequestInit) => Promise<RestResponse>;

/** An instance, of which botctl's hook is told by its identity alone. */
interface Rest {
  options: Omit<RestOptions, 'makeRequest'> & { makeRequest?: unknown };
  agent?: unknown;
}

export interface RestModule {
  DefaultRestOptions: { api: string; makeRequest?: MakeRequest };
  REST: { prototype: { queueRequest?: (this: Rest, request: unknown) => unknown } };
}

/** The Agent class of the copy of undici which that copy of @discordjs/rest uses. */
export type UndiciAgent = new (options: object) => object;

export interface GuardedRestOptions {
  guard: RestGuardBoot;
  /** REST base URL: what goes elsewhere is left alone. */
  api: string;
  clusterId: number;
  /** Why calls go to Discord directly, or null: they pass the guard again. */
  onPath: (reason: string | null) => void;
}

/** A guard that comes and goes is not tried more often for one call. */
const MAX_TRIES = 3;
/** Idle connections to the guard, ms. */
const KEEP_ALIVE_MS = 30_000;
/** The guard has more connections to accept than the kernel holds: again after so long, ms, and so often. */
const CROWD_MS = 10;
const MAX_CROWD_TRIES = 100;
const DEFAULT_TIMEOUT_MS = 15_000;
const ORIGIN = 'http://rest-guard';

/**
 * Leads the REST calls of the bot's own discord.js through the guard, at the point where @discordjs/rest hands a finished
 * request to its HTTP client. When the guard is gone they go to Discord directly; no call that Discord may have got is
 * sent again unless that does no harm.
 */
export class GuardedRest {
  readonly #watch: GuardWatch;
  readonly #pace: DirectPace;
  /** The bot's own time-outs, ms, by the options of its REST instances. */
  readonly #timeouts = new WeakMap<object, number>();
  /** What was put into copies of @discordjs/rest. */
  readonly #hooks = new Set<unknown>();

  constructor(private readonly options: GuardedRestOptions) {
    this.#watch = new GuardWatch(options.guard.socketPath, options.onPath);
    this.#pace = new DirectPace(options.guard.directPerSecond);
  }

  /** Hooks one copy of @discordjs/rest. False: it is too old to be hooked. */
  install({ DefaultRestOptions: defaults, REST }: RestModule, undici: UndiciAgent): boolean {
    const original = defaults.makeRequest;
    const { prototype } = REST;
    const queueRequest = prototype.queueRequest;
    if (original === undefined || queueRequest === undefined) return false;
    const dispatcher = new undici({
      connect: { socketPath: this.options.guard.socketPath },
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // How long an answer may take is the business of the guard, which knows when the request was sent.
      headersTimeout: 0,
    });
    const call = this.#call.bind(this);
    const makeRequest: MakeRequest = function (this: unknown, url, init) {
      return call(original, dispatcher, this, url, init);
    };
    defaults.makeRequest = makeRequest;
    this.#hooks.add(makeRequest);
    const adopt = this.adopt.bind(this);
    prototype.queueRequest = function (this: Rest, request: unknown): unknown {
      adopt(this);
      return queueRequest.call(this, request);
    };
    return true;
  }

  /** Before the first request of an instance. One with an HTTP client of its own is left as it is. */
  adopt({ options, agent }: Rest): void {
    if (this.#timeouts.has(options) || !this.#hooks.has(options.makeRequest)) return;
    if (options.api !== this.options.api || (agent !== null && agent !== undefined)) return;
    this.#timeouts.set(options, options.timeout);
    // Its own clock starts when the request is handed over, and must not run out while it waits its turn.
    options.timeout += this.options.guard.maxWaitMs;
    // The guard counts for all; without it, `DirectPace` does.
    options.globalRequestsPerSecond = Number.POSITIVE_INFINITY;
  }

  async #call(
    original: MakeRequest,
    dispatcher: object,
    owner: unknown,
    url: string,
    init: RequestInit,
  ): Promise<RestResponse> {
    const timeoutMs = typeof owner === 'object' && owner !== null ? this.#timeouts.get(owner) : undefined;
    const ours = timeoutMs !== undefined && url.startsWith(`${this.options.api}/`);
    if (!ours || (init.dispatcher !== undefined && init.dispatcher !== null)) return original.call(owner, url, init);
    const attempt = (): Promise<RestResponse | 'crowded' | null> =>
      this.#throughGuard(original, dispatcher, owner, url, init, timeoutMs);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const answer = await this.#whileUp(attempt, init.signal);
      if (answer !== null) return answer;
      await this.#pace.wait(url, init.signal);
      if (!this.#watch.isUp) break;
    }
    return this.#direct(original, owner, url, init, timeoutMs);
  }

  /** null: the guard is not there. */
  async #whileUp(
    attempt: () => Promise<RestResponse | 'crowded' | null>,
    signal: AbortSignal | undefined,
  ): Promise<RestResponse | null> {
    for (let crowd = 0; crowd < MAX_CROWD_TRIES && this.#watch.isUp; crowd++) {
      const answer = await attempt();
      if (answer !== 'crowded') return answer;
      await delay(CROWD_MS, undefined, { signal });
    }
    this.#watch.failed('it takes no connections');
    return null;
  }

  /** null: Discord has not got it, or may well get it again. 'crowded': no connection could be made at the moment. */
  async #throughGuard(
    original: MakeRequest,
    dispatcher: object,
    owner: unknown,
    url: string,
    init: RequestInit,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<RestResponse | 'crowded' | null> {
    const info = { sent: false };
    this.#watch.begin();
    try {
      const { pathname, search } = new URL(url);
      const response = await original.call(owner, `${ORIGIN}${pathname}${search}`, {
        ...init,
        headers: {
          ...init.headers,
          [CLUSTER_HEADER]: String(this.options.clusterId),
          [TIMEOUT_HEADER]: String(timeoutMs),
        },
        dispatcher,
        onInfo: ({ statusCode }) => {
          info.sent ||= statusCode === 102;
        },
      });
      const why = response.headers.get(GUARD_HEADER) as GuardAnswer | null;
      const error = why === null ? null : guardAnswerError(why, await peek(response, why), isRepeatable(init));
      if (error !== null) throw new GuardAnswered('', { cause: error });
      return response;
    } catch (error) {
      if (error instanceof GuardAnswered) throw error.cause;
      if (init.signal?.aborted === true) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') return 'crowded';
      this.#watch.failed(code ?? message);
      if (!info.sent || isRepeatable(init)) return null;
      throw new RestGuardLostError(init.method ?? 'GET', { cause: error });
    } finally {
      this.#watch.end();
    }
  }

  /** As without a guard: the bot's own time-out counts from now. */
  async #direct(
    original: MakeRequest,
    owner: unknown,
    url: string,
    init: RequestInit,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<RestResponse> {
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    const timer = setTimeout(abort, timeoutMs).unref();
    init.signal?.addEventListener('abort', abort);
    try {
      return await original.call(owner, url, { ...init, signal: controller.signal });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Carries an error of the guard's answer past the handling of a lost guard. */
class GuardAnswered extends Error {}

/** Only what will be thrown is read: every other answer belongs to @discordjs/rest. */
async function peek(response: RestResponse, why: GuardAnswer): Promise<string> {
  if (why !== 'unreachable' && why !== 'timeout' && why !== 'broken') return '';
  try {
    return (JSON.parse(await response.text()) as { message?: string }).message ?? '';
  } catch {
    return '';
  }
}
