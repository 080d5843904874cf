/** What stands in a line where a secret was. */
export const REDACTED = '[redacted]';

/**
 * Secrets shorter than this (characters) are not searched for: they would blank ordinary words and numbers all over the
 * log, and nothing so short protects anything.
 */
export const MIN_SECRET_LENGTH = 6;

/**
 * Takes secrets out of text by value, wherever they stand, in the forms in which programs print them: as they are,
 * escaped for JSON (once and twice: JSON in JSON), URL-encoded, and in base64 at any alignment (`Basic` headers).
 */
export class Redactor {
  readonly #forms = new Set<string>();
  #pattern: RegExp | null = null;

  constructor(secrets: readonly string[] = []) {
    for (const secret of secrets) this.add(secret);
  }

  add(secret: string): void {
    if (secret.length < MIN_SECRET_LENGTH) return;
    for (const form of formsOf(secret)) this.#forms.add(form);
    // Longest first: of two secrets that begin alike the longer one must win, or its tail would stay.
    const longestFirst = [...this.#forms].sort((a, b) => b.length - a.length);
    this.#pattern = new RegExp(longestFirst.map(escapeForRegExp).join('|'), 'g');
  }

  redact(text: string): string {
    return this.#pattern === null ? text : text.replace(this.#pattern, REDACTED);
  }

  /**
   * As `redact`, for one line of serialised JSON (without line end). The answer is JSON too, also when the secret was a
   * number or stood across an escape.
   */
  redactJsonLine(line: string): string {
    const redacted = this.redact(line);
    if (redacted === line || isJson(redacted)) return redacted;
    return JSON.stringify({ level: 'info', time: new Date().toISOString(), msg: redacted });
  }
}

function formsOf(secret: string): string[] {
  const json = jsonEscaped(secret);
  // By way of bytes: encodeURIComponent throws on half a surrogate pair.
  const url = encodeURIComponent(Buffer.from(secret).toString());
  const lowerCaseUrl = url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
  const form = new URLSearchParams({ s: secret }).toString().slice('s='.length);
  const base64 = [0, 1, 2].map((offset) => base64At(secret, offset));
  const base64Url = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  return [secret, json, jsonEscaped(json), url, lowerCaseUrl, form, ...base64, ...base64Url].filter(
    (text) => text.length >= MIN_SECRET_LENGTH,
  );
}

function jsonEscaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** The base64 characters that depend on the secret alone when `offset` bytes stand before it in the encoded text. */
function base64At(secret: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]);
  const first = Math.ceil((offset * 8) / 6);
  const last = Math.floor((bytes.length * 8) / 6);
  return bytes.toString('base64').slice(first, last);
}

function escapeForRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
