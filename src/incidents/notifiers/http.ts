import { SendError } from './notifier';

/** No answer asks for a longer wait than this, ms. */
const MAX_RETRY_AFTER_MS = 60 * 60_000;
const MAX_ANSWER = 10_000;
/** Answers that another try may change. */
const PASSING = new Set([408, 425, 429]);

/** POSTs JSON. @throws SendError: what the other side said, never the address, which may be the secret */
export async function post(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'botctl', ...headers },
      body,
      signal,
      redirect: 'manual', // what is secret goes to nobody else
    });
  } catch (error) {
    throw new SendError(signal.aborted ? 'no answer in time' : reasonOf(error), { cause: error });
  }
  const text = await read(response);
  if (response.ok) return;
  const { status } = response;
  const retry = status >= 500 || PASSING.has(status);
  const retryAfterMs = retry ? retryAfter(response.headers.get('retry-after'), text) : null;
  throw new SendError(`HTTP ${status}`, { retry, retryAfterMs });
}

/** How long to wait, by the header (seconds or a date) or, as Discord also does, by the body. Pure but for the clock. */
export function retryAfter(header: string | null, body: string): number | null {
  const ms = fromHeader(header) ?? fromBody(body);
  return ms === null || !(ms >= 0) ? null : Math.min(ms, MAX_RETRY_AFTER_MS);
}

function fromHeader(header: string | null): number | null {
  if (header === null || header.trim() === '') return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return seconds * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

function fromBody(body: string): number | null {
  try {
    const { retry_after: seconds } = JSON.parse(body) as { retry_after?: unknown };
    return typeof seconds === 'number' ? seconds * 1_000 : null;
  } catch {
    return null;
  }
}

async function read(response: Response): Promise<string> {
  try {
    return (await response.text()).slice(0, MAX_ANSWER);
  } catch {
    return '';
  }
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const { code, message } = (cause ?? error) as Partial<NodeJS.ErrnoException>;
  return code ?? message ?? 'failed';
}
