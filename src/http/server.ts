import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Status } from '../control/contract';
import type { HealthView } from '../health';
import { Access, CHALLENGE } from './access';
import { send, sendJson, sendText } from './answers';
import { explainListen, HttpRequestError } from './errors';
import { essenceOf } from './essence';
import { EventStream } from './event-stream';
import { bareAnswer, livenessAnswer, readinessAnswer } from './health-answers';
import { isLoopback, isLoopbackHost, urlHost } from './loopback';
import { PAGE_POLICY, readPageFiles, type PageFile } from './page/files';

const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 500;
const PATHS = '/, /status.json, /events, /metrics, /api/metrics, /healthz and /readyz';

export interface HttpServerLog {
  warn(fields: object, message: string): void;
}

export interface HttpServerOptions {
  /** An address or name to listen on; loopback unless the operator says otherwise. */
  host: string;
  /** 0: any free port. */
  port: number;
  /** What everybody has to send who wants to see more than whether the bot lives; null: nobody has to. */
  token: string | null;
  status: () => Status;
  /** null: nothing is looked at. */
  health: () => HealthView | null;
  metrics: HttpMetrics;
  log: HttpServerLog;
  /** Where the page's compiled scripts are, if they are not beside this file. */
  scripts?: string;
}

/** What is told of the metrics. */
export interface HttpMetrics {
  /** For Prometheus. */
  text: () => Promise<string>;
  contentType: string;
  /** The answer to the query part of a URL. @throws HttpRequestError */
  answer: (params: URLSearchParams) => object;
}

/** Dashboard, metrics and health answers over HTTP. Read-only: nothing here changes anything. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  readonly #access: Access;
  readonly #page: ReadonlyMap<string, PageFile>;
  readonly #events: EventStream<Status>;
  #loopback = true;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#access = new Access(options.token);
    this.#page = readPageFiles(options.scripts);
    this.#events = new EventStream({
      read: options.status,
      essence: essenceOf,
      onError: (err) => options.log.warn({ err }, 'the status could not be told to the page'),
    });
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
    const { host, port, token, log } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(explainListen(error, host, port)));
      this.#server.listen({ host, port, exclusive: true }, resolve);
    });
    this.#server.removeAllListeners('error');
    this.#server.on('error', (err) => log.warn({ err }, 'status page'));
    const { address, port: bound } = this.#server.address() as AddressInfo;
    this.#loopback = isLoopback(address);
    if (!this.#loopback && token === null) {
      log.warn(
        { host },
        `the dashboard is open to everybody who reaches ${host}:${bound}: set http.token, or http.host to 127.0.0.1`,
      );
    }
    return `http://${urlHost(host, address)}:${bound}`;
  }

  async close(): Promise<void> {
    this.#events.close();
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    // One turn for what was just ended to be sent.
    setImmediate(() => this.#server.closeAllConnections());
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
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    const allowed = this.#access.allows(request);
    if (path === '/healthz' || path === '/readyz') return this.#tellHealth(response, path, query, allowed);
    if (!allowed) {
      response.setHeader('www-authenticate', CHALLENGE);
      sendText(response, 401, 'http.token is asked for: as Authorization: Bearer TOKEN, or as the password\n');
      return;
    }
    const file = this.#page.get(path);
    if (file !== undefined) {
      response.setHeader('content-security-policy', PAGE_POLICY);
      return send(response, 200, file.type, file.body);
    }
    switch (path) {
      case '/status.json':
        return sendJson(response, 200, this.#options.status());
      case '/events':
        return this.#listen(request, response);
      case '/metrics':
        return void this.#scrape(response);
      case '/api/metrics':
        return this.#query(response, query);
      default:
        return sendText(response, 404, `not found: there are ${PATHS}\n`);
    }
  }

  #listen(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'HEAD') return send(response, 200, 'text/event-stream; charset=utf-8', '');
    if (this.#events.add(request, response)) return;
    response.setHeader('retry-after', '30');
    sendText(response, 503, 'too many listeners: ask /status.json instead\n');
  }

  /** Open to orchestrators, which send no token; without one the answer is yes or no. */
  #tellHealth(response: ServerResponse, path: '/healthz' | '/readyz', query: string, allowed: boolean): void {
    const verbose = new URLSearchParams(query).has('verbose') ? this.#options.health() : null;
    const status = this.#options.status();
    if (path === '/healthz') {
      const answer = livenessAnswer(status, verbose);
      return sendJson(response, 200, allowed ? answer : bareAnswer(answer));
    }
    const answer = readinessAnswer(status, verbose);
    sendJson(response, answer.ready ? 200 : 503, allowed ? answer : bareAnswer(answer));
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
