import type { GuardAnswer } from '../../ipc/rest-guard';

/** The REST guard ended while it waited for Discord's answer: the call may have been done, and is not sent again. */
export class RestGuardLostError extends Error {
  override readonly name = 'RestGuardLostError';
  constructor(method: string, options?: ErrorOptions) {
    super(`${method}: no answer, since botctl's REST guard ended; Discord may have done it or not`, options);
  }
}

/** No answer of Discord to a call that must not be sent twice. */
export class RestAnswerLostError extends Error {
  override readonly name = 'RestAnswerLostError';
}

const ENFORCED_NONCE = /"enforce_nonce"\s*:\s*true/;

/** Whether Discord may get it twice: it only reads, or Discord itself drops the second one. */
export function isRepeatable({ method = 'GET', body }: { method?: string; body?: unknown }): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  return method === 'POST' && typeof body === 'string' && ENFORCED_NONCE.test(body) && /"nonce"\s*:/.test(body);
}

/**
 * What the guard could not get answered, as the error that @discordjs/rest would have met by itself; null: the answer is
 * one. @discordjs/rest repeats by itself on AbortError and ECONNRESET, so only what may be repeated looks like these.
 */
export function guardAnswerError(why: GuardAnswer, message: string, repeatable: boolean): Error | null {
  switch (why) {
    case 'unreachable':
      return Object.assign(new Error(`Discord cannot be reached: ${message}`), { code: message.split(' ', 1)[0] });
    case 'timeout':
      if (!repeatable) return new RestAnswerLostError('no answer in time; Discord may have done it or not');
      return new DOMException('This operation was aborted', 'AbortError');
    case 'broken':
      if (!repeatable) return new RestAnswerLostError(`${message}; Discord may have done it or not`);
      return Object.assign(new Error(`ECONNRESET: ${message}`), { code: 'ECONNRESET' });
    default:
      return null;
  }
}
