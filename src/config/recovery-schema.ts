import { z } from 'zod';
import { duration, flag, fraction, integer, oneOf } from './values';

/** What can be set of a strategy that acts. */
const strategy = (what: string) =>
  z
    .strictObject(
      {
        enabled: flag().prefault(true).describe('false: it is only told.'),
        coolDown: duration('1s', '24h')
          .optional()
          .describe('Least time between two times that the same step is taken for the same scope.'),
        maxPerHour: integer(0, 1_000).optional().describe('Actions in an hour, over all scopes.'),
      },
      { error: 'expected a mapping' },
    )
    .prefault({})
    .describe(what);

/** `recovery` of the config. */
export const recovery = z
  .strictObject(
    {
      mode: oneOf(['on', 'dry-run', 'off'])
        .prefault('on')
        .describe('dry-run: what would be done is written on the incidents, and not done. off: nothing, but by hand.'),
      maxPerHour: integer(0, 10_000).prefault(30).describe('Actions in an hour, of all strategies together.'),
      maxShards: fraction(0, 1)
        .prefault(0.25)
        .describe('Share of the shards that may be out of service for it at once. One cluster always may.'),
      outageMode: flag()
        .prefault(true)
        .describe(
          'While many shards see that Discord itself is out, nothing is done that needs it, and connections and identifies are tried one by one.',
        ),
      strategies: z
        .strictObject(
          {
            shardStuck: strategy('Resume the shard, then replace its cluster.'),
            shardDisconnects: strategy('Resume on a new connection, then replace the cluster.'),
            clusterHung: strategy('Replace a process that outlives `sharding.hangTimeout`.'),
            eventLoopLag: strategy('Collect garbage, then replace the cluster.'),
            memoryPressure: strategy('Drop caches, collect garbage, then replace the cluster.'),
            errorRate: strategy('More connections where callers wait for one.'),
            slowResponses: strategy('More connections where callers wait for one.'),
            databaseDown: strategy('Start an embedded server again, then make new connections and replay writes.'),
            poolExhausted: strategy('More connections, within what the servers have.'),
            deferredWritesStuck: strategy('Replay the writes that wait on disk, then make new connections.'),
            redisDown: strategy('Start an embedded server again, then make new connections.'),
            identifyBudgetLow: strategy('Restart nothing that can wait.'),
            rest429Storm: strategy('Slow all REST calls down.'),
            invalidRequests: strategy('Slow all REST calls down.'),
            diskLow: strategy("Delete of botctl's own files what nobody needs."),
          },
          { error: 'expected a mapping' },
        )
        .prefault({})
        .describe('Limits of single strategies. `botctl recover` shows them.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('What botctl does about incidents by itself.');
