/** What the other commands may ask and order about incidents. Times are ms since the epoch. */

import type { Incident, IncidentType, Scope, Severity } from '../incidents/types';
import { ControlError } from './control-error';

/** An open incident, as short as `status` shows it. */
export interface IncidentStatus {
  id: string;
  type: IncidentType;
  /** The type, with a name where there are several of it. */
  rule: string;
  scope: Scope;
  affected: readonly Scope[];
  severity: Severity;
  state: 'open' | 'mitigated';
  text: string;
  openedAt: number;
  acknowledged: boolean;
  silenced: boolean;
  /** What was last done about it; null: nothing yet. */
  lastAction: string | null;
  /** Incidents that it explains. */
  explains: number;
}

/** A place that is told of incidents. */
export interface TargetStatus {
  name: string;
  /** failing: the last message was not taken; idle: there was none yet. */
  state: 'idle' | 'ok' | 'failing';
  least: Severity;
  lastSentAt: number | null;
  lastError: string | null;
  retryAt: number | null;
}

export interface SilenceStatus {
  id: string;
  type?: IncidentType;
  scope?: Scope;
  until: number;
  by: string;
  at: number;
  reason?: string;
}

export interface IncidentList {
  /** The latest first. */
  incidents: readonly Incident[];
  /** Why older ones may be missing; null: all are here. */
  incomplete: string | null;
  silences: readonly SilenceStatus[];
  targets: readonly TargetStatus[];
  /** When everything was last looked at; null: not yet, or by a supervisor that is gone. */
  lookedAt: number | null;
}

export interface IncidentDetail {
  incident: Incident;
  /** Those that it explains. */
  explained: readonly Incident[];
  /** Markdown; only when it was asked for. */
  report: string | null;
}

export type IncidentOrder =
  | { order: 'acknowledge' | 'resolve'; id: string; by: string }
  | { order: 'silence'; id: string; forMs: number; by: string }
  | { order: 'silence-all'; type?: IncidentType; scope?: Scope; forMs: number; by: string; reason?: string }
  | { order: 'end-silence'; id: string }
  | { order: 'test-notify'; target?: string };

export interface OrderAnswer {
  /** One line for each thing that was done. */
  lines: { ok: boolean; text: string }[];
}

export interface IncidentHandlers {
  /** GET /v1/incidents: unresolved ones; with `since` (ms since the epoch) and `limit` those of the past, too. */
  list(query: { since: number | null; limit: number }): Promise<IncidentList>;
  /** GET /v1/incidents/ID, with `report=1` its report. */
  show(id: string, report: boolean): Promise<IncidentDetail>;
  /** POST /v1/incidents */
  order(order: IncidentOrder): Promise<OrderAnswer>;
}

export const INCIDENTS_PATH = '/v1/incidents';
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
const ORDERS = ['acknowledge', 'resolve', 'silence', 'silence-all', 'end-silence', 'test-notify'];

/** Answers a request for incidents. @throws ControlError */
export async function answerIncidents(
  handlers: IncidentHandlers,
  method: string,
  path: string,
  query: URLSearchParams,
  body: () => Promise<string>,
): Promise<object> {
  const id = decodeURIComponent(path.slice(INCIDENTS_PATH.length + 1));
  if (method === 'POST' && id === '') return handlers.order(parseOrder(await body()));
  if (method !== 'GET') throw new ControlError(405, `${method} is not allowed here`);
  if (id !== '') return handlers.show(id, query.get('report') === '1');
  const since = query.get('since');
  const limit = query.get('limit');
  return handlers.list({
    since: since === null ? null : whole(since, 'since'),
    limit: limit === null ? DEFAULT_LIMIT : Math.min(MAX_LIMIT, whole(limit, 'limit')),
  });
}

function parseOrder(text: string): IncidentOrder {
  let body: Partial<Record<string, unknown>>;
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new ControlError(400, 'the body is not JSON');
  }
  const { order, id, forMs, by } = body;
  if (typeof order !== 'string' || !ORDERS.includes(order))
    throw new ControlError(400, `order must be one of ${ORDERS.join(', ')}`);
  if ('id' in body && typeof id !== 'string') throw new ControlError(400, 'id must be text');
  if ('forMs' in body && !(typeof forMs === 'number' && forMs >= 0))
    throw new ControlError(400, 'forMs must be a number from 0 on');
  if (order !== 'silence-all' && order !== 'test-notify' && id === undefined)
    throw new ControlError(400, 'id is missing');
  if (order.startsWith('silence') && forMs === undefined) throw new ControlError(400, 'forMs is missing');
  return { ...body, by: typeof by === 'string' ? by : 'somebody' } as IncidentOrder;
}

function whole(text: string, key: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new ControlError(400, `${key} must be a whole number from 0 on`);
  return value;
}
