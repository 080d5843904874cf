import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { locateState } from '../../config/locate';
import { EXIT } from '../../control/contract';
import { FAULTS, Sandbox, SandboxClient, type FaultName, type FaultOptions, type SandboxReport } from '../../sandbox';
import { CliError } from '../cli-error';
import { configFile, type CliContext, type CommonOptions } from '../context';

interface RunOptions extends CommonOptions {
  guilds?: number;
  shards?: number;
  maxConcurrency?: number;
  identifyInterval?: number;
  rate?: number;
  port?: number;
}

interface OrderOptions extends CommonOptions {
  url?: string;
  json?: true;
  argument?: number;
}

type FaultFlags = OrderOptions & FaultOptions;

const REFRESH_MS = 1_000;
/** A fixed port, so that a bot's environment can name it. */
const DEFAULT_PORT = 4_900;
const DEFAULT_URL = `http://127.0.0.1:${DEFAULT_PORT}/api`;

/** Runs a sandbox in the foreground. */
export async function run(options: RunOptions, { stdout }: CliContext): Promise<number> {
  const { guilds, shards, maxConcurrency, identifyInterval, rate, port = DEFAULT_PORT } = options;
  const stop = new AbortController();
  const sandbox = new Sandbox(
    {
      port,
      ...(guilds !== undefined && { guilds }),
      ...(shards !== undefined && { shards }),
      ...(maxConcurrency !== undefined && { maxConcurrency }),
      ...(identifyInterval !== undefined && { identifyIntervalMs: identifyInterval }),
      ...(rate !== undefined && { rate }),
    },
    { onStop: () => stop.abort() },
  );
  const { apiUrl } = await listen(sandbox, port);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  stdout.write(`A Discord on loopback: ${apiUrl}\n`);
  stdout.write(`  Run a bot on it:   BOTCTL_DISCORD_API=${apiUrl} DISCORD_TOKEN=any botctl start\n`);
  stdout.write(`  Give it orders:    botctl sandbox drop --shard 0 --url ${apiUrl}\n\n`);
  while (!stop.signal.aborted) {
    if (stdout.isTTY) stdout.write(`\r\u001b[K${summary(sandbox.report())}`);
    await delay(REFRESH_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  stdout.write(`${stdout.isTTY ? '\n' : ''}${table(sandbox.report())}`);
  await sandbox.close();
  return EXIT.ok;
}

export async function report(options: OrderOptions, context: CliContext): Promise<number> {
  const found = await (await clientFor(options, context)).report();
  context.stdout.write(options.json === true ? `${JSON.stringify(found, null, 2)}\n` : table(found));
  return found.violations.length === 0 ? EXIT.ok : EXIT.failed;
}

export async function rate(options: OrderOptions, context: CliContext): Promise<number> {
  const perSecond = options.argument ?? 0;
  await (await clientFor(options, context)).rate(perSecond);
  context.stdout.write(`${perSecond} events per second\n`);
  return EXIT.ok;
}

export function faultNamed(name: string): (options: FaultFlags, context: CliContext) => Promise<number> {
  const fault = FAULTS.find((known) => known === name);
  return async (options, context) => {
    if (fault === undefined) throw new CliError(`There is no fault ${name}.`, EXIT.usage);
    await (await clientFor(options, context)).fault(fault, parametersOf(options));
    context.stdout.write(`${describe(fault, options)}\n`);
    return EXIT.ok;
  };
}

function parametersOf(flags: FaultFlags): FaultOptions {
  const { shard, code, terminate, resumable, seconds, forgetSessions, ms, status, count, guilds } = flags;
  const all = { shard, code, terminate, resumable, seconds, forgetSessions, ms, status, count, guilds };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function describe(fault: FaultName, flags: FaultFlags): string {
  const parameters = Object.entries(parametersOf(flags)).map(([name, value]) => `${name} ${String(value)}`);
  return `${fault}: ${parameters.length === 0 ? 'done' : parameters.join(', ')}`;
}

async function listen(sandbox: Sandbox, port: number): Promise<{ apiUrl: string }> {
  try {
    return await sandbox.listen();
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    throw new CliError(
      `The sandbox cannot listen on port ${port} (${code}).`,
      EXIT.failed,
      'Choose another one with --port.',
    );
  }
}

/** The sandbox of --url, else the one that the supervisor of this config runs, else the one on the usual port. */
async function clientFor(options: OrderOptions, context: CliContext): Promise<SandboxClient> {
  if (options.url !== undefined) return new SandboxClient(options.url);
  try {
    const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
    const { apiUrl } = JSON.parse(readFileSync(join(stateDir, 'sandbox.json'), 'utf8')) as { apiUrl: string };
    return new SandboxClient(apiUrl);
  } catch (error) {
    if (options.config !== undefined) {
      throw new CliError('No sandbox runs for this config.', EXIT.notRunning, 'Start it with: botctl start --sandbox', {
        cause: error,
      });
    }
    return new SandboxClient(DEFAULT_URL);
  }
}

function summary(found: SandboxReport): string {
  const { connections, identifies, violations, resumes, sent, answered, lost, doubled } = found;
  return (
    `${connections} connections, ${identifies} identifies, ${violations.length} violations, ${resumes} resumes; ` +
    `events: ${sent} sent, ${answered} answered, ${lost} lost, ${doubled} doubled`
  );
}

function table(found: SandboxReport): string {
  const latency = found.latencyMs === null ? '-' : `p50 ${found.latencyMs.p50} ms, p99 ${found.latencyMs.p99} ms`;
  const closes = Object.entries(found.closes).map(([code, count]) => `${code}: ${count}`);
  const rows: [string, string | number][] = [
    ['identifies', `${found.identifies} (${found.sessionStart.remaining} of ${found.sessionStart.total} left)`],
    ['violations', found.violations.length],
    ['resumes', `${found.resumes} (${found.failedResumes} refused)`],
    [
      'connections',
      `${found.connections} open, ${found.connectionsOpened} opened, ${found.connectionsRefused} refused`,
    ],
    ['close codes', closes.length === 0 ? '-' : closes.join(', ')],
    ['events', `${found.sent} sent, ${found.answered} answered, ${found.outstanding} open`],
    ['', `${found.lost} lost, ${found.doubled} doubled, ${found.missed} missed (no session)`],
    ['latency', latency],
    [
      'REST',
      `${found.restRequests} requests, ${found.restRateLimited} limited, ${found.restUnauthorised} unauthorised`,
    ],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)} ${value}\n`).join('');
}
