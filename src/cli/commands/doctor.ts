import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { freemem } from 'node:os';
import { dirname, join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { loadConfig, type Config } from '../../config';
import { EXIT } from '../../control/contract';
import { socketDir } from '../../control/socket-path';
import { fetchGatewayBot } from '../../sharding/gateway-info';
import { isRunning, readSupervisorRecord } from '../../supervisor/supervisor-lock';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { formatBytes, formatCount } from '../render/format';
import { Style, type Tone } from '../render/style';
import { version } from '../version';

interface DoctorOptions extends CommonOptions {
  json?: true;
  offline?: true;
}

type Result = 'ok' | 'warn' | 'fail';

interface Finding {
  check: string;
  result: Result;
  text: string;
  /** What to do; null when all is well. */
  fix: string | null;
}

type Check = [name: string, run: () => Promise<Omit<Finding, 'check'>> | Omit<Finding, 'check'>];

const TONES: Record<Result, Tone> = { ok: 'good', warn: 'busy', fail: 'bad' };
const MIN_NODE = 20;
const MIN_FREE_DISK = 1024 ** 3;
/** Resident memory of a cluster with few guilds, bytes; measured. */
const CLUSTER_BYTES = 100 * 1024 ** 2;
const MIN_DESCRIPTORS = 4_096;
const MAX_SKEW_MS = 5_000;
const NETWORK_TIMEOUT_MS = 10_000;

/** Looks at everything that commonly keeps a bot from running well, and says what to do about it. */
export async function doctor(options: DoctorOptions, context: CliContext): Promise<number> {
  const { cwd, env } = context;
  const { config, file } = await loadConfig({ cwd, env, file: configFile(options, context) });
  const checks: Check[] = [
    ['config', () => ok(`${file} is good`)],
    ['node', node],
    ['discord.js', () => discordJs(config)],
    ['state folder', () => stateFolder(config)],
    ['disk', () => disk(config)],
    ['memory', () => memory(config)],
    ['file descriptors', descriptors],
    ['status page', () => httpPort(config)],
    ['Postgres', () => postgres(config)],
    ['Redis', () => redis(config)],
    ...(options.offline === true
      ? []
      : ([
          ['Discord', () => discord(config)],
          ['clock', () => clock(config)],
        ] satisfies Check[])),
  ];
  const findings: Finding[] = [];
  for (const [check, run] of checks) findings.push({ check, ...(await settle(run)) });
  const worst = findings.some(({ result }) => result === 'fail');
  context.stdout.write(options.json === true ? `${JSON.stringify(findings, null, 2)}\n` : render(findings, context));
  return worst ? EXIT.failed : EXIT.ok;
}

function render(findings: readonly Finding[], { style: can }: CliContext): string {
  const style = new Style(can);
  const width = Math.max(...findings.map(({ check }) => check.length));
  return findings
    .map(({ check, result, text, fix }) => {
      const line = `${style.sign(TONES[result])} ${check.padEnd(width)}  ${text}\n`;
      return fix === null ? line : `${line}  ${' '.repeat(width)}  ${style.paint(TONES[result], 'fix:')} ${fix}\n`;
    })
    .join('');
}

async function settle(run: Check[1]): Promise<Omit<Finding, 'check'>> {
  try {
    return await run();
  } catch (error) {
    return fail((error as Error).message, 'See the message; BOTCTL_DEBUG=1 shows more');
  }
}

const ok = (text: string): Omit<Finding, 'check'> => ({ result: 'ok', text, fix: null });
const warn = (text: string, fix: string): Omit<Finding, 'check'> => ({ result: 'warn', text, fix });
const fail = (text: string, fix: string): Omit<Finding, 'check'> => ({ result: 'fail', text, fix });

function node(): Omit<Finding, 'check'> {
  const major = Number(process.versions.node.split('.', 1)[0]);
  const text = `Node ${process.version}, botctl ${version()}`;
  return major < MIN_NODE ? fail(text, `Install Node ${MIN_NODE} or newer`) : ok(text);
}

function discordJs({ bot }: Config): Omit<Finding, 'check'> {
  try {
    const found = createRequire(bot.entry)('discord.js/package.json') as { version: string };
    return found.version.startsWith('14.')
      ? ok(`${found.version}, beside the bot`)
      : warn(`${found.version}: not a version that botctl knows`, 'Use discord.js 14: npm i discord.js@14');
  } catch {
    return warn(
      `not found from ${dirname(bot.entry)}`,
      'npm i discord.js; a bundled copy runs without identify queue and sessions',
    );
  }
}

function stateFolder({ stateDir }: Config): Omit<Finding, 'check'> {
  const folder = existsSync(stateDir) ? stateDir : dirname(stateDir);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch {
    return fail(`${folder} is not writable`, 'Set stateDir to a folder of this user');
  }
  if (folder === stateDir && (statSync(stateDir).mode & 0o077) !== 0) {
    return warn(`${stateDir} is open to other users`, `chmod 700 ${stateDir}`);
  }
  return ok(`${stateDir}, sockets in ${socketDir(stateDir)}`);
}

function disk({ stateDir }: Config): Omit<Finding, 'check'> {
  const { bavail, bsize } = statfsSync(existsSync(stateDir) ? stateDir : dirname(stateDir));
  const free = bavail * bsize;
  const text = `${formatBytes(free)} free`;
  return free < MIN_FREE_DISK ? warn(text, 'Make room: logs, sessions and databases need about 1 GB') : ok(text);
}

function memory({ sharding }: Config): Omit<Finding, 'check'> {
  const { totalShards, shardsPerCluster } = sharding;
  if (totalShards === 'auto') return ok(`${formatBytes(freemem())} free`);
  const clusters = Math.ceil((sharding.shards?.length ?? totalShards) / shardsPerCluster);
  const text = `${formatBytes(freemem())} free for ${clusters} clusters`;
  return freemem() < clusters * CLUSTER_BYTES
    ? warn(text, 'Raise sharding.shardsPerCluster, or use a larger machine')
    : ok(text);
}

function descriptors(): Omit<Finding, 'check'> {
  const limit = execFileSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  const text = `limit ${limit}`;
  return limit !== 'unlimited' && Number(limit) < MIN_DESCRIPTORS
    ? warn(text, `Raise it: ulimit -n ${MIN_DESCRIPTORS}, or LimitNOFILE= in the systemd unit`)
    : ok(text);
}

async function httpPort({ http, stateDir }: Config): Promise<Omit<Finding, 'check'>> {
  if (!http.enabled) return ok('off');
  const record = readSupervisorRecord(stateDir);
  if (record !== null && isRunning(record)) return ok(record.http ?? 'off');
  const problem = await new Promise<string | null>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    server.listen({ host: http.host, port: http.port, exclusive: true }, () => server.close(() => resolve(null)));
  });
  const at = `${http.host}:${http.port}`;
  return problem === null
    ? ok(`${at} is free`)
    : fail(`${at} cannot be opened (${problem})`, 'Set http.port to a free port');
}

