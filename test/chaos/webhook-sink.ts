import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Notice {
  at: number;
  event: string;
  incident: { id: string; type: string; scope: string; parent: string | null } | null;
}

/** Where incidents are told: an HTTP server that can be dead, slow or busy. */
export class WebhookSink {
  readonly notices: Notice[] = [];
  mode: 'well' | 'slow' | 'busy' = 'well';
  attempts = 0;
  #server: Server | null = null;
  #port = 0;
  readonly #held = new Set<ServerResponse>();

  get url(): string {
    return `http://127.0.0.1:${this.#port}/notify`;
  }

  async listen(): Promise<this> {
    const server = createServer((request, response) => {
      this.attempts++;
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => this.#answer(body, response));
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    return this;
  }

  /** Nobody listens any more. */
  async die(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** Answers what it has left waiting. */
  recover(): void {
    this.mode = 'well';
    for (const response of this.#held) response.destroy();
    this.#held.clear();
  }

  #answer(body: string, response: ServerResponse): void {
    if (this.mode === 'slow') {
      this.#held.add(response);
      return;
    }
    if (this.mode === 'busy') {
      response.writeHead(429, { 'retry-after': '1' }).end();
      return;
    }
    const { notices } = JSON.parse(body) as { notices: Omit<Notice, 'at'>[] };
    for (const notice of notices) this.notices.push({ ...notice, at: Date.now() });
    response.writeHead(204).end();
  }
}
