import type { Deployment } from './deployment';
import type { Forecast, Meeting } from './forecast';
import { planFor } from './plan';
import type { Recommendation, ResourceReport } from './report';
import { amount, day, inDays, nameOf, percent } from './words';

const DAY_MS = 86_400_000;
/** A limit that is met so soon is a matter of now. */
const URGENT_MS = 7 * DAY_MS;
/** How long a change should last: it is sized for what is expected then. */
const LASTS_DAYS = 60;
/** What does not grow is given so much room above what is in use. */
const SPARE = 1.25;
/** A trend is not believed to go further than to so many times the limit. */
const FARTHEST = 4;

export interface RecommendOptions {
  threshold: number;
  /** The threshold is foreseen within so long, ms. */
  horizonMs: number;
  now: number;
}

/** What to change, most urgent first. Pure. What has no limit, or too little history, is passed over. */
export function recommend(
  reports: readonly ResourceReport[],
  deployment: Deployment,
  options: RecommendOptions,
): Recommendation[] {
  return reports
    .flatMap((report) => recommendOne(report, deployment, options) ?? [])
    .sort((a, b) => Number(b.urgency === 'now') - Number(a.urgency === 'now'));
}

function recommendOne(
  report: ResourceReport,
  deployment: Deployment,
  options: RecommendOptions,
): Recommendation | null {
  const { limit, forecast, resource, scope } = report;
  if (limit === null || forecast === null) return null;
  const urgency = urgencyOf(forecast, limit, options);
  if (urgency === null) return null;
  const plan = planFor({ report, limit, needed: needed(forecast, limit), target: options.threshold }, deployment);
  return { resource, scope, urgency, why: why(report, limit, forecast, options), ...plan };
}

/** What is expected to be in use when the change should still do. */
function needed(forecast: Forecast, limit: number): number {
  if (forecast.kind === 'too-little') return (forecast.level ?? 0) * SPARE;
  const { peak, perDay, direction } = forecast;
  return direction === 'rising' ? Math.min(FARTHEST * limit, peak + perDay * LASTS_DAYS) : peak * SPARE;
}

/** null: it is not near. */
function urgencyOf(
  forecast: Forecast,
  limit: number,
  { threshold, horizonMs, now }: RecommendOptions,
): Recommendation['urgency'] | null {
  if (forecast.kind === 'too-little') return (forecast.level ?? 0) >= threshold * limit ? 'now' : null;
  const [near, full] = forecast.meetings;
  if (forecast.peak >= threshold * limit) return 'now';
  if (full?.at != null && full.at <= now + URGENT_MS) return 'now';
  return near?.at != null && near.at <= now + horizonMs ? 'soon' : null;
}

function why(report: ResourceReport, limit: number, trend: Forecast, { threshold, now }: RecommendOptions): string {
  const { unit } = report;
  const peak = Math.max(0, (trend.kind === 'trend' ? trend.peak : trend.level) ?? 0);
  const used = `${capital(nameOf(report))}: ${amount(peak, unit)} of ${amount(limit, unit)} (${percent(peak / limit)})`;
  if (trend.kind === 'too-little') return `${used}; too little history to foresee a date.`;
  const [near, full] = trend.meetings;
  if (trend.direction !== 'rising') return `${used}, ${trend.direction}.`;
  const growth = `grows by ${amount(trend.perDay, unit)} a day`;
  const dates = [
    peak < threshold * limit ? dated(`at ${percent(threshold)}`, near, now) : null,
    dated('full', full, now),
  ].filter((text) => text !== null);
  return `${[used, growth, ...dates].join(', ')}.`;
}

function dated(what: string, meeting: Meeting | undefined, now: number): string | null {
  if (meeting?.at == null) return null;
  const { at, earliest, latest } = meeting;
  const band = [earliest ?? at, latest].map((date) => (date === null ? 'later' : day(date)));
  const between = band.every((date) => date === day(at)) ? '' : `, ${band.join(' to ')}`;
  return `${what} ${inDays(at, now)} (${day(at)}${between})`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
