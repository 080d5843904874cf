import type { Readable } from 'node:stream';
import { Agent, type Dispatcher } from 'undici';
import type { Headers } from './limit-headers';

/** Connections to Discord. HTTP/1.1 takes one request at a time on each. */
const CONNECTIONS = 512;
/** Idle connections are closed before Discord's edge does it, ms. */
const KEEP_ALIVE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** A body that stands still for so long has ended, ms. */
const BODY_TIMEOUT_MS = 60_000;
/** For the question whether the token is refused, ms. */
const TOKEN_TIMEOUT_MS = 5_000;

export interface Outgoing {
  method: string;
  path: string;
  headers: Record<string, string | string[]>;
  body: Readable | null;
  signal: AbortSignal;
  timeoutMs: number;
}

export interface Incoming {
  status: number;
  headers: Headers;
  body: Readable;
}

/** Sends requests on to Discord, each once. */
export class Discord {
  readonly #agent = new Agent({
    connections: CONNECTIONS,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    bodyTimeout: BODY_TIMEOUT_MS,
    connect: { timeout: CONNECT_TIMEOUT_MS },
  });
  readonly #origin: string;

  constructor(private readonly api: string) {
    this.#origin = new URL(api).origin;
  }

  /** Resolves when the answer begins. @throws what undici throws */
  async send({ method, path, headers, body, signal, timeoutMs }: Outgoing): Promise<Incoming> {
    const answer = await this.#agent.request({
      origin: this.#origin,
      method: method as Dispatcher.HttpMethod,
      path,
      headers,
      body,
      signal,
      headersTimeout: timeoutMs,
    });
    // An answer that is broken off is told to whoever pipes it; nobody else listens.
    answer.body.on('error', () => undefined);
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  }

  /** Whether Discord refuses this token; null when that cannot be said. */
  async refuses(authorization: string): Promise<boolean | null> {
    try {
      const { pathname } = new URL(this.api);
      const answer = await this.#agent.request({
        origin: this.#origin,
        method: 'GET',
        path: `${pathname.replace(/\/$/, '')}/v10/users/@me`,
        headers: { authorization, 'user-agent': 'DiscordBot (https://www.npmjs.com/package/botctl, 0)' },
        headersTimeout: TOKEN_TIMEOUT_MS,
        signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS),
      });
      await answer.body.dump();
      if (answer.statusCode === 401) return true;
      return answer.statusCode < 400 ? false : null;
    } catch {
      return null;
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}
