import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Accounting } from './accounting';
import type { Gateway } from './gateway';
import type { IdentifyRules } from './identify-rules';
import type { SandboxOptions } from './options';
import { RequestIds } from './request-ids';
import { RestLimits } from './rest-limits';
import type { Weather } from './weather';
import { application, botIdOf, botUser, messageBody, type Payload, type World } from './world';

export interface RestCounts {
  requests: number;
  rateLimited: number;
  unauthorised: number;
  unknownRoutes: number;
}

export interface RestDeps {
  options: SandboxOptions;
  world: World;
  gateway: Gateway;
  rules: IdentifyRules;
  weather: Weather;
  accounting: Accounting;
  gatewayUrl: () => string;
}

interface Call {
  botId: string;
  params: string[];
  query: URLSearchParams;
  body: Payload | Payload[];
}

interface Answer {
  status: number;
  body?: unknown;
}

type Route = [method: string, path: RegExp, auth: boolean, handle: (call: Call) => Answer];

const ID = '(\\d+)';
const NO_CONTENT: Answer = { status: 204 };
/** What a storm of 429s asks everybody to wait. */
const STORM_RETRY_SECONDS = 0.2;
const MAX_BODY_BYTES = 30 * 1024 * 1024;
const UNKNOWN_GUILD: Answer = { status: 404, body: { message: 'Unknown Guild', code: 10_004 } };
const UNKNOWN_CHANNEL: Answer = { status: 404, body: { message: 'Unknown Channel', code: 10_003 } };

/** Discord's REST API, as far as bots use it beside the gateway. */
export class Rest {
  counts: RestCounts = { requests: 0, rateLimited: 0, unauthorised: 0, unknownRoutes: 0 };
  readonly limits: RestLimits | null;
  readonly requestIds = new RequestIds();
  readonly #commands = new Map<string, Payload[]>();
  readonly #routes: Route[];
  #window = { start: 0, count: 0 };

  constructor(private readonly deps: RestDeps) {
    this.#routes = this.#makeRoutes();
    const { restLimits } = deps.options;
    this.limits = restLimits === null ? null : new RestLimits(restLimits);
  }

  async answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    this.counts.requests++;
    const path = url.pathname.replace(/^\/api(\/v\d+)?/, '');
    const method = request.method ?? 'GET';
    const text = await readBody(request);
    const lateMs = this.deps.options.restLatencyMs + this.deps.weather.restLatencyMs(path);
    if (lateMs > 0) await delay(lateMs);
    if (this.#refused(request, response, method, path)) return;
    const failure = this.deps.weather.takeRestError(path);
    if (failure !== null) {
      if (failure === 401 || failure === 403) this.limits?.invalid();
      reply(response, { status: failure, body: { message: `${failure}: in the sandbox`, code: 0 } });
      return;
    }
    if (this.deps.weather.isRestLimited(path)) {
      this.counts.rateLimited++;
      this.limits?.invalid();
      response.setHeader('retry-after', String(STORM_RETRY_SECONDS));
      response.setHeader('x-ratelimit-scope', 'user');
      reply(response, {
        status: 429,
        body: { message: 'You are being rate limited.', retry_after: STORM_RETRY_SECONDS, global: false },
      });
      return;
    }
    const limited = this.#limit(path);
    if (limited !== null) {
      this.counts.rateLimited++;
      response.setHeader('retry-after', String(limited));
      response.setHeader('x-ratelimit-global', 'true');
      response.setHeader('x-ratelimit-scope', 'global');
      reply(response, {
        status: 429,
        body: { message: 'You are being rate limited.', retry_after: limited, global: true },
      });
      return;
    }
    for (const [routeMethod, pattern, auth, handle] of this.#routes) {
      const match = method === routeMethod ? pattern.exec(path) : null;
      if (match === null) continue;
      const token = (request.headers.authorization ?? '').replace(/^(Bot|Bearer)\s+/i, '');
      if (auth && !this.deps.gateway.accepts(token)) {
        this.counts.unauthorised++;
        this.limits?.invalid();
        reply(response, { status: 401, body: { message: '401: Unauthorized', code: 0 } });
        return;
      }
      const call = { botId: botIdOf(token), params: match.slice(1), query: url.searchParams, body: parseBody(text) };
      this.requestIds.see(request.headers['x-request-id'], Array.isArray(call.body) ? null : call.body['content']);
      reply(response, handle(call));
      return;
    }
    this.counts.unknownRoutes++;
    reply(response, { status: 404, body: { message: '404: Not Found', code: 0 } });
  }

