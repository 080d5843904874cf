import { z } from 'zod';
import { INCIDENT_TYPES, SEVERITIES } from '../incidents/types';
import { duration, flag, fraction, integer, oneOf, size, text, url } from './values';

const STATS = ['rate', 'increase', 'mean', 'min', 'max', 'p50', 'p90', 'p95', 'p99', 'count', 'latest'] as const;
const severity = () => oneOf(SEVERITIES);
const number = (expected = 'a number') => z.number({ error: `expected ${expected}` });

/** What can be set of every rule, and what more of this one. */
const rule = <T extends z.ZodRawShape>(about: string, defaults: { for: string; clear?: string }, more: T) =>
  z
    .strictObject(
      {
        enabled: flag().prefault(true).describe('false: there are no incidents of this kind.'),
        for: duration('0s', '1d').prefault(defaults.for).describe('It must hold for so long.'),
        clear: duration('0s', '1d')
          .prefault(defaults.clear ?? '2m')
          .describe('It must not hold for so long before it counts as over.'),
        ...more,
      },
      { error: 'expected a mapping' },
    )
    .prefault({} as never) // every key has a default, which a generic type cannot show
    .describe(about);

const window = (value: string) =>
  duration('1m', '12h').prefault(value).describe('How far back is looked. Whole minutes.');
const minCalls = integer(1, 1_000_000).prefault(20).describe('Fewer answers in `window` tell nothing.');

