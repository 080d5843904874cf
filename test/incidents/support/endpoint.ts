import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  path: string;
  headers: IncomingMessage['headers'];
  text: string;
  body: unknown;
}

/** An HTTP endpoint on loopback that writes down what it gets. */
export class Endpoint {
  readonly received: Received[] = [];
  /** How the next requests are answered; absent: 204. */
  readonly answers: ((response: ServerResponse) => void)[] = [];
  readonly #server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const answer = this.answers.shift();
      this.received.push({
        path: request.url ?? '',
        headers: request.headers,
        text,
        body: JSON.parse(text) as unknown,
      });
      if (answer === undefined) response.writeHead(204).end();
      else answer(response);
    });
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
