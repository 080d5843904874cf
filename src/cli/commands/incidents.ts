import { userInfo } from 'node:os';
import { join } from 'node:path';
import ms, { type StringValue } from 'ms';
import { locateState } from '../../config/locate';
import { ControlClient, ControlUnreachable } from '../../control/client';
import { ControlError, EXIT } from '../../control/contract';
import type { IncidentDetail, IncidentList, IncidentOrder } from '../../control/incidents';
import { controlSocketPath } from '../../control/socket-path';
import { readLog } from '../../incidents/log/local-log';
import { INCIDENT_TYPES, type IncidentType, type Scope } from '../../incidents/types';
import { CliError } from '../cli-error';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { renderIncident, renderIncidents, renderSilences } from '../render/incidents';
import { Style } from '../render/style';

interface ListOptions extends CommonOptions {
  json?: true;
  all?: true;
  since?: string;
  limit?: number;
}

interface ShowOptions extends CommonOptions {
  argument: string;
  json?: true;
  report?: true;
}

interface IdOptions extends CommonOptions {
  argument: string;
}

interface SilenceOptions extends CommonOptions {
  argument?: string;
  for?: string;
  end?: true;
  type?: string;
  scope?: string;
  reason?: string;
}

interface TestOptions extends CommonOptions {
  argument?: string;
}

const DEFAULT_WIDTH = 100;
const DEFAULT_SINCE_MS = 7 * 24 * 60 * 60_000;
const DEFAULT_SILENCE_MS = 60 * 60_000;
const SCOPE = /^(bot|host|supervisor|rest|redis|postgres|(cluster|shard|db):\d{1,6})$/;

/** Exit code 0: none is open, 1: some are, 3: no supervisor runs (what it knew last is shown). */
export async function list(options: ListOptions, context: CliContext): Promise<number> {
  const { stdout, style } = context;
  const wantsPast = options.all === true || options.since !== undefined;
  const since = wantsPast ? Date.now() - (duration(options.since, '--since') ?? DEFAULT_SINCE_MS) : undefined;
  const { client, dir } = await connect(options, context);
  let found: IncidentList;
  let isRunning = true;
  try {
    const { limit } = options;
    found = await client.incidents({ ...(since !== undefined && { since }), ...(limit !== undefined && { limit }) });
  } catch (error) {
    if (!isSilent(error)) throw error;
    isRunning = false;
    found = await fromLog(dir, since ?? null);
  }
  const width = stdout.isTTY ? stdout.columns : DEFAULT_WIDTH;
  const text =
    options.json === true
      ? `${JSON.stringify(found, null, 2)}\n`
      : renderIncidents(found, { ...style, width, now: Date.now(), past: wantsPast });
  stdout.write(text);
  if (!isRunning) return EXIT.notRunning;
  return found.incidents.some(({ state, parent }) => state === 'open' && parent === null) ? EXIT.failed : EXIT.ok;
}

export async function show(options: ShowOptions, context: CliContext): Promise<number> {
  const { stdout, style } = context;
  const { client, dir } = await connect(options, context);
  let found: IncidentDetail;
  try {
    found = await client.incident(options.argument, options.report === true);
  } catch (error) {
    if (!isSilent(error)) throw error;
    found = await detailFromLog(dir, options.argument);
    if (options.report === true) {
      throw new CliError(
        'a report needs the metrics, which only a running supervisor has',
        EXIT.notRunning,
        'Run `botctl start` first',
      );
    }
  }
  const width = stdout.isTTY ? stdout.columns : DEFAULT_WIDTH;
  if (options.json === true) stdout.write(`${JSON.stringify(found, null, 2)}\n`);
  else stdout.write(found.report ?? renderIncident(found, { ...style, width, now: Date.now() }));
  return EXIT.ok;
}

export function acknowledge({ argument: id, ...options }: IdOptions, context: CliContext): Promise<number> {
  return order({ order: 'acknowledge', id, by: whoAmI() }, options, context);
}

export function resolve({ argument: id, ...options }: IdOptions, context: CliContext): Promise<number> {
  return order({ order: 'resolve', id, by: whoAmI() }, options, context);
}