async function postgres({ postgres: { shards, embedded } }: Config): Promise<Omit<Finding, 'check'>> {
  if (shards === undefined) {
    return ok(embedded.enabled ? `embedded, ${embedded.shards} databases` : 'off');
  }
  const { Client } = await import('pg');
  for (const [index, url] of shards.entries()) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: NETWORK_TIMEOUT_MS });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('select 1');
    } catch (error) {
      const { host } = new URL(url);
      return fail(
        `postgres.shards[${index}] at ${host}: ${(error as Error).message}`,
        'Check address, password and firewall',
      );
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  return ok(`${shards.length} databases answer`);
}

async function redis({ redis: { url, embedded } }: Config): Promise<Omit<Finding, 'check'>> {
  if (url === undefined) {
    if (!embedded.enabled) return ok('off');
    const { EmbeddedRedis } = await import('../../data/embedded/redis.js');
    const found = EmbeddedRedis.find({ dir: join('/nonexistent', 'botctl-doctor'), port: 0, log: () => undefined });
    return found === null
      ? warn('no redis-server found: caches go without L2', 'Install redis, or set redis.url')
      : ok('embedded');
  }
  const { Redis } = await import('ioredis');
  const client = new Redis(url, { lazyConnect: true, connectTimeout: NETWORK_TIMEOUT_MS, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.ping();
    return ok(`${new URL(url).host} answers`);
  } catch (error) {
    return fail(`${new URL(url).host}: ${(error as Error).message}`, 'Check address, password and firewall');
  } finally {
    client.disconnect();
  }
}

async function discord({ bot, discord: { api }, identify }: Config): Promise<Omit<Finding, 'check'>> {
  let retried = '';
  try {
    const { shards, session_start_limit: limit } = await fetchGatewayBot(
      { api, token: bot.token, version: version(), onRetry: (reason) => (retried = reason) },
      AbortSignal.timeout(NETWORK_TIMEOUT_MS),
    );
    const text = `token accepted; ${shards} shards recommended, ${formatCount(limit.remaining)} of ${formatCount(limit.total)} identifies left`;
    return limit.remaining < limit.total * identify.reserve
      ? warn(text, 'Wait for the reset, or find what identifies so often')
      : ok(text);
  } catch (error) {
    const reason = retried === '' ? (error as Error).message : retried;
    return fail(`${api}: ${reason}`, 'Check bot.token, discord.api and the network');
  }
}

async function clock({ discord: { api } }: Config): Promise<Omit<Finding, 'check'>> {
  const sentAt = Date.now();
  const response = await fetch(`${api}/v10/gateway`, { signal: AbortSignal.timeout(NETWORK_TIMEOUT_MS) });
  const date = Date.parse(response.headers.get('date') ?? '');
  if (Number.isNaN(date)) return ok('not told');
  // The header has whole seconds.
  const skew = Math.abs(date + 500 - (sentAt + Date.now()) / 2);
  const text = `${(skew / 1_000).toFixed(1)} s from Discord's`;
  return skew > MAX_SKEW_MS ? warn(text, 'Set the clock: rate limits are counted by it') : ok(text);
}
