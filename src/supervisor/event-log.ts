import type { Logger } from 'pino';
import { scopeName, type HealthEvent } from '../health';
import type { HandoffGap, NoticeCode } from '../ipc/messages';
import type { MasterEvent } from '../sharding/events';

/** Levels of pino by the numbers that bots' JSON lines carry. */
const LEVELS: readonly [number, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'][] = [
  [60, 'fatal'],
  [50, 'error'],
  [40, 'warn'],
  [30, 'info'],
  [20, 'debug'],
  [10, 'trace'],
];

/** Fields of a bot's JSON line that our own line already says. */
const OWN_FIELDS = ['level', 'time', 'timestamp', 'msg', 'message', 'pid', 'hostname', 'cluster', 'stream'];

/** Close code with which the agent, or @discordjs/ws, closes a connection in order to resume it. */
const CLOSED_BY_US = 4_200;

/** What is said when a notice holds no longer. */
const OVER: Partial<Record<NoticeCode, string>> = { 'rest-direct': 'REST calls pass the guard again' };

/** Writes events as log lines. */
export function logEvent(logger: Logger, event: MasterEvent | HealthEvent): void {
  switch (event.type) {
    case 'cluster.spawned':
      logger.info(about(event), `cluster ${event.cluster} started${event.resumes ? ', resumes its sessions' : ''}`);
      break;
    case 'cluster.adopted':
      logger.info(about(event), `cluster ${event.cluster} still runs, taken over`);
      break;
    case 'cluster.ready':
      logger.info(about(event), `cluster ${event.cluster} is ready`);
      break;
    case 'cluster.hung':
      logger.error(about(event), `cluster ${event.cluster} is hung, killing it`);
      break;
    case 'cluster.exited':
      logger[event.expected ? 'info' : 'error'](about(event), `cluster ${event.cluster} ended: ${event.reason}`);
      break;
    case 'cluster.retry': {
      const seconds = (event.delayMs / 1_000).toFixed(1);
      const text =
        event.state === 'crash-loop'
          ? `cluster ${event.cluster} is in a crash loop (${event.deaths} deaths), next try in ${seconds} s`
          : `cluster ${event.cluster} starts again in ${seconds} s`;
      logger.warn(about(event), text);
      break;
    }
    case 'cluster.fatal':
      logger.fatal(about(event), event.message);
      break;
    case 'cluster.notice':
      logger.warn(about(event), event.text);
      break;
    case 'cluster.notice-over':
      logger.info(about(event), `cluster ${event.cluster}: ${OVER[event.code] ?? `${event.code} is over`}`);
      break;
    case 'cluster.parked':
      logger.info(about(event), `cluster ${event.cluster} closed ${event.sessions} sessions resumably`);
      break;
    case 'cluster.output-skipped':
      logger.warn(
        about(event),
        `cluster ${event.cluster} prints faster than it can be read: ${event.bytes} bytes skipped`,
      );
      break;
    case 'cluster.output':
      logOutput(logger, event);
      break;
    case 'cluster.handoff':
      logger.info(about(event), `cluster ${event.cluster}: handoff to pid ${event.pid}, ${event.step}`);
      break;
    case 'cluster.handed-over': {
      logger.info(about(event), `cluster ${event.cluster} handed over to pid ${event.pid}${gapText(event)}`);
      break;
    }
    case 'clusters.regroup': {
      const { from, to, step } = event;
      logger.info(about(event), `clusters ${from.join(', ')} become ${to.join(', ')}: ${step}`);
      break;
    }
    case 'cluster.formed': {
      const text = `pid ${event.pid}, ${event.shards} shards${gapText(event)}`;
      logger.info(about(event), `cluster ${event.cluster} is formed: ${text}`);
      break;
    }
    case 'cluster.dissolved':
      logger.info(about(event), `cluster ${event.cluster} is no more`);
      break;
    case 'cluster.handoff-failed':
      logger.error(about(event), `cluster ${event.cluster} was not handed over: ${event.reason}`);
      break;
    case 'cluster.retired':
      logger.info(about(event), `cluster ${event.cluster}: the old process has ended`);
      break;
    case 'cluster.sample':
      break; // figures, not news
    case 'shard.phase':
      logPhase(logger, event);
      break;
    case 'gateway.gate':
      if (event.view.gate === 'backing-off') {
        logger.warn({ reason: event.view.reason }, 'gateway refuses connections, all shards back off');
      } else if (event.view.gate === 'passing') {
        logger.info('gateway accepts connections again');
      }
      break;
    case 'gateway.attempt':
      break; // many; the gate says what comes of them
    case 'identify.saved':
      logger.warn(`identifies are few: ${event.what}`);
      break;
    case 'identify.blocked':
      logger.warn(`identify: ${event.reason}`);
      break;
    case 'health.changed':
      logHealth(logger, event);
      break;
    case 'agent.refused':
      logger.warn({ pid: event.pid }, `a process was refused at the agents' socket: ${event.reason}`);
      break;
  }
}

