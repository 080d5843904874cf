import type { HealthCheckStatus, HealthState, HealthStatus, Status } from '../../control/contract';
import { renderColumns, type Column } from './columns';
import { formatDuration, formatPlural, plainText } from './format';
import { headlineOf } from './states';
import { Style, type StyleOptions, type Tone } from './style';

export interface RenderHealthOptions extends StyleOptions {
  /** Columns of the screen. */
  width: number;
  /** ms since the epoch. */
  now: number;
  /** Only whether the supervisor lives. */
  live: boolean;
}

export const HEALTH_TONES: Record<HealthState, Tone> = { healthy: 'good', unknown: 'busy', unhealthy: 'bad' };

/** The whole answer of `botctl health`: what is wrong first. */
export function renderHealth(status: Status, options: RenderHealthOptions): string {
  const style = new Style(options);
  const name = style.paint('strong', plainText(status.bot.name));
  const { health, supervisor } = status;
  if (options.live || health === null) {
    const { tone, word } = options.live ? liveness(status) : headlineOf(status);
    const why = supervisor.state === 'running' || options.live ? '' : '; nothing is looked at';
    return `${style.sign(tone)} ${name} ${style.paint(tone, word)}${why}\n`;
  }
  const tone = HEALTH_TONES[health.state];
  const head = `${style.sign(tone)} ${name} is ${style.paint(tone, STATE_WORDS[health.state])}: ${summary(health, options.now)}`;
  const named = health.checks.flatMap((check) =>
    check.scopes > 1
      ? check.named.map(({ scope, message }) => `${style.sign('bad')} ${check.name}, ${scope}: ${plainText(message)}`)
      : [],
  );
  const more = health.checks.reduce(
    (sum, { unhealthy, scopes, named: own }) => sum + (scopes > 1 ? unhealthy - own.length : 0),
    0,
  );
  if (more > 0) named.push(`  and ${more} more: see /readyz?verbose`);
  const table = renderColumns(health.checks, columns(style, options.now), Number.POSITIVE_INFINITY, (text) =>
    style.paint('quiet', text),
  );
  return `${[[head], table, named]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

const STATE_WORDS: Record<HealthState, string> = {
  healthy: 'healthy',
  unhealthy: 'unhealthy',
  unknown: 'not known to be healthy yet',
};

/** `10 checks, 9 s ago`, or what is wrong. */
export function summary({ checks, roundAt, intervalMs }: HealthStatus, now: number): string {
  const bad = checks.filter(({ state }) => state === 'unhealthy').map(({ name }) => name);
  const when = roundAt === null ? 'not looked at yet' : `looked at ${formatDuration(now - roundAt)} ago`;
  const every = `every ${formatDuration(intervalMs)}`;
  return `${bad.length > 0 ? `${bad.join(', ')}; ` : ''}${formatPlural(checks.length, 'check')}, ${when}, ${every}`;
}

function columns(style: Style, now: number): Column<HealthCheckStatus>[] {
  return [
    { title: 'CHECK', rank: 100, value: ({ name }) => plainText(name) },
    {
      title: 'STATE',
      rank: 100,
      value: ({ state }) => `${style.sign(HEALTH_TONES[state])} ${style.paint(HEALTH_TONES[state], state)}`,
    },
    { title: 'FOR', align: 'right', rank: 80, value: ({ since }) => formatDuration(now - since) },
    { title: 'OF', align: 'right', rank: 70, value: extent },
    { title: 'MESSAGE', rank: 90, value: ({ message }) => plainText(message) },
  ];
}

/** How many of its scopes are well. */
function extent({ scopes, unhealthy, failing }: HealthCheckStatus): string {
  const well = scopes - unhealthy - failing;
  return well === scopes ? `${scopes}` : `${well}/${scopes}`;
}

function liveness({ supervisor: { state } }: Status): { tone: Tone; word: string } {
  if (state === 'dead') return { tone: 'quiet', word: 'is not running' };
  return state === 'deaf' ? { tone: 'bad', word: 'does not answer' } : { tone: 'good', word: 'is alive' };
}
