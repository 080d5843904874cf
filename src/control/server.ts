import { chmodSync, lstatSync, statSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { ControlError, type ApiError, type ControlHandlers, type Progress } from './contract';
import { deployRoute } from './deploy-routes';
import {
  parseAbort,
  parseMaintain,
  parseMove,
  parseRebalance,
  parseRecover,
  parseRestart,
  parseScale,
} from './requests';
import { INCIDENTS_PATH, answerIncidents } from './incidents';
import { MAX_SOCKET_PATH_BYTES, ensurePrivateDir } from './socket-path';

const MAX_BODY_BYTES = 64 * 1024;
/** How often a quiet progress stream carries an empty line, ms; the client takes silence for death. */
export const HEARTBEAT_MS = 1000;
/** A whole request (head and body) must be there by then, ms. */
const REQUEST_TIMEOUT_MS = 5000;
const MAX_CONNECTIONS = 100;
/** A socket whose owner does not even accept within this time, ms, is still somebody's. */
const PROBE_TIMEOUT_MS = 2000;

export interface ControlServerLog {
  warn(fields: object, message: string): void;
}

export interface ControlServerOptions {
  /** The control socket; its folder is created (0700) when missing. */
  path: string;
  handlers: ControlHandlers;
  log: ControlServerLog;
  heartbeatMs?: number;
  requestTimeoutMs?: number;
}

/** Answers the other commands over a Unix socket that only its owner can open. */
export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #server: Server;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    const timeout = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#server = createServer(
      {
        headersTimeout: timeout,
        requestTimeout: timeout,
        connectionsCheckingInterval: Math.min(1000, timeout),
        keepAliveTimeout: 1000,
        maxHeaderSize: 8 * 1024,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('clientError', (_error, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else socket.destroy();
    });
  }

  /**
   * Rejects when somebody else answers on the socket, when something else than a socket stands there, or when its folder
   * is open to other users. A socket left by a killed supervisor is removed.
   */
  async listen(): Promise<void> {
    const { path } = this.#options;
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
      throw new Error(`the socket path is longer than ${MAX_SOCKET_PATH_BYTES} bytes: ${path}`);
    }
    // Nobody else can enter the folder, so the socket is private before its own mode is set.
    ensurePrivateDir(dirname(path));
    await removeStaleSocket(path);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    chmodSync(path, 0o600);
    if ((statSync(path).mode & 0o777) !== 0o600) {
      await this.close();
      throw new Error(`${path} could not be made private: does the file system know permissions?`);
    }
    this.#server.on('error', (err) => this.#options.log.warn({ err }, 'control socket'));
  }

  /** Stops listening, removes the socket, gives running answers `graceMs` to be read. */
  async close(graceMs = 500): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(timer);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Reset by the peer: there is nobody left to answer.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    try {
      await this.#route(request, response);
    } catch (error) {
      this.#fail(response, error);
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { handlers } = this.#options;
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    if (path === INCIDENTS_PATH || path.startsWith(`${INCIDENTS_PATH}/`)) {
      const body = (): Promise<string> => readBody(request);
      const params = new URLSearchParams(query);
      sendJson(response, 200, await answerIncidents(handlers.incidents, request.method ?? '', path, params, body));
      return;
    }
    switch (path) {
      case '/v1/metrics':
        allow(request, response, 'GET');
        sendJson(response, 200, handlers.metrics(new URLSearchParams(query)));
        return;
      case '/v1/status':
        allow(request, response, 'GET');
        sendJson(response, 200, handlers.status());
        return;
      case '/v1/stop':
        allow(request, response, 'POST');
        await readBody(request);
        await this.#progress(response, (onProgress) => handlers.stop(onProgress));
        return;
      case '/v1/restart': {
        allow(request, response, 'POST');
        const restart = parseRestart(await readBody(request));
        await this.#progress(response, (onProgress) => handlers.restart(restart, onProgress));
        return;
      }
      case '/v1/recovery': {
        if (request.method === 'GET') {
          sendJson(response, 200, handlers.recovery());
          return;
        }
        allow(request, response, 'POST');
        const recover = parseRecover(await readBody(request));
        await this.#progress(response, (onProgress) => handlers.recover(recover, onProgress));
        return;
      }
      case '/v1/recovery/end-outage':
        allow(request, response, 'POST');
        await readBody(request);
        handlers.endOutage();
        sendJson(response, 200, { ok: true });
        return;
      case '/v1/capacity':
        allow(request, response, 'GET');
        sendJson(response, 200, await handlers.capacity());
        return;
      case '/v1/db':
        allow(request, response, 'GET');
        sendJson(response, 200, await handlers.dbOverview());
        return;
      case '/v1/db/move': {
        allow(request, response, 'POST');
        const move = parseMove(await readBody(request));
        await this.#progress(response, (onProgress) => handlers.moveGuild(move, onProgress));
        return;
      }
      case '/v1/db/abort-move': {
        allow(request, response, 'POST');
        const move = parseAbort(await readBody(request));
        await this.#progress(response, (onProgress) => handlers.abortMove(move, onProgress));
        return;
      }
      case '/v1/db/rebalance': {
        allow(request, response, 'POST');
        const rebalance = parseRebalance(await readBody(request));
        await this.#progress(response, (onProgress) => handlers.rebalance(rebalance, onProgress));
        return;
      }
      case '/v1/db/migrate':
        allow(request, response, 'POST');
        await readBody(request);
        await this.#progress(response, (onProgress) => handlers.migrate(onProgress));
        return;
      case '/v1/maintenance':
        allow(request, response, 'GET');
        sendJson(response, 200, await handlers.maintenance());
        return;
      case '/v1/scale': {
        allow(request, response, 'POST');
        const scale = parseScale(await readBody(request));
        await this.#progress(response, (onProgress) => handlers.scale(scale, onProgress));
        return;
      }
      case '/v1/maintain': {
        allow(request, response, 'POST');
        const maintain = parseMaintain(await readBody(request));
        await this.#progress(response, (onProgress) => handlers.maintain(maintain, onProgress));
        return;
      }
      default:
        if (await this.#routeDeploy(path, request, response)) return;
        throw new ControlError(404, `no such route: ${path}`, 'is botctl here newer or older than the supervisor?');
    }
  }

  /** False: it is none of these routes. */
  async #routeDeploy(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const { handlers } = this.#options;
    const work = deployRoute(path, handlers);
    if (work === null) return false;
    allow(request, response, 'POST');
    const run = work(await readBody(request));
    await this.#progress(response, run);
    return true;
  }

  /** The status line waits for the first word, so that a refusal can still be an ordinary error answer. */
  async #progress(
    response: ServerResponse,
    run: (onProgress: (line: Progress) => void) => Promise<void>,
  ): Promise<void> {
    const stream = { finished: false };
    const send = (text: string): void => {
      if (response.destroyed || response.writableEnded) return;
      if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write(text);
    };
    const heartbeat = setInterval(() => send('\n'), this.#options.heartbeatMs ?? HEARTBEAT_MS);
    try {
      await run((line) => {
        stream.finished ||= line.done;
        send(`${JSON.stringify(line)}\n`);
      });
      if (!stream.finished) send(`${JSON.stringify({ done: true, ok: true, text: 'done' } satisfies Progress)}\n`);
      response.end();
    } catch (error) {
      if (!response.headersSent) throw error;
      const { error: text, hint } = this.#describe(error).body;
      send(`${JSON.stringify({ done: true, ok: false, text: hint === undefined ? text : `${text} (${hint})` })}\n`);
      response.end();
    } finally {
      clearInterval(heartbeat);
    }
  }

  #fail(response: ServerResponse, error: unknown): void {
    const { status, body } = this.#describe(error);
    if (response.destroyed) return;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    // What is left of a refused body is not read.
    if (status >= 400) response.setHeader('connection', 'close');
    sendJson(response, status, body);
  }

  /** Only what a handler said on purpose goes out; the rest stays in the log. */
  #describe(error: unknown): { status: number; body: ApiError } {
    if (error instanceof ControlError) {
      const hint = error.hint === undefined ? {} : { hint: error.hint };
      return { status: error.status, body: { error: error.message, ...hint } };
    }
    this.#options.log.warn({ err: error }, 'a control request failed');
    return { status: 500, body: { error: 'the supervisor failed to answer', hint: 'see botctl logs' } };
  }
}

function allow(request: IncomingMessage, response: ServerResponse, method: string): void {
  if (request.method === method) return;
  response.setHeader('allow', method);
  throw new ControlError(405, `${request.method ?? '?'} is not allowed here, only ${method}`);
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const tooLong = new ControlError(413, `the body is longer than ${MAX_BODY_BYTES} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLong;
  const chunks: Buffer[] = [];
  let size = 0;
  return await new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) {
        request.pause();
        reject(tooLong);
      } else chunks.push(chunk);
    });
    request.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.once('close', () => reject(new ControlError(400, 'the request broke off')));
  });
}

async function removeStaleSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new Error(`${path} is in the way and is not a socket: move it away`);
  if (await isAnswered(path)) throw new Error(`another supervisor answers on ${path}`);
  unlinkSync(path);
}

/** Only a refused connection proves that nobody listens. */
async function isAnswered(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    const finish = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => finish(true));
    socket.once('connect', () => finish(true));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      finish(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}
