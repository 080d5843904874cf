import { EXIT } from '../../control/contract';
import { Redactor, REDACTED } from '../../logging/redactor';
import { Style } from './style';

export interface ReportErrorOptions {
  stderr: { write(text: string): unknown };
  color: boolean;
  unicode?: boolean;
  /** With the stack and the causes (BOTCTL_DEBUG=1). */
  verbose: boolean;
  /** Values that must not be shown; what looks like a secret is taken out anyway. */
  secrets?: readonly string[];
}

/** Says what went wrong in one line, and below it what to do. Returns the exit code of the process. */
export function reportError(error: unknown, options: ReportErrorOptions): number {
  const style = new Style({ color: options.color, unicode: options.unicode ?? false });
  const redactor = new Redactor(options.secrets ?? []);
  const hide = (text: string): string => redactLookalikes(redactor.redact(text));
  const { message, hint } = describe(error);
  options.stderr.write(`${style.sign('bad')} ${style.paint('bad', 'error:')} ${hide(message)}\n`);
  if (hint !== null) options.stderr.write(`  ${hide(hint)}\n`);
  if (options.verbose) options.stderr.write(`${hide(stacks(error))}\n`);
  return exitCodeOf(error);
}

/**
 * What has the shape of a secret: bot tokens, webhook URLs, passwords in URLs. For errors that are told before, or
 * without, the config that names the secrets.
 */
export function redactLookalikes(text: string): string {
  return text
    .replace(/[\w-]{22,30}\.[\w-]{6,7}\.[\w-]{25,}/g, REDACTED)
    .replace(/(\/webhooks\/\d+\/)[\w-]+/g, `$1${REDACTED}`)
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s/]+@/gi, `$1:${REDACTED}@`);
}

function describe(error: unknown): { message: string; hint: string | null } {
  if (!(error instanceof Error)) return { message: String(error), hint: null };
  const hint = field(error, 'hint') ?? (isNotRunning(error) ? 'Start it with: botctl start' : null);
  return { message: error.message === '' ? error.name : error.message, hint: typeof hint === 'string' ? hint : null };
}

/** An error may carry its own exit code; no supervisor is 3, and everything else has failed. */
function exitCodeOf(error: unknown): number {
  const own = field(error, 'exitCode');
  if (typeof own === 'number') return own;
  return isNotRunning(error) ? EXIT.notRunning : EXIT.failed;
}

function isNotRunning(error: unknown): boolean {
  return field(error, 'failure') === 'not-running';
}

function field(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[name] : undefined;
}

function stacks(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    parts.push((depth === 0 ? '' : 'caused by ') + (at.stack ?? at.message));
  }
  return parts.join('\n');
}
