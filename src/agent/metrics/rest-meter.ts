import type { Client } from 'discord.js';
import { GUARD_HEADER } from '../../ipc/rest-guard';
import type { Meter } from './meter';
import type { ResponseMeter } from './response-meter';
import { RouteClasses } from './route-class';

type Rest = Client['rest'];
type Response = Awaited<ReturnType<Rest['options']['makeRequest']>>;

const TOO_MANY_REQUESTS = 429;
/** Statuses that Discord counts on the way to a ban of the address. */
const INVALID = new Set([401, 403, TOO_MANY_REQUESTS]);
const SCOPES = ['user', 'shared', 'global'];
const INTERACTION_CALLBACK = /^\/interactions\/(\d+)\/[^/]+\/callback/;
const CHANNEL_MESSAGES = /^\/channels\/\d+\/messages$/;

/**
 * Measures the REST calls of a client. Each attempt is timed by itself, without the time that it waited for a rate limit;
 * @discordjs/rest's own `response` event is not used, since it clones every answer.
 */
export class RestMeter {
  readonly #routes = new RouteClasses();

  constructor(
    private readonly meter: Meter,
    private readonly responses: ResponseMeter,
  ) {
    // There from the beginning: Prometheus does not see an increase from nothing to 1.
    meter.counter('rest_invalid_requests_total');
    for (const scope of SCOPES) meter.counter('rest_rate_limited_total', { scope });
  }

  install(rest: Rest): void {
    this.#measureAttempts(rest.options);
    this.#watchResponses(rest);
    rest.on('rateLimited', ({ global }) => {
      const scope = global ? 'global' : 'bucket';
      this.#quietly(() => this.meter.counter('rest_rate_limit_waits_total', { scope }).add());
    });
  }

  #measureAttempts(options: Rest['options']): void {
    const makeRequest = options.makeRequest.bind(options);
    options.makeRequest = async (url, init) => {
      const begin = performance.now();
      try {
        const response = await makeRequest(url, init);
        this.#quietly(() => this.#attempt(init.method, url, begin, response));
        return response;
      } catch (error) {
        this.#quietly(() => this.#attempt(init.method, url, begin, null));
        throw error;
      }
    };
  }

  #watchResponses(rest: Rest): void {
    const queueRequest = rest.queueRequest.bind(rest);
    rest.queueRequest = async (request) => {
      const answered = this.#quietly(() => this.#answeredBy(request)) ?? null;
      if (answered === null) return queueRequest(request);
      try {
        const response = await queueRequest(request);
        this.#quietly(() => answered(true));
        return response;
      } catch (error) {
        this.#quietly(() => answered(false));
        throw error;
      }
    };
  }

  #attempt(method: string | undefined, url: string, begin: number, response: Response | null): void {
    const { meter } = this;
    const route = this.#routes.of(method ?? 'GET', url);
    const status = response === null ? 'error' : String(response.status);
    meter.counter('rest_requests_total', { route, status }).add();
    meter.counter('cluster_rest_requests_total', { status }).add();
    meter.sketch('rest_request_duration_seconds', { route }).record((performance.now() - begin) / 1_000);
    if (response === null || !INVALID.has(response.status)) return;
    // The guard's own answer: Discord has not been asked, so it has refused nothing.
    if (response.headers.has(GUARD_HEADER)) return;
    const scope = response.status === TOO_MANY_REQUESTS ? scopeOf(response) : null;
    if (scope !== null) meter.counter('rest_rate_limited_total', { scope }).add();
    // What others on the same resource used up is not counted against this bot.
    if (scope !== 'shared') meter.counter('rest_invalid_requests_total').add();
  }

  /** What the call is the response to, if to anything. */
  #answeredBy({ method, fullRoute, body }: Parameters<Rest['queueRequest']>[0]): ((ok: boolean) => void) | null {
    if (method.toUpperCase() !== 'POST') return null;
    const interaction = INTERACTION_CALLBACK.exec(fullRoute)?.[1];
    if (interaction !== undefined) return (ok) => this.responses.interactionAnswered(interaction, ok);
    if (!CHANNEL_MESSAGES.test(fullRoute)) return null;
    const message = (body as { message_reference?: { message_id?: unknown } } | undefined)?.message_reference
      ?.message_id;
    return typeof message === 'string' ? (ok) => this.responses.messageAnswered(message, ok) : null;
  }

  /** A fault in here is none of the bot's. */
  #quietly<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch {
      return undefined; // the figure is lost, the call is not
    }
  }
}

function scopeOf({ headers }: Response): string {
  if (headers.has('x-ratelimit-global')) return 'global';
  const scope = headers.get('x-ratelimit-scope');
  return scope !== null && SCOPES.includes(scope) ? scope : 'unknown';
}
