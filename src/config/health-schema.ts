import { z } from 'zod';
import { duration, flag, fraction, integer, size, text, url } from './values';

const checkLimits = {
  timeout: duration('10ms', '10m').optional().describe('Instead of `health.timeout`.'),
  failures: integer(1, 1_000).optional().describe('Instead of `health.failures`.'),
  successes: integer(1, 1_000).optional().describe('Instead of `health.successes`.'),
};

/** What can be set for every check of botctl's own, and what more for this one. */
const check = <T extends z.ZodRawShape>(more: T) =>
  z.strictObject(
    { enabled: flag().prefault(true).describe('false: this is not looked at.'), ...checkLimits, ...more },
    { error: 'expected a mapping' },
  );

const customCheck = z
  .strictObject(
    {
      name: text('a name of letters, digits and dashes')
        .regex(/^[a-z0-9][a-z0-9-]{0,62}$/i, { error: 'expected a name of letters, digits and dashes' })
        .describe('Name of the check. Required.'),
      http: url(['http:', 'https:'], 'https://service.example/health')
        .optional()
        .describe('Address to GET; well is a status of 200 to 299.'),
      status: integer(100, 599).optional().describe('With `http`: the status that is expected instead.'),
      tcp: text('host:port')
        .regex(/^(\[[0-9a-f:]+\]|[^:\s]+):\d{1,5}$/i, { error: 'expected host:port' })
        .optional()
        .describe('Instead of `http`: address that must take a connection, as host:port.'),
      command: z
        .union([text('a command'), z.array(text('an argument')).min(1, { error: 'expected a program' })], {
          error: 'expected a command line, or a list of a program and its arguments',
        })
        .optional()
        .describe(
          'Instead of `http`: command line for /bin/sh, or a list of a program and its arguments; well is exit code 0.',
        ),
      ...checkLimits,
    },
    { error: 'expected a mapping with a name, and http, tcp or command' },
  )
  .describe('A check of your own: a name, and `http`, `tcp` or `command`.');

/** `health` of the config. */
export const health = z
  .strictObject(
    {
      interval: duration('100ms', '1h').prefault('30s').describe('How often everything is looked at, side by side.'),
      timeout: duration('10ms', '10m')
        .optional()
        .describe('A look that takes longer is a failure. Absent: 10s, or half of `interval` where that is shorter.'),
      failures: integer(1, 1_000).prefault(3).describe('Failures in a row that make unhealthy.'),
      successes: integer(1, 1_000).prefault(2).describe('Successes in a row that make healthy again.'),
      discord: check({}).prefault({}).describe('Heartbeats of the shards, and the gateway.'),
      shards: check({
        ackIntervals: fraction(1, 100)
          .prefault(2)
          .describe('A heartbeat that is not acknowledged for so many heartbeat intervals is lost.'),
        missingEvents: fraction(10, 1_000_000)
          .prefault(100)
          .describe('So many events of its usual rate, and a minute of them, may be missing before a shard is deaf.'),
        reconnectTime: duration('0s', '1h').prefault('60s').describe('A shard may take so long to connect again.'),
      })
        .prefault({})
        .describe('Each shard: its heartbeats, and its events against its own usual rate.'),
      postgres: check({}).prefault({}).describe('Each database shard: a new connection, a statement.'),
      redis: check({}).prefault({}).describe('Redis: a new connection, a PING.'),
      memory: check({
        maxShare: fraction(0.01, 1).prefault(0.92).describe('Share of a limit, or of the heap, that is still well.'),
        clusterLimit: size('16MB', '10TB')
          .optional()
          .describe('What one cluster may have. Absent: as much as the machine, or the control group, has.'),
      })
        .prefault({})
        .describe('Memory of the machine (or the control group), and of each cluster.'),
      eventLoop: check({
        maxDelay: duration('1ms', '1h').prefault('1s').describe('Delay (99th percentile) that is still well.'),
      })
        .prefault({})
        .describe('The event loop of each cluster.'),
      disk: check({
        minFree: size('1MB', '10TB')
          .prefault('1GB')
          .describe('Space that must be left; on a disk of less than ten times that, a tenth of it.'),
      })
        .prefault({})
        .describe('The disk under `stateDir`.'),
      identifyBudget: check({
        minShare: fraction(0, 0.9).prefault(0).describe('Share that should be left. `identify.reserve` holds anyway.'),
      })
        .prefault({})
        .describe('The identifies of the day.'),
      checks: z
        .array(customCheck, { error: 'expected a list of checks' })
        .max(100, { error: 'expected at most 100 checks' })
        .prefault([])
        .describe("Checks of your own; the bot's code adds more with `health.register`."),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('What is looked at to tell whether the bot is well.');
