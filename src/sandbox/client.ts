import type { FaultName, FaultOptions } from './faults';
import type { SandboxReport } from './sandbox';

/** The sandbox does not answer, or refuses an order; the message says which. */
export class SandboxClientError extends Error {
  override readonly name = 'SandboxClientError';
}

const TIMEOUT_MS = 5_000;

/** Orders to a sandbox in another process. */
export class SandboxClient {
  constructor(private readonly apiUrl: string) {}

  async report(): Promise<SandboxReport> {
    return (await this.#call('GET', 'report')) as SandboxReport;
  }

  async rate(perSecond: number): Promise<void> {
    await this.#call('POST', 'rate', { perSecond });
  }

  async fault(name: FaultName, options: FaultOptions = {}): Promise<void> {
    await this.#call('POST', `faults/${name}`, options);
  }

  async resetCounters(): Promise<void> {
    await this.#call('POST', 'reset-counters');
  }

  async stop(): Promise<void> {
    await this.#call('POST', 'stop');
  }

  async #call(method: 'GET' | 'POST', action: string, body?: object): Promise<unknown> {
    const url = new URL(`/_sandbox/${action}`, this.apiUrl);
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw new SandboxClientError(`no sandbox answers at ${url.origin}`, { cause: error });
    }
    const answer = (await response.json().catch(() => ({}))) as { error?: string };
    if (!response.ok) throw new SandboxClientError(answer.error ?? `the sandbox answered ${response.status}`);
    return answer;
  }
}
