import { once } from 'node:events';
import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import type { HealthCheck, Reading } from '../check';

export interface HttpCheckOptions {
  name: string;
  url: string;
  /** Status that is expected; absent: 200 to 299. */
  status?: number;
}

/** A service of the operator's, asked over HTTP. Redirections are not followed: they are an answer. */
export class HttpCheck implements HealthCheck {
  readonly scope = { kind: 'bot' } as const;

  constructor(private readonly options: HttpCheckOptions) {}

  get name(): string {
    return this.options.name;
  }

  async look(signal: AbortSignal): Promise<Reading[]> {
    const { url, status: wanted } = this.options;
    const get = url.startsWith('https:') ? getHttps : getHttp;
    // A connection of its own: a kept one says nothing about the next client's.
    const request = get(url, { signal, agent: false, headers: { 'user-agent': 'botctl health' } });
    request.on('error', () => undefined); // told by `once`, and once more when we hang up
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    request.destroy();
    const status = response.statusCode ?? 0;
    const ok = wanted === undefined ? status >= 200 && status < 300 : status === wanted;
    // The URL may hold a key: it is not in the message.
    const message = ok ? `HTTP ${status}` : `HTTP ${status}, expected ${wanted ?? '200 to 299'}`;
    return [{ scope: this.scope, ok, message }];
  }
}
