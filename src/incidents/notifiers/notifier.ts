import type { Notice } from './notice';

/** A place that is told of incidents. */
export interface Notifier {
  /** Kind and name, without secrets; told apart by it across restarts. */
  readonly name: string;
  /** So many notices fit into one message. */
  readonly most: number;
  /**
   * One message. Rejects when it was not taken.
   * @param signal aborts when the time is over
   * @throws SendError
   */
  send(notices: readonly Notice[], signal: AbortSignal): Promise<void>;
}

export interface SendErrorOptions {
  /** false: to try it again would be in vain. */
  retry?: boolean;
  /** How long the other side asks us to wait, ms. */
  retryAfterMs?: number | null;
  cause?: unknown;
}

/** A message was not taken. The text carries no secret: neither address nor key. */
export class SendError extends Error {
  override readonly name = 'SendError';
  readonly retry: boolean;
  readonly retryAfterMs: number | null;

  constructor(message: string, { retry = true, retryAfterMs = null, cause }: SendErrorOptions = {}) {
    super(message, { cause });
    this.retry = retry;
    this.retryAfterMs = retryAfterMs;
  }
}
