import type { LimitHeaders } from './bucket';

export type Headers = Record<string, string | string[] | undefined>;

/** What an answer says about limits. Pure. */
export function limitHeaders(headers: Headers): LimitHeaders {
  const scope = text(headers, 'x-ratelimit-scope');
  const known = scope === 'user' || scope === 'global' || scope === 'shared' ? scope : null;
  return {
    bucket: text(headers, 'x-ratelimit-bucket'),
    limit: number(headers, 'x-ratelimit-limit', 1),
    remaining: number(headers, 'x-ratelimit-remaining', 1),
    resetAfterMs: number(headers, 'x-ratelimit-reset-after', 1_000),
    retryAfterMs: number(headers, 'retry-after', 1_000),
    scope: text(headers, 'x-ratelimit-global') === null ? known : 'global',
  };
}

/** The answer of a ban: Cloudflare's own 429, which does not say when to come back. */
export function isBan(status: number, headers: Headers): boolean {
  return status === 429 && text(headers, 'retry-after') === null && text(headers, 'x-ratelimit-limit') === null;
}

function text(headers: Headers, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

function number(headers: Headers, name: string, factor: number): number | null {
  const value = text(headers, name);
  if (value === null || value.trim() === '') return null;
  const parsed = Number(value);
  return Number.isFinite(parsed) && parsed >= 0 ? parsed * factor : null;
}