/** The event as fields, its type under `event`; its text is the line's own. */
function about(event: MasterEvent): object {
  const { type, ...fields } = event;
  return { event: type, ...fields, message: undefined };
}

/** One line, however many shards it concerns. */
function logHealth(logger: Logger, { type, check, to, results }: HealthEvent): void {
  const scopes = results.map(({ scope }) => scopeName(scope));
  const [first] = results;
  const where =
    first === undefined || first.scope.kind === 'bot'
      ? ''
      : ` (${scopes.slice(0, 5).join(', ')}${scopes.length > 5 ? ` and ${scopes.length - 5} more` : ''})`;
  const fields = { event: type, check, to, scopes: scopes.slice(0, 100), failures: first?.failures };
  const text = `health: ${check} is ${to}${where}: ${first?.message ?? ''}`;
  logger[to === 'unhealthy' ? 'warn' : to === 'healthy' ? 'info' : 'debug'](fields, text);
}

function gapText({ gapMs, caughtUpMs }: HandoffGap): string {
  const late = caughtUpMs === null ? '' : `, caught up after ${Math.round(caughtUpMs)} ms`;
  return gapMs === null ? '' : `, gap ${Math.round(gapMs)} ms${late}`;
}

function logPhase(logger: Logger, event: Extract<MasterEvent, { type: 'shard.phase' }>): void {
  const { shard, phase, closeCode } = event;
  if (phase === 'ready') {
    const how =
      event.replayed === undefined
        ? 'ready'
        : `resumed, ${event.replayed} ${event.replayed === 1 ? 'event' : 'events'} replayed`;
    logger.info(about(event), `shard ${shard} ${how}`);
  } else if (closeCode === CLOSED_BY_US) {
    logger.info(about(event), `shard ${shard} closed resumably`);
  } else if (phase === 'disconnected' || phase === 'dead') {
    logger.warn(about(event), `shard ${shard} ${phase}${closeCode === undefined ? '' : ` (close code ${closeCode})`}`);
  } else {
    logger.debug(about(event), `shard ${shard} ${phase}`);
  }
}

function logOutput(logger: Logger, { cluster, line }: Extract<MasterEvent, { type: 'cluster.output' }>): void {
  const stream = line.stream === 'out' ? 'stdout' : 'stderr';
  if (line.fields === null) {
    logger[line.stream === 'out' ? 'info' : 'warn']({ cluster, stream }, line.text);
    return;
  }
  const { fields } = line;
  const rest = Object.fromEntries(Object.entries(fields).filter(([name]) => !OWN_FIELDS.includes(name)));
  const text = [fields['msg'], fields['message']].find((value) => typeof value === 'string') ?? '';
  logger[levelOf(fields['level'], line.stream)]({ ...rest, cluster, stream }, text);
}

function levelOf(level: unknown, stream: 'out' | 'err'): 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' {
  if (typeof level === 'number') return LEVELS.find(([number]) => level >= number)?.[1] ?? 'trace';
  const named = LEVELS.find(([, name]) => name === String(level).toLowerCase())?.[1];
  return named ?? (stream === 'out' ? 'info' : 'warn');
}
