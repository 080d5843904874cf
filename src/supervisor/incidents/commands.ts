import { ControlError } from '../../control/contract';
import type {
  IncidentDetail,
  IncidentHandlers,
  IncidentList,
  IncidentOrder,
  OrderAnswer,
} from '../../control/incidents';
import { IncidentError, type Evidence, type Incident, type Incidents } from '../../incidents';
import { REPORT_MARGIN_MS, report, type ReportFigure } from '../../incidents/report';
import { QueryError, STATS, type MetricQueries } from '../../metrics';

export interface IncidentCommandsOptions {
  bot: string;
  incidents: Incidents;
  queries: MetricQueries;
}

/** What the control socket offers of incidents. */
export class IncidentCommands implements IncidentHandlers {
  constructor(private readonly options: IncidentCommandsOptions) {}

  async list({ since, limit }: { since: number | null; limit: number }): Promise<IncidentList> {
    const { incidents } = this.options;
    const known = since === null ? incidents.openIncidents() : incidents.known();
    const about = { silences: incidents.silences(), targets: incidents.targets(), lookedAt: incidents.lookedAt };
    if (since === null) return { incidents: known.slice(0, limit), incomplete: null, ...about };
    const recent = known.filter(({ openedAt, state }) => openedAt >= since || state !== 'resolved');
    try {
      const past = await incidents.history(since, limit);
      return { incidents: merged(recent, past).slice(0, limit), incomplete: null, ...about };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const incomplete = `Postgres cannot be asked (${reason}): only what is known here`;
      return { incidents: recent.slice(0, limit), incomplete, ...about };
    }
  }

  async show(id: string, withReport: boolean): Promise<IncidentDetail> {
    const { incidents, bot, queries } = this.options;
    const incident = await this.#findAnywhere(id);
    const explained = incidents.known().filter(({ parent }) => parent === incident.id);
    if (!withReport) return { incident, explained, report: null };
    const now = Date.now();
    const figures = incident.evidence.flatMap((one) => figureOf(queries, one, incident, now) ?? []);
    return { incident, explained, report: report({ bot, incident, explained, figures, now }) };
  }

  async order(order: IncidentOrder): Promise<OrderAnswer> {
    try {
      return { lines: await this.#carryOut(order) };
    } catch (error) {
      throw refusal(error);
    }
  }

  async #carryOut(order: IncidentOrder): Promise<OrderAnswer['lines']> {
    const { incidents } = this.options;
    switch (order.order) {
      case 'acknowledge':
        return [done(`${incidents.acknowledge(order.id, order.by).id} is acknowledged`)];
      case 'resolve':
        return [
          done(`${incidents.resolve(order.id, order.by).id} is resolved; it comes back only after it has gone away`),
        ];
      case 'silence': {
        const { id, silencedUntil } = incidents.silence(order.id, order.forMs, order.by);
        return [done(silencedUntil === null ? `${id} is told again` : `${id} is silent until ${time(silencedUntil)}`)];
      }
      case 'silence-all': {
        const { id, until, type, scope } = incidents.silenceAll({
          forMs: order.forMs,
          by: order.by,
          ...(order.type !== undefined && { type: order.type }),
          ...(order.scope !== undefined && { scope: order.scope }),
          ...(order.reason !== undefined && { reason: order.reason }),
        });
        const what = [type ?? 'everything', ...(scope === undefined ? [] : [`of ${scope}`])].join(' ');
        return [done(`${id}: ${what} is silent until ${time(until)}`)];
      }
      case 'end-silence':
        return [done(`${incidents.endSilence(order.id).id} is over`)];
      case 'test-notify':
        return this.#test(order.target ?? null);
    }
  }

  async #test(target: string | null): Promise<OrderAnswer['lines']> {
    const names = this.options.incidents.targets().map(({ name }) => name);
    if (names.length === 0) {
      throw new ControlError(409, 'nobody is told of incidents', 'Set incidents.notify in the config, then restart');
    }
    if (target !== null && !names.includes(target)) {
      throw new ControlError(404, `there is no target ${target}`, `There are: ${names.join(', ')}`);
    }
    const results = await this.options.incidents.testTargets(target);
    return results.map(({ name, error, tookMs }) => ({
      ok: error === null,
      text: error === null ? `${name}: taken in ${tookMs} ms` : `${name}: ${error}`,
    }));
  }

  async #findAnywhere(id: string): Promise<Incident> {
    try {
      return await this.options.incidents.findAnywhere(id);
    } catch (error) {
      throw refusal(error);
    }
  }
}

const STATUS = { unknown: 404, ambiguous: 409, wrong: 409 } as const;

function refusal(error: unknown): unknown {
  if (!(error instanceof IncidentError)) return error;
  return new ControlError(STATUS[error.reason], error.message, error.hint);
}

function done(text: string): { ok: true; text: string } {
  return { ok: true, text };
}

function time(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** What is known here is newer than what Postgres says. The latest first. */
function merged(known: readonly Incident[], past: readonly Incident[]): Incident[] {
  const all = new Map([...past, ...known].map((incident) => [incident.id, incident]));
  return [...all.values()].sort((a, b) => b.openedAt - a.openedAt);
}

function figureOf(
  queries: MetricQueries,
  evidence: Evidence,
  { openedAt, resolvedAt }: Incident,
  now: number,
): ReportFigure | null {
  const { metric, stat, labels = {} } = evidence;
  const asked = STATS.find((one) => one === stat);
  const ask = (from: number, to: number): { value: number | null; stat: string; unit: string } | null => {
    try {
      const query = { name: metric, where: labels, by: [], from, to, ...(asked !== undefined && { stat: asked }) };
      const found = queries.range(query);
      return { value: found.series[0]?.value ?? null, stat: found.stat, unit: found.unit };
    } catch (error) {
      if (error instanceof QueryError) return null; // before the supervisor knew anything, or not measured at all
      throw error;
    }
  };
  const end = resolvedAt ?? now;
  const before = ask(openedAt - REPORT_MARGIN_MS, openedAt - 1);
  const during = ask(openedAt, end);
  const after = resolvedAt === null ? null : ask(end + 1, end + REPORT_MARGIN_MS);
  const shape = during ?? before ?? after;
  if (shape === null) return null;
  return {
    ...evidence,
    stat: shape.stat,
    unit: shape.unit,
    before: before?.value ?? null,
    during: during?.value ?? null,
    after: after?.value ?? null,
  };
}
