import { setTimeout as delay } from 'node:timers/promises';
import type { GatewayBot } from '../ipc/messages';
import { backoffDelay } from './backoff';

/** Discord said 401: the token is wrong, and asking again only counts as an invalid request. */
export class TokenRefusedError extends Error {
  override readonly name = 'TokenRefusedError';
  readonly hint = 'Check bot.token: copy it anew from the Discord Developer Portal (Bot, Reset Token).';
  constructor() {
    super('Discord refused the token (HTTP 401 from /gateway/bot).');
  }
}

export interface GatewayInfoOptions {
  /** REST base URL, e.g. https://discord.com/api. */
  api: string;
  token: string;
  version: string;
  /** Told before each wait: what went wrong and how long until the next try, ms. */
  onRetry?: (reason: string, delayMs: number) => void;
}

/** Time for one answer, ms. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * GET /gateway/bot, tried again with growing delays until it is answered, `signal` aborts, or the token is refused.
 * @throws TokenRefusedError
 */
export async function fetchGatewayBot(options: GatewayInfoOptions, signal: AbortSignal): Promise<GatewayBot> {
  for (let attempt = 0; ; attempt++) {
    const outcome = await tryOnce(options, signal);
    if ('gateway' in outcome) return outcome.gateway;
    const backoff = backoffDelay(attempt, { minMs: 1_000, maxMs: 60_000, jitter: 0.2 });
    const waitMs = Math.max(backoff, outcome.retryAfterMs ?? 0);
    options.onRetry?.(outcome.reason, waitMs);
    await delay(waitMs, undefined, { signal });
  }
}

type Outcome = { gateway: GatewayBot } | { reason: string; retryAfterMs?: number };

async function tryOnce({ api, token, version }: GatewayInfoOptions, signal: AbortSignal): Promise<Outcome> {
  let response: Response;
  try {
    response = await fetch(`${api}/v10/gateway/bot`, {
      headers: {
        authorization: `Bot ${token}`,
        'user-agent': `DiscordBot (https://www.npmjs.com/package/botctl, ${version})`,
      },
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
  } catch (error) {
    if (signal.aborted) throw error;
    return { reason: describe(error) };
  }
  if (response.status === 401) throw new TokenRefusedError();
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const retryAfter = Number(response.headers.get('retry-after'));
    return {
      reason: `HTTP ${response.status} from ${api}/v10/gateway/bot`,
      ...(Number.isFinite(retryAfter) && retryAfter > 0 && { retryAfterMs: retryAfter * 1_000 }),
    };
  }
  return isGatewayBot(body) ? { gateway: body } : { reason: `an answer that is none of /gateway/bot from ${api}` };
}

function isGatewayBot(value: unknown): value is GatewayBot {
  if (typeof value !== 'object' || value === null) return false;
  const { url, shards, session_start_limit: limit } = value as Partial<GatewayBot>;
  return (
    typeof url === 'string' &&
    typeof shards === 'number' &&
    shards >= 1 &&
    typeof limit === 'object' &&
    (limit as object | null) !== null &&
    [limit.total, limit.remaining, limit.reset_after, limit.max_concurrency].every((n) => typeof n === 'number') &&
    limit.max_concurrency >= 1
  );
}

/** `fetch failed` says nothing; its cause does. */
function describe(error: unknown): string {
  const { name, message, cause } = error as Partial<Error>;
  if (name === 'TimeoutError') return `no answer within ${REQUEST_TIMEOUT_MS / 1_000} s`;
  return (cause as Partial<Error> | undefined)?.message ?? message ?? String(error);
}
