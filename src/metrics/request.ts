import ms, { type StringValue } from 'ms';
import { QueryError, type Query } from './query';
import { STATS, type Stat } from './stat';
import { MINUTE_MS } from './time-axis';

/** What is asked for when nothing else is said. */
const DEFAULT_SINCE_MS = 60 * MINUTE_MS;
const DEFAULT_POINTS = 60;
const LABEL = 'label.';
const KNOWN = ['name', 'since', 'from', 'to', 'step', 'by', 'stat', 'top', 'latest'];

export type MetricsRequest = { kind: 'list' } | { kind: 'latest'; query: Query } | { kind: 'range'; query: Query };

/**
 * Reads a question from the query part of a URL: `name`, `since` (`1h`) or `from` and `to` (ms since the epoch), `step`
 * (`5m`, or `all` for one point), `by` (labels, with commas; empty: all in one), `label.NAME=VALUE`, `stat`, `top`, `latest`.
 * @throws QueryError
 */
export function parseMetricsRequest(params: URLSearchParams, now: number): MetricsRequest {
  const unknown = [...params.keys()].find((key) => !KNOWN.includes(key) && !key.startsWith(LABEL));
  if (unknown !== undefined) {
    throw new QueryError(`unknown parameter ${unknown}: there are ${KNOWN.join(', ')} and ${LABEL}NAME`);
  }
  const name = params.get('name') ?? '';
  if (name === '') return { kind: 'list' };
  const to = epoch(params, 'to') ?? now;
  const from = epoch(params, 'from') ?? to - (duration(params, 'since') ?? DEFAULT_SINCE_MS);
  const by = params.get('by');
  const stat = statOf(params);
  const top = count(params, 'top');
  const query: Query = {
    name,
    where: conditions(params),
    from,
    to,
    ...(params.get('step') === 'all' ? {} : { stepMs: stepOf(params, to - from) }),
    ...(by !== null && { by: by.split(',').filter((label) => label !== '') }),
    ...(stat !== null && { stat }),
    ...(top !== null && { top }),
  };
  return { kind: params.has('latest') ? 'latest' : 'range', query };
}

function conditions(params: URLSearchParams): Record<string, string[]> {
  const where: Record<string, string[]> = {};
  for (const [key, value] of params) {
    if (key.startsWith(LABEL)) (where[key.slice(LABEL.length)] ??= []).push(value);
  }
  return where;
}

function stepOf(params: URLSearchParams, rangeMs: number): number {
  return duration(params, 'step') ?? Math.max(1, Math.ceil(rangeMs / DEFAULT_POINTS / MINUTE_MS)) * MINUTE_MS;
}

function statOf(params: URLSearchParams): Stat | null {
  const text = params.get('stat');
  const stat = STATS.find((one) => one === text);
  if (text !== null && stat === undefined) throw new QueryError(`stat: expected one of ${STATS.join(', ')}`);
  return stat ?? null;
}

function duration(params: URLSearchParams, key: string): number | null {
  const text = params.get(key);
  if (text === null) return null;
  const value = text === '' ? NaN : ms(text as StringValue);
  if (!(value > 0)) throw new QueryError(`${key}: expected a duration such as 30m or 6h, not ${text}`);
  return value;
}

function epoch(params: URLSearchParams, key: string): number | null {
  const text = params.get(key);
  if (text === null) return null;
  if (!/^\d{1,15}$/.test(text)) throw new QueryError(`${key}: expected ms since the epoch, not ${text}`);
  return Number(text);
}

function count(params: URLSearchParams, key: string): number | null {
  const text = params.get(key);
  if (text === null) return null;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new QueryError(`${key}: expected a number from 1 on, not ${text}`);
  return Number(text);
}
