import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { PING_PATH, REPORT_PATH, SLOW_PATH } from '../ipc/rest-guard';
import type { EventLog } from './events';
import type { Guard } from './guard';
import type { GuardReport } from './stats';

export interface GuardServerOptions {
  socketPath: string;
  /** Path of Discord's REST base URL, e.g. /api. */
  basePath: string;
  guard: Guard;
  events: EventLog;
  onSupervisor: () => void;
}

/** Longer than the agents keep an idle connection, ms: they close first, never in the middle of a request. */
const KEEP_ALIVE_MS = 120_000;
const HEADERS_TIMEOUT_MS = 30_000;
const MAX_HEADER_BYTES = 32 * 1024;

/** The Unix socket on which the clusters' requests arrive. Only its owner can open it. */
export class GuardServer {
  readonly #server: Server;

  constructor(private readonly options: GuardServerOptions) {
    this.#server = createServer(
      { maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: KEEP_ALIVE_MS },
      (request, response) => this.#route(request, response),
    );
    this.#server.headersTimeout = HEADERS_TIMEOUT_MS;
    // A body is read only when its turn comes: a request may take as long as it waits.
    this.#server.requestTimeout = 0;
    this.#server.on('clientError', (_, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      else socket.destroy();
    });
    for (const event of ['upgrade', 'connect'] as const) {
      this.#server.on(event, (_: IncomingMessage, socket: NodeJS.WritableStream) => {
        socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      });
    }
  }

  /** The folder must be owner-only. Whoever listened at the path before no longer does. */
  listen(): Promise<void> {
    const { socketPath } = this.options;
    rmSync(socketPath, { force: true });
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(socketPath, 4_096, () => {
        chmodSync(socketPath, 0o600);
        resolve();
      });
    });
  }

  /** Takes no new request; resolves when those under way are answered. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
  }

  #route(request: IncomingMessage, response: ServerResponse): void {
    const { url = '/' } = request;
    const { basePath, guard, events } = this.options;
    if (url === PING_PATH) {
      response.writeHead(204).end();
    } else if (url.startsWith(REPORT_PATH)) {
      this.options.onSupervisor();
      const since = Number(new URLSearchParams(url.split('?')[1] ?? '').get('since') ?? 0);
      const report: GuardReport = { snapshot: guard.snapshot(), events: events.since(since) };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(report));
    } else if (url.startsWith(`${SLOW_PATH}?`) && request.method === 'POST') {
      const query = new URLSearchParams(url.split('?')[1]);
      const [share, forMs] = [Number(query.get('share')), Number(query.get('forMs'))];
      const valid = share > 0 && share <= 1 && forMs >= 0;
      if (valid) guard.slow(share, forMs);
      response.writeHead(valid ? 204 : 400).end();
    } else if (!url.startsWith(`${basePath}/`) || /[\s\\]/.test(url)) {
      // Absolute URLs as well: only Discord is behind this.
      response.writeHead(400, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify({ message: `botctl: not a path of Discord's REST API`, code: 0 }));
    } else {
      guard.handle(request, response);
    }
  }
}
