import { z } from 'zod';
import { capacity } from './capacity-schema';
import { health } from './health-schema';
import { recovery } from './recovery-schema';
import { incidents } from './incidents-schema';
import { backup, maintenance } from './maintenance-schema';
import { duration, flag, fraction, integer, oneOf, size, text, url } from './values';

/** Discord's own REST base URL. */
export const DISCORD_API = 'https://discord.com/api';
/** Largest number of shards that is taken for meant. */
export const MAX_SHARDS = 100_000;

const TOTAL_SHARDS = { error: `expected auto, or a whole number from 1 to ${MAX_SHARDS}` };
const SHARD = { error: 'expected a shard number or a range such as 0-7' };

const CANARY = { error: 'expected smallest, largest or the number of a cluster' };

const texts = (what: string) => z.array(text(), { error: `expected a list of ${what}` });

const bot = z
  .strictObject(
    {
      name: text().prefault('bot').describe('Name of the bot in logs and `status`.'),
      entry: text('the path of a file')
        .optional()
        .describe(
          'The file that logs in: JavaScript or TypeScript. Absent: `main` of package.json, else bot.js, index.js and the like.',
        ),
      token: text('a bot token')
        .optional()
        .describe('The bot token. Absent: `${DISCORD_TOKEN}` (or the file DISCORD_TOKEN_FILE).'),
      args: texts('arguments').prefault([]).describe('Arguments of the bot.'),
      nodeArgs: texts('Node options')
        .prefault([])
        .describe('Options of Node itself, such as `--max-old-space-size=2048`.'),
      env: z
        .record(
          z.string(),
          z.union([z.string(), z.number(), z.boolean()], { error: 'expected text, a number, true or false' }),
          {
            error: 'expected names and values',
          },
        )
        .prefault({})
        .describe('Environment variables of the bot. They do not show in the process list.'),
      cwd: text('the path of a folder')
        .optional()
        .describe('Working folder of the bot. Absent: the folder of the config file.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('The bot that is supervised.');

const discord = z
  .strictObject(
    {
      api: url(['http:', 'https:'], DISCORD_API)
        .prefault(DISCORD_API)
        .describe(
          'REST base URL for supervisor and bots: a shared REST proxy, the sandbox, any compatible server. BOTCTL_DISCORD_API overrides it.',
        ),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('How Discord is reached.');

const restart = z
  .strictObject(
    {
      backoffMin: duration('10ms', '1h')
        .prefault('1s')
        .describe(
          'Delay before a restart of a dead cluster; doubles with each further death. The first restart of one that had served is at once.',
        ),
      backoffMax: duration('10ms', '1h').prefault('60s').describe('Longest delay between two restarts.'),
      jitter: fraction(0, 1)
        .prefault(0.2)
        .describe('Random share of each delay, so that clusters do not start in step.'),
      maxRestarts: integer(0, 1_000).prefault(5).describe('More deaths than this within `window` are a crash loop.'),
      window: duration('1s', '24h')
        .prefault('5m')
        .describe(
          'Time over which deaths are counted. 5m: the delays between six deaths (31 s in all by default) and slow starts still fit in.',
        ),
      crashLoopRetry: duration('1s', '24h')
        .prefault('5m')
        .describe('How often a cluster in a crash loop is tried again.'),
      stableAfter: duration('1s', '24h')
        .prefault('60s')
        .describe('A cluster that was ready for so long starts again from `backoffMin`.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('What happens when a cluster dies.');

const handoff = z
  .strictObject(
    {
      enabled: flag()
        .prefault(true)
        .describe(
          'A process is replaced while it serves: its successor boots beside it and takes sessions and caches over. false: it is stopped first, for a bot of which two processes cannot live side by side (a fixed port, a lock).',
        ),
      messages: integer(0, 1_000)
        .prefault(0)
        .describe(
          'Cached messages of each channel that go over, the newest. They are most of the work where there are many.',
        ),
      drainTimeout: duration('0s', '10m')
        .prefault('10s')
        .describe('How long handlers and REST calls of the old process may run on.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('How a running process is replaced by a fresh one.');

const checkpoint = z
  .strictObject(
    {
      enabled: flag()
        .prefault(true)
        .describe(
          'Each cluster keeps on disk what its next process needs to resume if this one is killed. false: it identifies then.',
        ),
      interval: duration('1s', '24h')
        .prefault('10m')
        .describe('How often the caches are copied anew; in between, events that change them are noted.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('Sessions that outlive a kill, a crash or a reboot.');

const sharding = z
  .strictObject(
    {
      totalShards: z
        .union([z.literal('auto'), z.int().min(1, TOTAL_SHARDS).max(MAX_SHARDS, TOTAL_SHARDS)], TOTAL_SHARDS)
        .prefault('auto')
        .describe('Number of shards of the whole bot. `auto`: what Discord recommends.'),
      shards: z
        .array(z.union([z.int().min(0, SHARD), z.string().regex(/^\d+(-\d+)?$/, SHARD)], SHARD), {
          error: 'expected a list of shard numbers and ranges',
        })
        .min(1, { error: 'expected at least one shard' })
        .optional()
        .describe('Which shards this host runs, as numbers and ranges. Absent: all.'),
      shardsPerCluster: integer(1, 1_000).prefault(8).describe('Shards in one process.'),
      spawnTimeout: duration('1s', '1h')
        .prefault('60s')
        .describe(
          'A cluster that makes no progress towards ready for so long is started anew. Waiting for identify permits does not count.',
        ),
      hangTimeout: duration('1s', '1h')
        .prefault('30s')
        .describe('A cluster whose event loop is silent for so long is killed.'),
      stopTimeout: duration('1s', '1h').prefault('30s').describe('Deadline of a graceful stop.'),
      graceTime: duration('0s', '1h')
        .prefault('60s')
        .describe(
          'How long clusters serve on without a supervisor, for the next one to take them over. 0s: they end at once.',
        ),
      broadcastTimeout: duration('100ms', '10m')
        .prefault('10s')
        .describe(
          'A cluster that does not answer broadcastEval or fetchClientValues in this time is named in the error.',
        ),
      restart,
      handoff,
      checkpoint,
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('Shards and the processes that hold them.');

const rest = z
  .strictObject(
    {
      guard: flag()
        .prefault(true)
        .describe(
          'One limiter for the REST calls of all clusters. false: every cluster counts for itself, as discord.js does.',
        ),
      globalPerSecond: integer(1, 100_000)
        .prefault(50)
        .describe('Requests per second that Discord allows to the bot. Interactions do not count.'),
      maxQueue: integer(1, 1_000_000)
        .prefault(10_000)
        .describe('Requests that wait at most; more are answered 429, which makes the bot try them later.'),
      maxWait: duration('1s', '10m')
        .prefault('60s')
        .describe("Longest wait of one request before it is answered 429. The bot's own time-outs begin after it."),
      invalidRequests: integer(100, 1_000_000)
        .prefault(10_000)
        .describe('Refused requests (401, 403, 429) in 10 minutes at which Discord bans the address.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('REST calls of the bot to Discord.');

const identify = z
  .strictObject(
    {
      reserve: fraction(0, 0.9)
        .prefault(0.1)
        .describe('Share of the daily identifies that is kept for `botctl restart`.'),
      interval: duration('10ms', '1m')
        .prefault('5s')
        .describe('Least time between two identifies of one bucket. Discord asks for 5 s; less is for the sandbox.'),
      margin: duration('0ms', '10s')
        .prefault('50ms')
        .describe('Added to the interval; the way to Discord is counted in already.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('The identify queue.');

const gateway = z
  .strictObject(
    {
      backoffMin: duration('10ms', '10m')
        .prefault('1s')
        .describe('First delay of all shards together when the gateway refuses connections.'),
      backoffMax: duration('10ms', '1h').prefault('60s').describe('Longest such delay.'),
      failureThreshold: integer(1, 1_000)
        .prefault(5)
        .describe('Failed connections in a row, over all shards, that make everybody wait.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('Connections to the gateway.');

const port = (what: string) =>
  integer(0, 65_535).prefault(0).describe(`Port of ${what}. 0: any free one, the same in later runs.`);

const file = (what: string) => text('the path of a file').optional().describe(what);

const tls = z
  .strictObject(
    {
      ca: file('Certificate authority, PEM.'),
      cert: file("botctl's own certificate, PEM."),
      key: file('Its private key, PEM.'),
      rejectUnauthorized: flag().prefault(true).describe('false: any certificate will do. Encrypted, but not safe.'),
    },
    { error: 'expected a mapping' },
  )
  .optional()
  .describe('Encrypted connections. Absent: as the URL says.');

const pool = z
  .strictObject(
    {
      min: integer(0, 100_000)
        .prefault(10)
        .describe('Connections kept open by all processes together, to all database shards together.'),
      max: integer(1, 100_000)
        .prefault(100)
        .describe(
          'Connections that all processes together may open, to all database shards together. It is divided over them; with the embedded server it grows as needed.',
        ),
      acquireTimeout: duration('10ms', '10m').prefault('30s').describe('Longest wait for a connection.'),
      idleTimeout: duration('1s', '24h')
        .prefault('10m')
        .describe('An idle connection above `min` is closed after so long.'),
      maxLifetime: duration('10s', '7d').prefault('1h').describe('A connection is replaced after so long.'),
      statementTimeout: duration('0s', '24h')
        .prefault('30s')
        .describe('A statement that takes longer is cancelled. 0s: none is.'),
      idleInTransactionTimeout: duration('1s', '24h')
        .prefault('60s')
        .describe('A transaction in which nothing happens for so long is rolled back.'),
      preparedStatements: flag().prefault(true).describe('false: nothing is prepared under a name, for old poolers.'),
      pgbouncer: flag()
        .prefault(false)
        .describe('true: PgBouncer in transaction mode is between; time-outs are then those of the role.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('Connections of the bot to Postgres.');

const defer = z
  .strictObject(
    {
      maxEntries: integer(1, 100_000_000).prefault(100_000).describe('Writes that one process keeps at most.'),
      maxBytes: size('1MB', '1TB').prefault('64MB').describe('Bytes that they take at most.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('Writes that wait on disk while their database shard is down (`db.defer`).');

const postgres = z
  .strictObject(
    {
      shards: z
        .array(url(['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/database'), {
          error: 'expected a list of postgres:// URLs',
        })
        .min(1, { error: 'expected at least one postgres:// URL' })
        .optional()
        .describe('One database per shard of the data. Absent: an embedded server.'),
      embedded: z
        .strictObject(
          {
            enabled: flag().prefault(true).describe('false: no database at all when `shards` is absent.'),
            shards: integer(1, 64).prefault(4).describe('Databases of the embedded server.'),
            port: port('the embedded server'),
          },
          { error: 'expected a mapping' },
        )
        .prefault({})
        .describe('The server that botctl runs itself.'),
      tables: z
        .record(z.string(), text('the name of a column'), {
          error: 'expected names of tables with their guild-id column',
        })
        .prefault({})
        .describe('Tables whose rows belong to a guild, each with the column of its id: they move with the guild.'),
      migrations: text('the path of a folder')
        .optional()
        .describe(
          'Folder of .sql files that are applied to every database shard at the start, in the order of their names.',
        ),
      tls,
      pool,
      defer,
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('The Postgres tier.');

const hosts = (what: string) =>
  z
    .array(text('host:port').regex(/^[^:\s]+:\d+$/, { error: 'expected host:port' }), {
      error: `expected a list of ${what}`,
    })
    .min(1, { error: `expected at least one of the ${what}` });

const redis = z
  .strictObject(
    {
      url: url(['redis:', 'rediss:'], 'redis://:password@host:6379/0')
        .optional()
        .describe('Address of Redis. Absent: an embedded one if there is a redis-server.'),
      sentinel: z
        .strictObject(
          {
            name: text('the name of a master').describe('Name of the master group.'),
            hosts: hosts('sentinels').describe('Sentinels, as host:port.'),
            password: text('a password').optional().describe('Password of the sentinels.'),
          },
          { error: 'expected a mapping' },
        )
        .optional()
        .describe('Instead of `url`: a master found by Redis Sentinel.'),
      cluster: hosts('nodes').optional().describe('Instead of `url`: nodes of a Redis Cluster, as host:port.'),
      username: text('a user name').optional().describe('For `sentinel` and `cluster`.'),
      password: text('a password').optional().describe('For `sentinel` and `cluster`.'),
      tls,
      embedded: z
        .strictObject(
          {
            enabled: flag().prefault(true).describe('false: no Redis when `url` is absent.'),
            port: port('the embedded server'),
          },
          { error: 'expected a mapping' },
        )
        .prefault({})
        .describe('The server that botctl runs itself.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('The Redis tier.');

const cache = z
  .strictObject(
    {
      maxEntries: integer(1, 100_000_000).prefault(50_000).describe('Entries in the memory of one process, at most.'),
      maxBytes: size('1MB', '1TB').prefault('64MB').describe('Bytes that they take at most, estimated.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('The cache of the SDK.');

const metrics = z
  .strictObject(
    {
      interval: duration('100ms', '15s')
        .prefault('5s')
        .describe('How often each cluster reports. What it counted since is lost when it is killed.'),
      memory: size('16MB', '4GB')
        .prefault('200MB')
        .describe('Memory for the last 24 hours. When it does not suffice, the oldest hours go first.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('What is measured, for `botctl metrics` and Prometheus (`/metrics` of the status page).');

const TOKEN = 'a token of at least 12 characters, without spaces';

const http = z
  .strictObject(
    {
      enabled: flag().prefault(true).describe('false: no status page.'),
      host: text('an address of this machine')
        .prefault('127.0.0.1')
        .describe('Address to listen on. Loopback unless you say otherwise; then set `token`, too.'),
      port: integer(0, 65_535).prefault(9_090).describe('Port to listen on. 0: any free one.'),
      token: text(TOKEN)
        .min(12, { error: `expected ${TOKEN}` })
        .regex(/^[\x21-\x7e]*$/, { error: `expected ${TOKEN}` })
        .optional()
        .describe(
          'Asked for by everything but the bare answers of /healthz and /readyz: as `Authorization: Bearer`, or as the password that a browser asks its user for. Absent: nobody is asked.',
        ),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('Dashboard, /metrics, /healthz, /readyz.');

const deploy = z
  .strictObject(
    {
      root: text('the path of a folder')
        .optional()
        .describe(
          'Folder that holds all of the code; a release is a copy of it. Absent: the nearest folder above `bot.entry` with a package.json, else that of the config file.',
        ),
      build: text('a command')
        .optional()
        .describe('Command that builds a release, run in its copy: `npm ci && npm run build`.'),
      keep: integer(1, 1_000).prefault(5).describe('Releases that are kept, beside those in use.'),
      shared: texts('paths')
        .prefault(['.env'])
        .describe(
          'Files and folders, relative to `root`, that are not copied: all releases have a link to them. Name what the bot writes beside its code.',
        ),
      canary: z
        .union([z.enum(['smallest', 'largest']), z.int().min(0, CANARY)], CANARY)
        .prefault('smallest')
        .describe('Cluster that gets a new release first: the one with the fewest guilds, with the most, or a number.'),
      batch: integer(1, 1_000)
        .prefault(2)
        .describe(
          'Clusters between two pauses, after the canary. At the same time: as many as half of the processors.',
        ),
      pause: duration('0s', '24h')
        .prefault('30s')
        .describe('Between two batches; the new clusters are watched meanwhile.'),
      stability: duration('0s', '24h')
        .prefault('60s')
        .describe('How long the canary, and at the end all clusters, are watched beside the old release.'),
      bootTimeout: duration('1s', '1h')
        .prefault('60s')
        .describe('In the pre-flight check a new release must have called `login()` by then.'),
      readyTimeout: duration('1s', '1h').prefault('2m').describe('A cluster must be ready on the new release by then.'),
      rollback: flag()
        .prefault(true)
        .describe('Bring clusters back when the new release is worse. false: halt and leave them for an operator.'),
      limits: z
        .strictObject(
          {
            errorRate: fraction(0, 1)
              .prefault(0.05)
              .describe('By so much, as a share of 1, may the error rate lie above that of the old release.'),
            latency: duration('0ms', '10m')
              .prefault('500ms')
              .describe('By so much may the response time (p95) lie above it.'),
            memory: size('1MB', '1TB')
              .prefault('100MB')
              .describe('By so much may a cluster grow more while it is watched.'),
          },
          { error: 'expected a mapping' },
        )
        .prefault({})
        .describe('What makes a new release worse than the old one.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('Releases and how clusters move from one to the next (`botctl deploy`).');

const sandbox = z
  .strictObject(
    {
      enabled: flag().prefault(false).describe('true: run against the sandbox, as with `botctl start --sandbox`.'),
      guilds: integer(0, 1_000_000).prefault(1_000).describe('Guilds of the sandbox.'),
      shards: integer(1, 10_000).prefault(16).describe('Shards that the sandbox recommends.'),
      maxConcurrency: integer(1, 1_000).prefault(16).describe('Identify buckets.'),
      identifyInterval: duration('0ms', '1m')
        .prefault('5s')
        .describe('Time between two identifies of one bucket that the sandbox demands.'),
      rate: fraction(0, 100_000).prefault(20).describe('Events per second that the bot should answer.'),
      port: integer(0, 65_535).prefault(0).describe('Port of the sandbox. 0: any free one.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('The Discord on loopback of `botctl start --sandbox`.');

const logging = z
  .strictObject(
    {
      level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .prefault('info')
        .describe('Least level that is logged.'),
      format: oneOf(['auto', 'json', 'pretty'])
        .prefault('auto')
        .describe('Of the output; `auto`: pretty on a terminal, JSON in a pipe. Files are always JSON.'),
      maxBytes: size('1MB', '1TB').prefault('64MB').describe('All log files together never take more than this.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('Logs: to the output and to rotating files in `stateDir`.');

export const schema = z.strictObject(
  {
    bot,
    discord,
    sharding,
    identify,
    gateway,
    rest,
    postgres,
    redis,
    cache,
    http,
    health,
    recovery,
    incidents,
    metrics,
    deploy,
    capacity,
    maintenance,
    backup,
    sandbox,
    stateDir: text('the path of a folder')
      .prefault('.botctl')
      .describe(
        'Folder for everything that botctl keeps: sessions, ledger, logs, embedded data. Private to its owner.',
      ),
    logging,
  },
  { error: 'expected a mapping' },
);

export type Input = z.input<typeof schema>;
export type Parsed = z.output<typeof schema>;

/** The config as the rest of botctl sees it: defaults applied, durations in ms, sizes in bytes, paths absolute. */
export interface Config extends Omit<Parsed, 'bot' | 'sharding' | 'deploy'> {
  bot: Omit<Parsed['bot'], 'entry' | 'token' | 'cwd' | 'env'> & {
    entry: string;
    token: string;
    cwd: string;
    env: Record<string, string>;
  };
  sharding: Omit<Parsed['sharding'], 'shards'> & { shards?: number[] };
  deploy: Omit<Parsed['deploy'], 'root'> & { root: string };
}
