import { resolve } from 'node:path';
import type { Status } from '../../../src/control/contract';
import { HttpServer } from '../../../src/http';
import { aCurve } from './curves';

/** The page's scripts are sent as they are compiled. */
export const SCRIPTS = resolve(__dirname, '../../../dist/src/http/page/client');

/** A server whose bot is whatever `status` says at the moment. */
export class Stage {
  readonly warnings: string[] = [];
  url = '';
  #server: HttpServer | null = null;

  constructor(
    public status: Status,
    private readonly options: { token?: string; curves?: boolean } = {},
  ) {}

  async open(port = 0): Promise<string> {
    const { token = null, curves = true } = this.options;
    const server = new HttpServer({
      host: '127.0.0.1',
      port,
      token,
      status: () => this.status,
      health: () => null,
      metrics: {
        contentType: 'text/plain',
        text: () => Promise.resolve(''),
        answer: (params) => {
          const answer = aCurve(params, Date.now());
          return curves ? answer : { ...answer, series: [] };
        },
      },
      log: { warn: (_fields, message) => this.warnings.push(message) },
      scripts: SCRIPTS,
    });
    this.#server = server;
    this.url = await server.listen();
    return this.url;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }
}
