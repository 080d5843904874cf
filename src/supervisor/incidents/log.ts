import type { Logger } from 'pino';
import type { IncidentEvent, Outcome } from '../../incidents';

/** Writes what becomes of incidents as log lines. */
export function logIncident(logger: Logger, { type, incident }: IncidentEvent): void {
  const { id, rule, scope, severity, text, parent } = incident;
  const about = { event: type, incident: id, rule, scope, severity, ...(parent !== null && { parent }) };
  const name = `incident ${id}: ${rule} (${scope})`;
  switch (type) {
    case 'incident.opened':
      if (parent !== null) logger.info(about, `${name} follows from ${parent}: ${text}`);
      else logger[severity === 'critical' ? 'error' : 'warn'](about, `${name}: ${text}`);
      break;
    case 'incident.escalated':
    case 'incident.reopened':
      logger[severity === 'critical' ? 'error' : 'warn'](about, `${name} ${type.slice('incident.'.length)}: ${text}`);
      break;
    case 'incident.resolved':
      logger.info(about, `${name} is resolved`);
      break;
    case 'incident.acknowledged':
    case 'incident.silenced':
      logger.info(about, `${name}: ${incident.timeline.at(-1)?.kind ?? ''} ${incident.timeline.at(-1)?.text ?? ''}`);
      break;
    case 'incident.changed':
    case 'incident.mitigated':
    case 'incident.noted':
      logger.debug(about, `${name}: ${incident.timeline.at(-1)?.text ?? ''}`);
      break;
  }
}

export function logOutcome(logger: Logger, { target, notices, error, retryInMs }: Outcome): void {
  if (error === null) logger.debug({ target, notices: notices.length }, `told ${target}`);
  else if (retryInMs === null) logger.error({ target }, `${target} refuses messages: ${error}; check incidents.notify`);
  else
    logger.warn(
      { target },
      `${target} does not take messages: ${error}; next try in ${Math.ceil(retryInMs / 1_000)} s`,
    );
}
