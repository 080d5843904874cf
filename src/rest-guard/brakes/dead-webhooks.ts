import { LRUCache } from 'lru-cache';
import { createHash } from 'node:crypto';

/** Remembered so long, ms: nobody makes a webhook with an old id and token again, but nothing is for ever. */
const TTL_MS = 60 * 60_000;
const MAX = 20_000;
/** Discord's codes for a webhook or interaction token that does not exist (any more). */
const DEAD_CODES = new Set([10_015, 50_027]);

/** Webhooks that Discord no longer knows. To go on calling them is punished. Tokens are kept as hashes only. */
export class DeadWebhooks {
  readonly #dead = new LRUCache<string, true>({ max: MAX, ttl: TTL_MS });

  has(webhook: string): boolean {
    return this.#dead.size > 0 && this.#dead.has(digest(webhook));
  }

  /** @param body of an answer with 401 or 404 */
  learn(webhook: string, body: string): void {
    if (DEAD_CODES.has(codeOf(body))) this.#dead.set(digest(webhook), true);
  }
}

/** What Discord answers. */
export const UNKNOWN_WEBHOOK = '{"message":"Unknown Webhook","code":10015}';

function digest(webhook: string): string {
  return createHash('sha256').update(webhook).digest('base64');
}

function codeOf(body: string): number {
  try {
    const { code } = JSON.parse(body) as { code?: unknown };
    return typeof code === 'number' ? code : 0;
  } catch {
    return 0;
  }
}
