export type EmbeddedServerErrorCode =
  | 'EMBEDDED_NO_BINARIES'
  | 'EMBEDDED_VERSION'
  | 'EMBEDDED_PORT_TAKEN'
  | 'EMBEDDED_IN_USE'
  | 'EMBEDDED_PASSWORD'
  | 'EMBEDDED_DENIED'
  | 'EMBEDDED_START_FAILED'
  | 'EMBEDDED_TIMEOUT'
  | 'EMBEDDED_ABORTED';

/** A server of our own cannot run: one sentence, and what to do about it. */
export class EmbeddedServerError extends Error {
  override readonly name = 'EmbeddedServerError';
  constructor(
    readonly code: EmbeddedServerErrorCode,
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export type EmbeddedLog = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: object) => void;

/** @throws EmbeddedServerError EMBEDDED_ABORTED when the start was called off */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) {
    throw new EmbeddedServerError('EMBEDDED_ABORTED', 'The start was called off.', 'Start again when you are ready.');
  }
}
