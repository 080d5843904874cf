import { createHash, createHmac } from 'node:crypto';
import { post } from './http';
import type { Notice } from './notice';
import type { Notifier } from './notifier';

const MOST = 50;

/**
 * Any HTTP endpoint. With a secret, `x-botctl-signature: t=SECONDS,v1=HEX` is the HMAC-SHA256 of `SECONDS.BODY`; by
 * `x-botctl-delivery` a message that comes twice is known.
 */
export function webhookNotifier(name: string, url: string, secret: string | null): Notifier {
  return {
    name,
    most: MOST,
    send: (notices, signal) => {
      const body = JSON.stringify({ version: 1, notices: notices.map(payloadOf) });
      return post(url, body, headersOf(body, notices, secret, Date.now()), signal);
    },
  };
}

export function payloadOf({ kind, bot, title, text, severity, at, incident }: Notice): object {
  return { event: kind, bot, title, text, severity, at: new Date(at).toISOString(), incident };
}

function headersOf(
  body: string,
  notices: readonly Notice[],
  secret: string | null,
  now: number,
): Record<string, string> {
  const delivery = createHash('sha256')
    .update(notices.map(({ key }) => key).join('\n'))
    .digest('hex')
    .slice(0, 32);
  const headers = { 'x-botctl-delivery': delivery };
  return secret === null ? headers : { ...headers, 'x-botctl-signature': signatureOf(body, secret, now) };
}

/** The time is signed too, so that nobody can send an old message again. */
export function signatureOf(body: string, secret: string, now: number): string {
  const seconds = Math.floor(now / 1_000);
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}