const detect = z
  .strictObject(
    {
      discordOutage: rule('The gateway refuses all shards, or most lose their connection at once.', { for: '0s' }, {}),
      guildDrop: rule(
        'Guilds are unavailable while their shards are connected.',
        { for: '10s' },
        {
          share: fraction(0.001, 1).prefault(0.1).describe('Share of all guilds.'),
          minGuilds: integer(1, 1_000_000).prefault(10).describe('And at least so many.'),
        },
      ),
      clusterFatal: rule('A cause that no restart cures: token, intents, sharding.', { for: '0s', clear: '5s' }, {}),
      clusterCrash: rule('A process died, and none serves in its place yet.', { for: '0s', clear: '1m' }, {}),
      crashLoop: rule(
        'A cluster goes on dying.',
        { for: '0s' },
        {
          deaths: integer(2, 1_000).prefault(3).describe('Deaths in `window`.'),
          window: window('10m'),
        },
      ),
      clusterHung: rule('The event loop of a cluster does not answer.', { for: '0s', clear: '1m' }, {}),
      shardStuck: rule('A shard hears nothing, or does not come back; by `health.shards`.', { for: '0s' }, {}),
      shardDisconnects: rule(
        'Connections break again and again, of one shard or of many.',
        { for: '0s' },
        {
          count: integer(1, 100_000).prefault(3).describe('Disconnects in `window`.'),
          share: fraction(0, 10).prefault(0.05).describe('Of a large bot: and at least so many of each shard.'),
          window: window('5m'),
        },
      ),
      eventLoopLag: rule(
        'The event loop of a cluster comes round late.',
        { for: '30s' },
        { delay: duration('1ms', '1h').prefault('1s').describe('Delay (99th percentile) that is still well.') },
      ),
      memoryPressure: rule(
        'A cluster grows fast, or comes near its limit; or the machine does.',
        { for: '10s' },
        {
          spike: size('1MB', '1TB')
            .prefault('100MB')
            .describe('Growth in `window`; of a large process at least a fifth.'),
          window: window('5m'),
          warmUp: duration('0s', '1d')
            .prefault('10m')
            .describe('Growth does not count while a bot fills its caches: for so long after its start.'),
          nearLimit: fraction(0.1, 1)
            .prefault(0.9)
            .describe("Share of the heap's limit, and of `limit`, that is too much."),
          limit: size('16MB', '10TB').optional().describe('Resident memory that one cluster may have.'),
        },
      ),
      errorRate: rule(
        'Answers to interactions and messages fail, or REST calls do (5xx, no answer).',
        { for: '20s' },
        {
          share: fraction(0.0001, 1).prefault(0.05).describe('Share that is too much.'),
          criticalShare: fraction(0.0001, 1).prefault(0.25).describe('Share that is critical.'),
          minCalls,
          window: window('5m'),
        },
      ),
      slowResponses: rule(
        'Answers to interactions and messages, or REST calls, take too long on the average.',
        { for: '20s' },
        {
          mean: duration('1ms', '10m').prefault('5s').describe('Time that is still well.'),
          minCalls,
          window: window('5m'),
        },
      ),
      databaseDown: rule('A database shard does not answer, or takes no writes.', { for: '0s', clear: '30s' }, {}),
      poolExhausted: rule(
        'Callers wait too long for a connection to a database shard, or it has none left.',
        { for: '10s' },
        { wait: duration('1ms', '10m').prefault('5s').describe('Wait (99th percentile) that is still well.') },
      ),
      deferredWritesStuck: rule(
        'Writes that wait on disk are not done.',
        { for: '0s' },
        { age: duration('1s', '30d').prefault('10m').describe('Age of the oldest that is still well.') },
      ),
      redisDown: rule('Redis does not answer, or takes no writes.', { for: '0s', clear: '30s' }, {}),
      identifyBudgetLow: rule(
        'Few identifies are left for the day.',
        { for: '0s' },
        { share: fraction(0, 1).prefault(0.25).describe('Share of the limit that should be left.') },
      ),
      restGuardDown: rule('The REST guard does not answer.', { for: '20s', clear: '30s' }, {}),
      rest429Storm: rule(
        'Discord answers 429 again and again.',
        { for: '0s' },
        {
          count: integer(1, 1_000_000).prefault(50).describe('Answers with 429 in `window`.'),
          window: window('2m'),
        },
      ),
      invalidRequests: rule(
        "Discord's ban for refused calls (401, 403, 429) is near.",
        { for: '0s' },
        {
          share: fraction(0.01, 1).prefault(0.3).describe('Share of the limit that is used up.'),
          limit: integer(1, 1_000_000)
            .prefault(10_000)
            .describe('The limit in 10 minutes, where there is no REST guard to ask.'),
        },
      ),
      restUnauthorized: rule('Discord refuses the token.', { for: '0s', clear: '30s' }, {}),
      diskLow: rule(
        'There is little room in `stateDir`, or it cannot be written to; by `health.disk`.',
        { for: '0s' },
        {},
      ),
      healthCheck: rule(
        "A check of the bot's own, or of `health.checks`, is unhealthy.",
        { for: '0s', clear: '10s' },
        {},
      ),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe("botctl's own rules.");

const custom = z
  .strictObject(
    {
      name: text('a name of letters, digits and dashes')
        .regex(/^[a-z0-9][a-z0-9-]{0,62}$/i, { error: 'expected a name of letters, digits and dashes' })
        .describe('Name of the rule. Required.'),
      metric: text('the name of a metric')
        .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, { error: 'expected the name of a metric, as in `botctl metrics`' })
        .describe('As in `botctl metrics`; what the bot records begins with bot_. Required.'),
      stat: oneOf(STATS)
        .optional()
        .describe('How the values in `window` become one; `latest`: the value of now. Absent: as in `botctl metrics`.'),
      where: z
        .record(z.string(), z.string({ error: 'expected text' }), { error: 'expected labels and values' })
        .prefault({})
        .describe('Only series with these labels.'),
      per: oneOf(['cluster', 'shard', 'database'])
        .optional()
        .describe('One incident for each that it holds for. Absent: one for the bot.'),
      window: window('5m'),
      above: number().optional().describe('It holds while the value is greater.'),
      below: number().optional().describe('Instead of `above`: while it is less.'),
      clearAt: number()
        .optional()
        .describe('It holds until the value is back here. Absent: a fifth better than the threshold.'),
      for: duration('0s', '1d').prefault('1m').describe('It must hold for so long.'),
      clear: duration('0s', '1d').prefault('2m').describe('It must not hold for so long before it counts as over.'),
      severity: severity().prefault('warning').describe('How severe it is.'),
      strategy: oneOf(INCIDENT_TYPES)
        .optional()
        .describe('Repaired as incidents of this type are. Absent: not at all.'),
      title: text('a short sentence').optional().describe('What it says, instead of the name of the metric.'),
    },
    { error: 'expected a mapping with a name, a metric, and above or below' },
  )
  .describe('A rule of your own: a metric that is above or below a threshold.');

const target = z
  .strictObject(
    {
      name: text('a name of letters, digits and dashes')
        .regex(/^[a-z0-9][a-z0-9-]{0,62}$/i, { error: 'expected a name of letters, digits and dashes' })
        .optional()
        .describe('Absent: the kind, such as discord.'),
      discord: url(['http:', 'https:'], 'https://discord.com/api/webhooks/…')
        .optional()
        .describe('Webhook of a Discord channel.'),
      slack: url(['http:', 'https:'], 'https://hooks.slack.com/services/…')
        .optional()
        .describe('Incoming webhook of Slack.'),
      pagerduty: text('an integration key').optional().describe('Integration key of PagerDuty, Events API v2.'),
      webhook: url(['http:', 'https:'], 'https://alerts.example/botctl')
        .optional()
        .describe('Any HTTP endpoint: JSON by POST.'),
      command: z
        .union([text('a command'), z.array(text('an argument')).min(1, { error: 'expected a program' })], {
          error: 'expected a command line, or a list of a program and its arguments',
        })
        .optional()
        .describe('A program: JSON on its standard input, BOTCTL_* in its environment.'),
      secret: text('a secret of at least 12 characters')
        .min(12, { error: 'expected a secret of at least 12 characters' })
        .optional()
        .describe('With `webhook`: signs the messages (HMAC-SHA256, x-botctl-signature).'),
      url: url(['http:', 'https:'], 'https://events.eu.pagerduty.com/v2/enqueue')
        .optional()
        .describe('With `pagerduty`: another address.'),
      severity: severity().prefault('warning').describe('Less severe ones are not told here.'),
    },
    { error: 'expected a mapping with discord, slack, pagerduty, webhook or command' },
  )
  .describe('Where incidents are told: one of discord, slack, pagerduty, webhook and command.');

/** `incidents` of the config. */
export const incidents = z
  .strictObject(
    {
      enabled: flag().prefault(true).describe('false: nothing is detected, and nobody is told.'),
      interval: duration('100ms', '5m').prefault('10s').describe('How often everything is looked at.'),
      reopen: duration('0s', '7d').prefault('10m').describe('One that comes back so soon is the same incident.'),
      detect,
      rules: z
        .array(custom, { error: 'expected a list of rules' })
        .max(100, { error: 'expected at most 100 rules' })
        .prefault([])
        .describe('Rules of your own.'),
      notify: z
        .array(target, { error: 'expected a list of targets' })
        .max(20, { error: 'expected at most 20 targets' })
        .prefault([])
        .describe('Who is told when one opens, escalates and is resolved. Test it: `botctl incidents test-notify`.'),
      notifyGroup: duration('0s', '10m').prefault('2s').describe('What comes within this time goes into one message.'),
      notifyPerMinute: integer(1, 1_000)
        .prefault(20)
        .describe('Messages to one target in a minute; more are put together.'),
      notifyTimeout: duration('100ms', '2m').prefault('10s').describe('A message that takes longer is tried again.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('What is noticed, and who is told.');
