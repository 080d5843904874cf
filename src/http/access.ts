import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What a browser shows its user when it asks for the token. */
export const CHALLENGE = 'Basic realm="botctl: any name, http.token as the password", charset="UTF-8"';

/**
 * Who may look. With a token: whoever sends it as `Authorization: Bearer`, or as the password of HTTP Basic, which is what
 * a browser asks its user for. The token is never part of a URL, where histories and logs would keep it.
 */
export class Access {
  readonly #expected: Buffer | null;

  constructor(token: string | null) {
    this.#expected = token === null ? null : digest(token);
  }

  allows({ headers }: IncomingMessage): boolean {
    if (this.#expected === null) return true;
    const given = tokenIn(headers.authorization);
    return given !== null && timingSafeEqual(digest(given), this.#expected);
  }
}

function tokenIn(header: string | undefined): string | null {
  const [, scheme = '', value = ''] = /^(\w+) +(\S+)$/.exec(header ?? '') ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return value;
    case 'basic': {
      const pair = Buffer.from(value, 'base64').toString('utf8');
      const at = pair.indexOf(':');
      return at === -1 ? null : pair.slice(at + 1);
    }
    default:
      return null;
  }
}

/** Of equal length whatever was sent, as the comparison demands. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
