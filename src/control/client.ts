import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { CapacityReport } from '../capacity/report';
import {
  ControlError,
  type ApiError,
  type DbOverview,
  type MetricList,
  type MetricRange,
  type MoveRequest,
  type Progress,
  type RebalanceRequest,
  type RestartRequest,
  type Status,
} from './contract';
import type { DeployRequest, RollbackRequest, RolloutOrder } from './deploy-contract';
import type { RecoverRequest, RecoveryOverview } from './recovery-contract';
import type { ScaleRequest } from './scale-contract';
import {
  INCIDENTS_PATH,
  type IncidentDetail,
  type IncidentList,
  type IncidentOrder,
  type OrderAnswer,
} from './incidents';
import type { MaintainRequest, MaintenanceOverview } from './maintenance-contract';

/** Silence on a progress stream for longer than this, ms, means that the supervisor is gone or hangs (it beats each 1 s). */
const SILENCE_MS = 10_000;
/** A test message may take as long as a target may, ms. */
const ORDER_TIMEOUT_MS = 150_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export type ControlFailure =
  | 'not-running' // no socket, or nobody behind it
  | 'forbidden' // the socket belongs to another user
  | 'deaf' // accepts, but does not answer in time
  | 'broken'; // the answer broke off, or is not what a supervisor says

/** The supervisor did not answer as it should; a refusal in good order is a ControlError. */
export class ControlUnreachable extends Error {
  override readonly name = 'ControlUnreachable';
  constructor(
    readonly failure: ControlFailure,
    message: string,
  ) {
    super(message);
  }
}

/** Talks to the supervisor over its control socket. Methods throw ControlUnreachable or ControlError. */
export class ControlClient {
  readonly #silenceMs: number;

  constructor(
    private readonly path: string,
    options: { silenceMs?: number } = {},
  ) {
    this.#silenceMs = options.silenceMs ?? SILENCE_MS;
  }

  async status({ timeoutMs = 3000 }: { timeoutMs?: number } = {}): Promise<Status> {
    const { response, text } = await this.#call('GET', '/v1/status', undefined, timeoutMs);
    if (response.statusCode !== 200) throw refusal(response, text);
    return parseJson(text) as Status;
  }

  /** Resolves with the last line; the supervisor may be gone before it could say it, which is `broken`. */
  async stop(onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/stop', {}, onProgress);
  }

  async restart(request: RestartRequest, onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/restart', request, onProgress);
  }

  async dbOverview({ timeoutMs = 10_000 }: { timeoutMs?: number } = {}): Promise<DbOverview> {
    const { response, text } = await this.#call('GET', '/v1/db', undefined, timeoutMs);
    if (response.statusCode !== 200) throw refusal(response, text);
    return parseJson(text) as DbOverview;
  }

