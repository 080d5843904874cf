import type { CapacityReport, CapacityStatus, Recommendation, ResourceReport } from '../../capacity';
import { amount, costText, day, inDays, nameOf, percent } from '../../capacity/words';
import { renderColumns, type Column } from './columns';
import { formatDuration, formatPlural, plainText } from './format';
import { sparkline } from './sparkline';
import { Style, type StyleOptions, type Tone } from './style';

interface CapacityView extends StyleOptions {
  width: number;
  /** ms since the epoch. */
  now: number;
  /** The report is an old one: nobody answers, or nobody is there. */
  silent: 'not-running' | 'deaf' | null;
  /** With curves. */
  plot: boolean;
}

const DAY_MS = 86_400_000;
const SOON_MS = 30 * DAY_MS;
const MIN_CURVE = 20;
/** Fewer points are no curve. */
const MIN_POINTS = 4;

/** The whole answer of `botctl capacity`: what is in use of what, when it is used up, what to change. */
export function renderCapacity(report: CapacityReport, view: CapacityView): string {
  const style = new Style(view);
  const blocks = [
    heading(report, view, style),
    table(report, view, style),
    ...(view.plot ? limited(report).map((one) => plot(one, view, style)) : []),
    ...report.recommendations.map((one) => recommendation(one, style)),
    ...(view.plot ? [] : [[style.paint('quiet', 'Curves: botctl capacity --plot')]]),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** One line of `botctl status`. */
export function capacityLine({ resources, recommendations, since, at }: CapacityStatus, style: Style): string {
  const [first] = resources;
  if (first === undefined) return 'nothing with a known limit was seen yet';
  const share = percent(first.usual / first.limit);
  const full = first.fullAt === null ? '' : `, full ${inDays(first.fullAt, at)} (${day(first.fullAt)})`;
  const nearest = `${first.title} ${share} of ${amount(first.limit, first.unit)}${full}`;
  const short = first.trend === 'too-little' && since !== null ? `; history of ${formatDuration(at - since)}` : '';
  if (recommendations.length === 0) return `no limit is near; nearest: ${nearest}${short}`;
  const what = `${formatPlural(recommendations.length, 'change')} to make (botctl capacity)`;
  return `${style.paint(recommendations[0]?.urgency === 'now' ? 'bad' : 'busy', what)}; nearest: ${nearest}${short}`;
}

function heading(
  { at, since, keptIn, unwrittenHours, problem, recommendations }: CapacityReport,
  view: CapacityView,
  style: Style,
): string[] {
  const count = recommendations.length;
  const tone: Tone = count === 0 ? 'good' : recommendations[0]?.urgency === 'now' ? 'bad' : 'busy';
  const what = count === 0 ? 'No limit is near.' : `${formatPlural(count, 'change')} to make.`;
  const history =
    since === null
      ? 'No history yet'
      : `History of ${formatDuration(at - since)} in the ${keptIn === 'postgres' ? 'database' : keptIn}`;
  const lines = [`${style.sign(tone)} ${style.paint('strong', what)} ${style.paint('quiet', `${history}.`)}`];
  if (view.silent !== null) {
    const who = view.silent === 'not-running' ? 'The supervisor is not running' : 'The supervisor does not answer';
    lines.push(style.paint('bad', `${who}: this is what it said ${formatDuration(view.now - at)} ago.`));
  }
  if (problem !== null) {
    const waiting = unwrittenHours === 0 ? '' : ` ${formatPlural(unwrittenHours, 'hour')} wait on disk.`;
    lines.push(style.paint('bad', `${plainText(problem)}.${waiting}`));
  }
  return lines;
}

function table(report: CapacityReport, { width, now }: CapacityView, style: Style): string[] {
  const near = report.threshold;
  const columns: Column<ResourceReport>[] = [
    { title: 'WHAT', rank: 100, value: (one) => plainText(nameOf(one)) },
    { title: 'IN USE', rank: 90, align: 'right', value: inUse },
    { title: 'USUAL', rank: 95, align: 'right', value: (one) => used(one, near, style) },
    { title: 'A DAY', rank: 60, align: 'right', value: growth },
    { title: percent(near), rank: 70, value: (one) => date(one, 0, now, style) },
    { title: 'FULL', rank: 85, value: (one) => date(one, 1, now, style) },
    { title: 'BETWEEN', rank: 40, value: band },
  ];
  return renderColumns(report.resources, columns, width, (text) => style.paint('quiet', text));
}

function inUse({ value, limit, unit }: ResourceReport): string {
  return limit === null ? amount(value, unit) : `${amount(value, unit)} of ${amount(limit, unit)}`;
}

function used({ usual, limit }: ResourceReport, near: number, style: Style): string {
  if (limit === null) return 'no limit';
  const share = usual / limit;
  return style.paint(share >= near ? 'bad' : 'none', percent(share));
}

function growth({ forecast, unit }: ResourceReport): string {
  if (forecast?.kind !== 'trend') return '–';
  if (forecast.direction === 'steady') return 'steady';
  return `${forecast.perDay > 0 ? '+' : '-'}${amount(Math.abs(forecast.perDay), unit)}`;
}

/** When the threshold (0) or the limit (1) is met. */
function date({ forecast, limit }: ResourceReport, which: 0 | 1, now: number, style: Style): string {
  if (limit === null || forecast === null) return '–';
  if (forecast.kind === 'too-little') {
    return which === 1
      ? style.paint('quiet', `${Math.floor(forecast.days)} of ${forecast.neededDays} days of history`)
      : '–';
  }
  const at = forecast.meetings[which]?.at ?? null;
  if (at === null) return 'not foreseen';
  return style.paint(at - now < SOON_MS ? 'bad' : 'none', at - now < DAY_MS ? 'now' : day(at));
}

function band({ forecast }: ResourceReport): string {
  const full = forecast?.kind === 'trend' ? forecast.meetings[1] : undefined;
  if (full?.at == null || full.earliest === null) return '';
  return `${day(full.earliest)} and ${full.latest === null ? 'later' : day(full.latest)}`;
}

function recommendation({ urgency, why, change, how, cost }: Recommendation, style: Style): string[] {
  const taken = costText(cost);
  return [
    `${style.sign(urgency === 'now' ? 'bad' : 'busy')} ${plainText(why)}`,
    ...(change === null ? [] : [`  ${style.paint('strong', `${change.key}: ${change.from} -> ${change.to}`)}`]),
    ...(taken === '' ? [] : [`  takes ${taken}`]),
    `  ${plainText(how)}`,
  ];
}

function limited({ resources }: CapacityReport): ResourceReport[] {
  return resources.filter(({ limit, history }) => limit !== null && history.points.length >= MIN_POINTS);
}

/** The last 30 days, then what is expected, in one curve. */
function plot(one: ResourceReport, { width, unicode }: CapacityView, style: Style): string[] {
  const { history, outlook, limit, unit, value } = one;
  const perDay = DAY_MS / history.stepMs;
  const ahead = outlook.flatMap((day) => Array.from({ length: perDay }, () => day.value));
  const points = [...history.points, ...ahead];
  const room = Math.max(MIN_CURVE, Math.min(points.length, width - 2));
  const curve = Array.from(sparkline(points, room, unicode));
  const split = Math.round((history.points.length / points.length) * curve.length);
  const last = outlook.at(-1);
  const now = `${amount(value, unit)} of ${amount(limit ?? 0, unit)}`;
  const then =
    last === undefined
      ? ''
      : `; ${day(last.at)}: ${amount(last.value, unit)} (${amount(last.low, unit)} to ${amount(last.high, unit)})`;
  const bar = unicode ? '┊' : '|';
  return [
    `${style.paint('strong', plainText(nameOf(one)))}  ${now}${then}`,
    `${curve.slice(0, split).join('')}${bar}${style.paint('quiet', curve.slice(split).join(''))}`,
    style.paint('quiet', `${day(history.from)}${' '.repeat(Math.max(1, split - 13))}now`),
  ];
}
