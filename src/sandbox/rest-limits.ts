/** How strictly Discord's REST limits are enforced. */
export interface RestLimitOptions {
  /** Requests of one token within any second; what carries its own token is exempt. */
  globalPerSecond: number;
  /** Of each route, by channel, guild or webhook. */
  perRoute: { limit: number; windowMs: number };
  /** Invalid requests (401, 403, 429) within ten minutes after which the address is banned. */
  invalidLimit: number;
  banMs: number;
}

export const DISCORD_LIMITS: RestLimitOptions = {
  globalPerSecond: 50,
  perRoute: { limit: 5, windowMs: 5_000 },
  invalidLimit: 10_000,
  banMs: 3_600_000,
};

export interface Refusal {
  headers: Record<string, string>;
  /** Text: not Discord's, but Cloudflare's answer. */
  body: object | string;
}

export interface RestLimitCounts {
  global429: number;
  route429: number;
  /** 401, 403 and 429 since the start. */
  invalid: number;
  bans: number;
  /** Requests that came while there was a ban. */
  whileBanned: number;
  /** Most requests seen within one second that count to the global limit. */
  peakPerSecond: number;
}

const GLOBAL_WINDOW_MS = 1_000;
const INVALID_WINDOW_MS = 600_000;
const MAX_ROUTES = 100_000;
const EXEMPT = /^\/(?:interactions|webhooks)\/\d+\/./;

/** Discord's REST limits, without mercy: a sliding window for the whole bot, a bucket per route, the ban of the address. */
export class RestLimits {
  counts: RestLimitCounts = emptyLimitCounts();
  readonly #global = new Map<string, number[]>();
  readonly #routes = new Map<string, { resetAt: number; used: number }>();
  #invalid: number[] = [];
  #bannedUntil = 0;

  constructor(
    private readonly options: RestLimitOptions,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The refusal of this request, or the headers that its answer carries. */
  take(method: string, path: string, token: string): { refusal: Refusal } | { headers: Record<string, string> } {
    const now = this.now();
    if (now < this.#bannedUntil) {
      this.counts.whileBanned++;
      return { refusal: BANNED };
    }
    if (!EXEMPT.test(path)) {
      const wait = this.#takeGlobal(token, now);
      if (wait > 0) return this.#refuse('global', wait, {});
    }
    if (path.startsWith('/interactions/')) return { headers: {} };
    return this.#takeRoute(method, path, now);
  }

  /** Something was answered 401, 403 or 429. */
  invalid(): void {
    const now = this.now();
    this.counts.invalid++;
    this.#invalid.push(now);
    while ((this.#invalid[0] ?? now) <= now - INVALID_WINDOW_MS) this.#invalid.shift();
    if (this.#invalid.length < this.options.invalidLimit) return;
    this.#invalid = [];
    this.#bannedUntil = now + this.options.banMs;
    this.counts.bans++;
  }

  /** As if the address had earned it. */
  ban(ms: number): void {
    this.#bannedUntil = this.now() + ms;
    this.counts.bans++;
  }

  #takeGlobal(token: string, now: number): number {
    const { globalPerSecond } = this.options;
    let seen = this.#global.get(token);
    if (seen === undefined) this.#global.set(token, (seen = []));
    while ((seen[0] ?? now) <= now - GLOBAL_WINDOW_MS) seen.shift();
    const [oldest = now] = seen;
    if (seen.length >= globalPerSecond) return oldest + GLOBAL_WINDOW_MS - now;
    seen.push(now);
    this.counts.peakPerSecond = Math.max(this.counts.peakPerSecond, seen.length);
    return 0;
  }

  #takeRoute(method: string, path: string, now: number): { refusal: Refusal } | { headers: Record<string, string> } {
    const { limit, windowMs } = this.options.perRoute;
    const [, first = '', major = ''] = path.split('/');
    const template = `${method} ${path.replace(/\d{15,}/g, ':id').replace(/\/reactions\/.*/, '/reactions')}`;
    const key = `${template} ${['channels', 'guilds', 'webhooks'].includes(first) ? major : ''}`;
    let bucket = this.#routes.get(key);
    if (bucket === undefined || now >= bucket.resetAt) {
      if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
      this.#routes.set(key, (bucket = { resetAt: now + windowMs, used: 0 }));
    }
    const resetAfter = bucket.resetAt - now;
    const headers = {
      'x-ratelimit-bucket': hashOf(template),
      'x-ratelimit-limit': String(limit),
      'x-ratelimit-remaining': String(Math.max(0, limit - bucket.used - 1)),
      'x-ratelimit-reset-after': (resetAfter / 1_000).toFixed(3),
      'x-ratelimit-reset': ((Date.now() + resetAfter) / 1_000).toFixed(3),
    };
    if (bucket.used >= limit) return this.#refuse('user', resetAfter, headers);
    bucket.used++;
    return { headers };
  }

  #refuse(scope: 'user' | 'global', waitMs: number, headers: Record<string, string>): { refusal: Refusal } {
    this.counts[scope === 'global' ? 'global429' : 'route429']++;
    this.invalid();
    const seconds = Math.max(0.001, Math.ceil(waitMs) / 1_000);
    return {
      refusal: {
        headers: {
          ...headers,
          'retry-after': String(seconds),
          'x-ratelimit-scope': scope,
          ...(scope === 'global' && { 'x-ratelimit-global': 'true' }),
        },
        body: { message: 'You are being rate limited.', retry_after: seconds, global: scope === 'global' },
      },
    };
  }
}

export function emptyLimitCounts(): RestLimitCounts {
  return { global429: 0, route429: 0, invalid: 0, bans: 0, whileBanned: 0, peakPerSecond: 0 };
}

const BANNED: Refusal = {
  headers: { server: 'cloudflare', 'content-type': 'text/html' },
  body: '<html><title>Access denied | discord.com used Cloudflare to restrict access</title></html>',
};

function hashOf(text: string): string {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return `b${hash.toString(16)}`;
}