  async capacity({ timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<CapacityReport> {
    return (await this.#get('/v1/capacity', timeoutMs)) as CapacityReport;
  }

  async listMetrics({ timeoutMs = 10_000 }: { timeoutMs?: number } = {}): Promise<MetricList> {
    return (await this.#get('/v1/metrics', timeoutMs)) as MetricList;
  }

  /** See ControlHandlers.metrics for the parameters. */
  async metricRange(
    params: URLSearchParams,
    { timeoutMs = 10_000 }: { timeoutMs?: number } = {},
  ): Promise<MetricRange> {
    return (await this.#get(`/v1/metrics?${params.toString()}`, timeoutMs)) as MetricRange;
  }

  /** Unresolved incidents; with `since` those of the past, too. */
  async incidents({ since, limit }: { since?: number; limit?: number } = {}): Promise<IncidentList> {
    const params = new URLSearchParams();
    if (since !== undefined) params.set('since', String(since));
    if (limit !== undefined) params.set('limit', String(limit));
    return (await this.#get(`${INCIDENTS_PATH}?${params.toString()}`, 10_000)) as IncidentList;
  }

  async incident(id: string, report = false): Promise<IncidentDetail> {
    const path = `${INCIDENTS_PATH}/${encodeURIComponent(id)}${report ? '?report=1' : ''}`;
    return (await this.#get(path, 10_000)) as IncidentDetail;
  }

  async orderIncidents(order: IncidentOrder): Promise<OrderAnswer> {
    const { response, text } = await this.#call('POST', INCIDENTS_PATH, order, ORDER_TIMEOUT_MS);
    if (response.statusCode !== 200) throw refusal(response, text);
    return parseJson(text) as OrderAnswer;
  }

  async #get(path: string, timeoutMs: number): Promise<unknown> {
    const { response, text } = await this.#call('GET', path, undefined, timeoutMs);
    if (response.statusCode !== 200) throw refusal(response, text);
    return parseJson(text);
  }

  async moveGuild(request: MoveRequest, onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/db/move', request, onProgress);
  }

  async abortMove(request: Pick<MoveRequest, 'guild'>, onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/db/abort-move', request, onProgress);
  }

  async rebalance(request: RebalanceRequest, onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/db/rebalance', request, onProgress);
  }

  async recovery({ timeoutMs = 10_000 }: { timeoutMs?: number } = {}): Promise<RecoveryOverview> {
    return (await this.#get('/v1/recovery', timeoutMs)) as RecoveryOverview;
  }

  async recover(request: RecoverRequest, onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/recovery', request, onProgress);
  }

  async endOutage({ timeoutMs = 10_000 }: { timeoutMs?: number } = {}): Promise<void> {
    const { response, text } = await this.#call('POST', '/v1/recovery/end-outage', {}, timeoutMs);
    if (response.statusCode !== 200) throw refusal(response, text);
  }

  async migrate(onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/db/migrate', {}, onProgress);
  }

  async deploy(request: DeployRequest, onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/deploy', request, onProgress);
  }

  async rollback(request: RollbackRequest, onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/rollback', request, onProgress);
  }

  async followRollout(onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/rollout', {}, onProgress);
  }

  async orderRollout(order: RolloutOrder, onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream(`/v1/rollout/${order}`, {}, onProgress);
  }

  async reload(onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/reload', {}, onProgress);
  }

  async maintenance({ timeoutMs = 10_000 }: { timeoutMs?: number } = {}): Promise<MaintenanceOverview> {
    return (await this.#get('/v1/maintenance', timeoutMs)) as MaintenanceOverview;
  }

  async scale(request: ScaleRequest, onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/scale', request, onProgress);
  }

  async maintain(request: MaintainRequest, onProgress: (line: Progress) => void): Promise<Progress> {
    return await this.#stream('/v1/maintain', request, onProgress);
  }

  async #stream(path: string, body: object, onProgress: (line: Progress) => void): Promise<Progress> {
    const last: Progress[] = [];
    const take = (line: string): void => {
      const progress = parseJson(line) as Progress;
      if (progress.done) last.push(progress);
      onProgress(progress);
    };
    try {
      const { response, text } = await this.#call('POST', path, body, this.#silenceMs, take);
      if (response.statusCode !== 200) throw refusal(response, text);
    } catch (error) {
      // It has said its last line; how the connection ends does not matter then.
      if (last.length === 0) throw error;
    }
    const [answer] = last;
    if (answer === undefined) throw new ControlUnreachable('broken', 'the supervisor went away before it had finished');
    return answer;
  }

  /** Reads the answer: whole, or line by line when it is a stream. `silenceMs` without a byte is deafness. */
  async #call(
    method: string,
    path: string,
    body: object | undefined,
    silenceMs: number,
    onLine?: (line: string) => void,
  ): Promise<{ response: IncomingMessage; text: string }> {
    return await new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const headers = payload === undefined ? {} : { 'content-type': 'application/json' };
      const request = httpRequest({ socketPath: this.path, method, path, headers, agent: false });
      const fail = (error: Error): void => {
        clearTimeout(timer);
        request.destroy();
        reject(error);
      };
      const timer = setTimeout(
        () => fail(new ControlUnreachable('deaf', `the supervisor has not answered for ${silenceMs / 1000} s`)),
        silenceMs,
      );
      request.on('error', (error: NodeJS.ErrnoException) => fail(unreachable(error)));
      request.on('response', (response) => {
        const streams = onLine !== undefined && response.statusCode === 200;
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          if (streams) timer.refresh();
          text += chunk;
          if (text.length > MAX_ANSWER_BYTES) fail(new ControlUnreachable('broken', 'the answer is too long'));
          if (!streams) return;
          const lines = text.split('\n');
          text = lines.pop() ?? '';
          try {
            // An empty line is a sign of life.
            for (const line of lines) if (line !== '') onLine(line);
          } catch (error) {
            fail(error as Error);
          }
        });
        response.on('error', (error: NodeJS.ErrnoException) => fail(unreachable(error)));
        response.on('end', () => {
          clearTimeout(timer);
          resolve({ response, text });
        });
      });
      request.end(payload);
    });
  }
}

function unreachable(error: NodeJS.ErrnoException): ControlUnreachable {
  switch (error.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTSOCK':
    case 'ENOTDIR':
      return new ControlUnreachable('not-running', 'no supervisor is running');
    case 'EACCES':
    case 'EPERM':
      return new ControlUnreachable('forbidden', 'the control socket belongs to another user');
    case 'EAGAIN':
      return new ControlUnreachable('deaf', 'the supervisor does not take connections');
    default:
      return new ControlUnreachable(
        'broken',
        `the connection to the supervisor broke off (${error.code ?? error.message})`,
      );
  }
}

function refusal(response: IncomingMessage, text: string): ControlError {
  const body = parseJson(text) as Partial<ApiError> | null;
  return new ControlError(response.statusCode ?? 500, body?.error ?? 'the supervisor refused', body?.hint);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ControlUnreachable('broken', 'the answer is not that of a botctl supervisor');
  }
}
