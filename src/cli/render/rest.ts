import type { RestGuardStatus } from '../../control/contract';
import { formatCount, formatDuration, formatPlural, plainText } from './format';
import type { Style } from './style';

/** One line about the REST guard, important things first. */
export function restLine(rest: RestGuardStatus, style: Style): string {
  if (rest.state === 'down') {
    return style.paint('bad', `down${rest.message === null ? '' : `: ${plainText(rest.message)}`}`);
  }
  const { figures } = rest;
  if (figures === null) return style.paint('good', 'up');
  const { gauges, counters, classes } = figures;
  const parts = [
    style.paint('good', 'up'),
    `${formatCount(gauges.globalRemaining)} of ${formatCount(gauges.globalPerSecond)} calls/s left`,
  ];
  const slowest = worst(classes.map(({ latencyMs }) => latencyMs.p99));
  if (slowest !== null) parts.push(`answers within ${formatDuration(slowest)} (p99)`);
  if (gauges.queued > 0) {
    const waits = worst(classes.map(({ queueMs }) => queueMs.p99));
    const age = waits === null ? '' : `, up to ${formatDuration(waits)}`;
    parts.push(style.paint('busy', `${formatCount(gauges.queued)} waiting${age}`));
  }
  const { global, user, shared } = counters.rateLimited;
  if (global + user + shared > 0) {
    const text = `${formatCount(global + user + shared)} × 429 (${formatCount(global)} global)`;
    parts.push(global > 0 ? style.paint('bad', text) : text);
  }
  if (gauges.invalid > 0) {
    const text = `${formatCount(gauges.invalid)} of ${formatCount(gauges.invalidLimit)} invalid calls in 10 min`;
    parts.push(gauges.invalid > gauges.invalidLimit / 2 ? style.paint('bad', text) : text);
  }
  if (gauges.braked.length > 0)
    parts.push(style.paint('bad', `${formatPlural(gauges.braked.length, 'route')} held back`));
  return parts.join(', ');
}

function worst(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}
