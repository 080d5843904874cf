import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP, type AddressInfo } from 'node:net';
import type { Status } from '../control/contract';
import type { HealthView } from '../health';
import { livenessAnswer, readinessAnswer } from './health-answers';
import { pagePolicy, statusPage } from './page';

const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 500;

export interface HttpServerLog {
  warn(fields: object, message: string): void;
}

export interface HttpServerOptions {
  /** An address or name to listen on; loopback unless the operator says otherwise. */
  host: string;
  /** 0: any free port. */
  port: number;
  status: () => Status;
  /** null: nothing is looked at. */
  health: () => HealthView | null;
  metrics: HttpMetrics;
  log: HttpServerLog;
}

/** What is told of the metrics. */
export interface HttpMetrics {
  /** For Prometheus. */
  text: () => Promise<string>;
  contentType: string;
  /** The answer to the query part of a URL. @throws HttpRequestError */
  answer: (params: URLSearchParams) => object;
}

/** The page cannot be served; the message names the key to change. */
export class HttpListenError extends Error {
  override readonly name = 'HttpListenError';
  readonly exitCode = 1;
  constructor(
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A request that cannot be answered as it is; told to whoever sent it. */
export class HttpRequestError extends Error {
  override readonly name = 'HttpRequestError';
  constructor(
    readonly status: number,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** Status page, metrics and health answers over HTTP. Read-only: nothing here changes anything. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  #loopback = true;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: 16 * 1024 },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('clientError', (_error, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else socket.destroy();
    });
  }

  /** Resolves with the URL of the page. Throws HttpListenError. */
  async listen(): Promise<string> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, host, port)));
      this.#server.listen({ host, port, exclusive: true }, resolve);
    });
    this.#server.removeAllListeners('error');
    this.#server.on('error', (err) => this.#options.log.warn({ err }, 'status page'));
    const { address, port: bound } = this.#server.address() as AddressInfo;
    this.#loopback = isLoopback(address);
    return `http://${urlHost(host, address)}:${bound}`;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    request.resume();
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('cache-control', 'no-store');
    response.setHeader('referrer-policy', 'no-referrer');
    response.setHeader('cross-origin-resource-policy', 'same-origin');
    try {
      this.#route(request, response);
    } catch (err) {
      this.#options.log.warn({ err }, 'a request to the status page failed');
      if (response.headersSent) response.destroy();
      else sendText(response, 500, 'the supervisor failed to answer; see botctl logs\n');
    }
  }

  #route(request: IncomingMessage, response: ServerResponse): void {
    if (this.#loopback && !isLoopbackHost(request.headers.host)) {
      // A web page elsewhere may point its own name at 127.0.0.1; its Host header gives it away.
      sendText(response, 403, 'this page is only served under localhost, 127.0.0.1 and [::1]\n');
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      sendText(response, 405, 'only GET and HEAD\n');
      return;
    }
    const [path, query = ''] = (request.url ?? '/').split('?', 2);
    const verbose = new URLSearchParams(query).has('verbose');
    switch (path) {
      case '/':
        return this.#page(response);
      case '/status.json':
        return sendJson(response, 200, this.#options.status());
      case '/metrics':
        return void this.#scrape(response);
      case '/api/metrics':
        return this.#query(response, query);
      case '/healthz':
        return sendJson(response, 200, livenessAnswer(this.#options.status(), verbose ? this.#options.health() : null));
      case '/readyz':
        return this.#readiness(response, verbose);
      default:
        return sendText(
          response,
          404,
          'not found: there are /, /status.json, /metrics, /api/metrics, /healthz and /readyz\n',
        );
    }
  }

  #page(response: ServerResponse): void {
    const nonce = randomBytes(16).toString('base64');
    response.setHeader('content-security-policy', pagePolicy(nonce));
    send(response, 200, 'text/html; charset=utf-8', statusPage(nonce));
  }

  #readiness(response: ServerResponse, verbose: boolean): void {
    const answer = readinessAnswer(this.#options.status(), verbose ? this.#options.health() : null);
    sendJson(response, answer.ready ? 200 : 503, answer);
  }

  async #scrape(response: ServerResponse): Promise<void> {
    const { metrics, log } = this.#options;
    try {
      const text = await metrics.text();
      if (!response.destroyed) send(response, 200, metrics.contentType, text);
    } catch (err) {
      log.warn({ err }, '/metrics failed');
      if (!response.headersSent) sendText(response, 500, 'the supervisor failed to answer; see botctl logs\n');
    }
  }

  #query(response: ServerResponse, query: string): void {
    try {
      sendJson(response, 200, this.#options.metrics.answer(new URLSearchParams(query)));
    } catch (error) {
      if (!(error instanceof HttpRequestError)) throw error;
      sendJson(response, error.status, { error: error.message, ...(error.hint !== undefined && { hint: error.hint }) });
    }
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  // Node leaves the body out for HEAD.
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function sendText(response: ServerResponse, status: number, body: string): void {
  send(response, status, 'text/plain; charset=utf-8', body);
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  send(response, status, 'application/json', `${JSON.stringify(body)}\n`);
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      return new HttpListenError(
        `port ${port} on ${host} is taken by another program`,
        'set http.port in botctl.yaml to a free port, or to 0 for any free one',
        { cause: error },
      );
    case 'EACCES':
      return new HttpListenError(
        `port ${port} on ${host} may not be opened by this user`,
        'set http.port in botctl.yaml to a port above 1023',
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new HttpListenError(
        `${host} is not an address of this machine`,
        'set http.host in botctl.yaml to 127.0.0.1, or to 0.0.0.0 for all addresses',
        { cause: error },
      );
    default:
      return error;
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

function isLoopbackHost(header: string | undefined): boolean {
  const name = (header ?? '').replace(/:\d+$/, '').toLowerCase();
  if (name === 'localhost' || name === '[::1]') return true;
  return isIP(name) === 4 && isLoopback(name);
}

/** What to type into a browser here: a wildcard is reached over loopback. */
function urlHost(host: string, address: string): string {
  if (address === '0.0.0.0' || address === '::') return '127.0.0.1';
  return isIP(host) === 6 ? `[${host}]` : host;
}