  /** Discord's own limits, when they are asked for. */
  #refused(request: IncomingMessage, response: ServerResponse, method: string, path: string): boolean {
    const taken = this.limits?.take(method, path, request.headers.authorization ?? '');
    if (taken === undefined) return false;
    const { headers, body } = 'refusal' in taken ? taken.refusal : { headers: taken.headers, body: null };
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (body === null) return false;
    this.counts.rateLimited++;
    response.statusCode = 429;
    if (!response.hasHeader('content-type')) response.setHeader('content-type', 'application/json');
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
    return true;
  }

  /** Interactions are exempt from the global limit. */
  #limit(path: string): number | null {
    const { restPerSecond } = this.deps.options;
    if (restPerSecond === 0 || path.startsWith('/interactions/')) return null;
    const now = Date.now();
    if (now - this.#window.start >= 1_000) this.#window = { start: now, count: 0 };
    return ++this.#window.count > restPerSecond ? (this.#window.start + 1_000 - now) / 1_000 : null;
  }

  #makeRoutes(): Route[] {
    const { world, accounting, gatewayUrl } = this.deps;
    const route = (method: string, path: string, auth: boolean, handle: (call: Call) => Answer): Route => [
      method,
      new RegExp(`^${path}$`),
      auth,
      handle,
    ];
    const guild = (id: string | undefined, found: (index: number) => unknown): Answer => {
      const index = world.guildIndex(id ?? '');
      return index === null ? UNKNOWN_GUILD : { status: 200, body: found(index) };
    };
    const created = (call: Call, channelId: string): Payload => {
      const content = Array.isArray(call.body) ? '' : call.body['content'];
      return messageBody(world.snowflake(), channelId, botUser(call.botId), typeof content === 'string' ? content : '');
    };
    const commands = (method: string, store: string): Route =>
      route(method, store, true, ({ params, body }) => {
        const key = params.join('/');
        if (method === 'GET') return { status: 200, body: this.#commands.get(key) ?? [] };
        const added = (Array.isArray(body) ? body : [body]).map((command) => this.#command(command, params[0] ?? ''));
        this.#commands.set(key, method === 'PUT' ? added : [...(this.#commands.get(key) ?? []), ...added]);
        return method === 'PUT' ? { status: 200, body: added } : { status: 201, body: added[0] };
      });
    const webhookMessage = (call: Call): Answer => ({ status: 200, body: created(call, world.channelId(0, 0)) });

    return [
      route('GET', '/gateway', false, () => ({ status: 200, body: { url: gatewayUrl() } })),
      route('GET', '/gateway/bot', true, () => ({ status: 200, body: this.#gatewayBot() })),
      route('GET', '/users/@me', true, ({ botId }) => ({ status: 200, body: botUser(botId) })),
      route('GET', '/users/@me/guilds', true, () => ({ status: 200, body: [] })),
      route('POST', '/users/@me/channels', true, () => ({
        status: 200,
        body: { id: world.snowflake(), type: 1, recipients: [] },
      })),
      route('GET', `/users/${ID}`, true, ({ params }) => ({ status: 200, body: { ...world.user(0), id: params[0] } })),
      route('GET', '/(?:oauth2/)?applications/@me', true, ({ botId }) => ({ status: 200, body: application(botId) })),
      ...['GET', 'PUT', 'POST'].flatMap((method) => [
        commands(method, `/applications/${ID}/commands`),
        commands(method, `/applications/${ID}/guilds/${ID}/commands`),
      ]),
      route('GET', `/guilds/${ID}`, true, ({ params }) => guild(params[0], (index) => world.guildSettings(index))),
      route('GET', `/guilds/${ID}/channels`, true, ({ params }) => guild(params[0], (index) => world.channels(index))),
      route('GET', `/guilds/${ID}/members`, true, ({ params }) => guild(params[0], (index) => world.members(index))),
      route('GET', `/guilds/${ID}/members/${ID}`, true, ({ params }) =>
        guild(params[0], (index) => world.member(index, 0)),
      ),
      route('GET', `/channels/${ID}`, true, ({ params }) => this.#channel(params[0] ?? '')),
      route('GET', `/channels/${ID}/messages`, true, () => ({ status: 200, body: [] })),
      route('POST', `/channels/${ID}/messages`, true, (call) => {
        const channelId = call.params[0] ?? '';
        const reference = Array.isArray(call.body) ? null : (call.body['message_reference'] as Payload | undefined);
        if (reference !== undefined && reference !== null) accounting.answered(String(reference['message_id']));
        else accounting.answeredIn(channelId);
        return { status: 200, body: created(call, channelId) };
      }),
      route('PATCH', `/channels/${ID}/messages/${ID}`, true, (call) => ({
        status: 200,
        body: { ...created(call, call.params[0] ?? ''), id: call.params[1] },
      })),
      route('DELETE', `/channels/${ID}/messages/${ID}`, true, () => NO_CONTENT),
      route('POST', `/channels/${ID}/typing`, true, () => NO_CONTENT),
      ...['PUT', 'DELETE'].map((method) =>
        route(method, `/channels/${ID}/messages/${ID}/reactions/.*`, true, () => NO_CONTENT),
      ),
      route('POST', `/interactions/${ID}/([^/]+)/callback`, false, (call) => {
        const id = call.params[0] ?? '';
        accounting.answered(id);
        if (call.query.get('with_response') !== 'true') return NO_CONTENT;
        const message = created(call, world.channelId(0, 0));
        return {
          status: 200,
          body: {
            interaction: { id, type: 2, response_message_id: message['id'] },
            resource: { type: 4, message },
          },
        };
      }),
      route('POST', `/webhooks/${ID}/[^/]+`, false, webhookMessage),
      route('GET', `/webhooks/${ID}/[^/]+/messages/[^/]+`, false, webhookMessage),
      route('PATCH', `/webhooks/${ID}/[^/]+/messages/[^/]+`, false, webhookMessage),
      route('DELETE', `/webhooks/${ID}/[^/]+/messages/[^/]+`, false, () => NO_CONTENT),
    ];
  }

  #command(command: Payload, applicationId: string): Payload {
    return { type: 1, ...command, id: this.deps.world.snowflake(), application_id: applicationId, version: '1' };
  }

  #channel(id: string): Answer {
    const { world } = this.deps;
    const index = world.guildIndex(id);
    const channel = index === null ? undefined : world.channels(index).find((candidate) => candidate['id'] === id);
    return channel === undefined ? UNKNOWN_CHANNEL : { status: 200, body: channel };
  }

  #gatewayBot(): Payload {
    const { options, rules, gatewayUrl } = this.deps;
    const { total, remaining, resetAfterMs } = rules.sessionStart;
    return {
      url: gatewayUrl(),
      shards: options.shards,
      session_start_limit: { total, remaining, reset_after: resetAfterMs, max_concurrency: options.maxConcurrency },
    };
  }
}

function reply(response: ServerResponse, { status, body }: Answer): void {
  response.statusCode = status;
  if (!response.hasHeader('x-ratelimit-limit')) {
    response.setHeader('x-ratelimit-limit', '1000');
    response.setHeader('x-ratelimit-remaining', '999');
    response.setHeader('x-ratelimit-reset-after', '1');
  }
  if (body === undefined) return void response.end();
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size <= MAX_BODY_BYTES) parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** A multipart body (files) counts as empty: what is in it is not looked at. */
function parseBody(text: string): Payload | Payload[] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Payload | Payload[]) : {};
  } catch {
    return {};
  }
}
