import { setImmediate as turn } from 'node:timers/promises';
import type { Deployment } from './deployment';
import { forecast, outlook, type Point } from './forecast';
import { HOUR_MS, KEPT_HOURS, type Hour } from './hour';
import type { Series } from './history';
import { recommend } from './recommend';
import type { CapacityReport, ResourceReport } from './report';
import { resourceOf, type Observation } from './resource';

/** Points of the curve that a report carries. */
const STEP_HOURS = 6;
const OUTLOOK_DAYS = 30;

export interface AnalysisInput {
  now: number;
  series: readonly Series[];
  /** What was seen last, with the limits of now. */
  latest: readonly (Observation & { seenAt: number })[];
  deployment: Deployment;
  threshold: number;
  horizonMs: number;
}

type Analysis = Pick<CapacityReport, 'at' | 'since' | 'threshold' | 'resources' | 'recommendations'>;

/** Looks ahead for everything that was seen lately. Gives way between two series: a forecast takes some milliseconds. */
export async function analyse(input: AnalysisInput): Promise<Analysis> {
  const { now, series, latest, deployment, threshold, horizonMs } = input;
  const hoursOf = new Map(series.map(({ resource, scope, hours }) => [`${resource}\n${scope}`, hours]));
  const resources: ResourceReport[] = [];
  for (const observation of latest) {
    const hours = hoursOf.get(`${observation.resource}\n${observation.scope}`) ?? [];
    resources.push(look(observation, hours, now, threshold));
    await turn();
  }
  resources.sort((a, b) => share(b) - share(a));
  const first = series.reduce((least, { hours }) => Math.min(least, hours[0]?.hour ?? least), Infinity);
  return {
    at: now,
    since: Number.isFinite(first) ? first * HOUR_MS : null,
    threshold,
    resources,
    recommendations: recommend(resources, deployment, { threshold, horizonMs, now }),
  };
}

function look(
  { resource, scope, value, limit, detail, seenAt }: Observation & { seenAt: number },
  hours: readonly Hour[],
  now: number,
  threshold: number,
): ResourceReport {
  const { title, unit, figure } = resourceOf(resource);
  const points = hours.map((hour) => ({ hour: hour.hour, value: hour[figure] }));
  // The hour that has just begun has seen little yet.
  const whole = points.filter(({ hour }) => hour < Math.floor(now / HOUR_MS));
  const ahead = limit === null ? null : forecast(whole, now, [threshold * limit, limit]);
  return {
    ...{ resource, scope, title, unit, value, limit, seenAt },
    usual: Math.max(0, (ahead?.kind === 'trend' ? ahead.peak : ahead?.level) ?? value),
    detail: detail ?? null,
    forecast: ahead,
    history: curve(points, now),
    outlook: limit === null ? [] : outlook(whole, now, OUTLOOK_DAYS),
  };
}

/** Nearest to its limit first. */
function share({ usual, limit }: ResourceReport): number {
  return limit === null || limit === 0 ? -1 : usual / limit;
}

function curve(points: readonly Point[], now: number): ResourceReport['history'] {
  const end = Math.floor(now / HOUR_MS) + 1;
  const first = Math.max(points[0]?.hour ?? end, end - KEPT_HOURS);
  const begin = first - (first % STEP_HOURS);
  const sums = Array.from({ length: Math.ceil((end - begin) / STEP_HOURS) }, () => ({ sum: 0, count: 0 }));
  for (const { hour, value } of points) {
    const cell = sums[Math.floor((hour - begin) / STEP_HOURS)];
    if (cell === undefined) continue;
    cell.sum += value;
    cell.count++;
  }
  return {
    from: begin * HOUR_MS,
    stepMs: STEP_HOURS * HOUR_MS,
    points: sums.map(({ sum, count }) => (count === 0 ? null : sum / count)),
  };
}
