import type { IncomingMessage, ServerResponse } from 'node:http';
import { CLUSTER_HEADER, GUARD_HEADER, TIMEOUT_HEADER, type GuardAnswer } from '../ipc/rest-guard';

/** Meant for one connection, or for the guard: not sent on. */
const NOT_FORWARDED = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  CLUSTER_HEADER,
  TIMEOUT_HEADER,
]);
/** What discord.js waits for by default, ms. */
const DEFAULT_TIMEOUT_MS = 15_000;
const MAX_TIMEOUT_MS = 10 * 60_000;

/** One request of a cluster, and where its answer goes. */
export class Call {
  readonly method: string;
  readonly path: string;
  readonly cluster: string;
  readonly authorization: string;
  readonly timeoutMs: number;
  readonly arrivedAt: number;
  readonly #abort = new AbortController();
  #answered = false;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    now: number,
    /** The caller went away before its answer was complete. */
    onGone: () => void,
  ) {
    const { headers, method = 'GET', url = '/' } = request;
    this.method = method;
    this.path = url;
    this.cluster = one(headers[CLUSTER_HEADER]) ?? '';
    this.authorization = headers.authorization ?? '';
    const timeout = Number(one(headers[TIMEOUT_HEADER]));
    this.timeoutMs = timeout > 0 ? Math.min(timeout, MAX_TIMEOUT_MS) : DEFAULT_TIMEOUT_MS;
    this.arrivedAt = now;
    response.on('close', () => {
      if (response.writableFinished) return;
      onGone();
      this.#abort.abort();
    });
    // A caller that breaks off is told by `close`.
    for (const stream of [request, response]) stream.on('error', () => undefined);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isAnswered(): boolean {
    return this.#answered;
  }

  get hasBody(): boolean {
    const { headers } = this.request;
    return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  }

  forwardedHeaders(): Record<string, string | string[]> {
    return strip(this.request.headers);
  }

  /** From here on the caller must count with the request having been done. */
  announce(): void {
    this.response.writeProcessing();
  }

  begin(status: number, headers: NodeJS.Dict<string | string[]>): void {
    this.#answered = true;
    this.response.writeHead(status, strip(headers));
  }

  /** An answer of the guard's own, in the shape of Discord's errors. */
  refuse(why: GuardAnswer, status: number, body: string | { message: string }, retryAfterMs?: number): void {
    if (this.#answered || this.response.destroyed) return;
    this.#answered = true;
    const seconds = retryAfterMs === undefined ? null : Math.max(0.001, Math.ceil(retryAfterMs) / 1_000);
    const text =
      typeof body === 'string'
        ? body
        : JSON.stringify({ ...body, code: 0, ...(seconds !== null && { retry_after: seconds, global: false }) });
    this.response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      [GUARD_HEADER]: why,
      ...(seconds !== null && { 'retry-after': String(seconds), 'x-ratelimit-scope': 'shared' }),
    });
    this.response.end(text);
  }
}

function strip(headers: NodeJS.Dict<string | string[]>): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  // What `Connection` names belongs to that connection as well.
  const named = (one(headers['connection']) ?? '').toLowerCase().split(/\s*,\s*/);
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !NOT_FORWARDED.has(name) && !named.includes(name)) kept[name] = value;
  }
  return kept;
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