export async function silence({ argument: id, ...options }: SilenceOptions, context: CliContext): Promise<number> {
  const forMs = options.end === true ? 0 : (duration(options.for, '--for') ?? DEFAULT_SILENCE_MS);
  if (id === undefined) return order(silenceAll(options, forMs), options, context);
  if (options.end === true && id.startsWith('s-')) return order({ order: 'end-silence', id }, options, context);
  return order({ order: 'silence', id, forMs, by: whoAmI() }, options, context);
}

export async function silences(options: ListOptions, context: CliContext): Promise<number> {
  const { client } = await connect(options, context);
  const { silences: found } = await client.incidents();
  const text =
    options.json === true
      ? `${JSON.stringify(found, null, 2)}\n`
      : renderSilences(found, { ...context.style, now: Date.now() });
  context.stdout.write(text);
  return EXIT.ok;
}

export function testNotify({ argument, ...options }: TestOptions, context: CliContext): Promise<number> {
  return order({ order: 'test-notify', ...(argument !== undefined && { target: argument }) }, options, context);
}

function silenceAll({ type, scope, reason, end }: SilenceOptions, forMs: number): IncidentOrder {
  if (end === true) throw usage('--end needs an incident, or a silence from `botctl incidents silences`');
  if (type === undefined && scope === undefined) {
    throw usage('say what is to be silent: an incident, --type or --scope');
  }
  const known = INCIDENT_TYPES.find((one) => one === type);
  if (type !== undefined && known === undefined) {
    throw usage(`there is no incident type ${type}; there are ${INCIDENT_TYPES.join(', ')}`);
  }
  if (scope !== undefined && !SCOPE.test(scope)) {
    throw usage(`${scope} is no scope: expected bot, host, redis, postgres, rest, cluster:N, shard:N or db:N`);
  }
  return {
    order: 'silence-all',
    forMs,
    by: whoAmI(),
    ...(known !== undefined && { type: known satisfies IncidentType }),
    ...(scope !== undefined && { scope: scope as Scope }),
    ...(reason !== undefined && { reason }),
  };
}

async function order(order_: IncidentOrder, options: CommonOptions, context: CliContext): Promise<number> {
  const { client } = await connect(options, context);
  const { lines } = await client.orderIncidents(order_);
  const style = new Style(context.style);
  for (const { ok, text } of lines) context.stdout.write(`${style.sign(ok ? 'good' : 'bad')} ${text}\n`);
  return lines.every(({ ok }) => ok) ? EXIT.ok : EXIT.failed;
}

async function connect(options: CommonOptions, context: CliContext): Promise<{ client: ControlClient; dir: string }> {
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  return { client: new ControlClient(controlSocketPath(stateDir)), dir: join(stateDir, 'incidents') };
}

/** Nobody answers: what is in the log can still be shown. */
function isSilent(error: unknown): boolean {
  return error instanceof ControlUnreachable && error.failure !== 'forbidden';
}

async function fromLog(dir: string, since: number | null): Promise<IncidentList> {
  const { incidents, silences: all } = await readLog(dir);
  const wanted = incidents.filter(
    ({ state, openedAt }) => state !== 'resolved' || (since !== null && openedAt >= since),
  );
  return {
    incidents: wanted.sort((a, b) => b.openedAt - a.openedAt),
    incomplete: 'no supervisor answers: this is what it knew last',
    silences: all.filter(({ until }) => until > Date.now()),
    targets: [],
    lookedAt: null,
  };
}

async function detailFromLog(dir: string, id: string): Promise<IncidentDetail> {
  const { incidents } = await readLog(dir);
  const incident = incidents.findLast((one) => one.id === id || one.id.endsWith(`-${id}`));
  if (incident === undefined)
    throw new ControlError(404, `there is no incident ${id}`, 'See: botctl incidents list --all');
  return { incident, explained: incidents.filter(({ parent }) => parent === incident.id), report: null };
}

function duration(text: string | undefined, option: string): number | null {
  if (text === undefined) return null;
  const value = /^\d+(\.\d+)?\s*(s|m|h|d|w)$/.test(text) ? ms(text as StringValue) : Number.NaN;
  if (!(value > 0)) throw usage(`${option}: expected a duration such as 30m, 2h or 7d, not ${text}`);
  return value;
}

function usage(message: string): CliError {
  return new CliError(message, EXIT.usage);
}

function whoAmI(): string {
  try {
    return userInfo().username;
  } catch {
    return 'somebody'; // a user without a name
  }
}
