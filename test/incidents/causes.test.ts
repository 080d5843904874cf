import { explains, rankOf } from '../../src/incidents/causes';
import { INCIDENT_TYPES, type IncidentType, type Scope } from '../../src/incidents/types';
import { aBot } from './support/scene';

const of = (type: IncidentType, scope: Scope, affected: Scope[] = [scope]) => ({ type, scope, affected });

it('no type explains itself, by whatever way round: causes have a lower rank', () => {
  for (const cause of INCIDENT_TYPES) {
    for (const effect of INCIDENT_TYPES) {
      if (cause === effect || !explains(of(cause, 'bot'), of(effect, 'bot'), aBot())) continue;
      expect([cause, effect, rankOf(cause) < rankOf(effect)]).toEqual([cause, effect, true]);
    }
  }
});

it.each([
  ['a dead database explains the error rate', of('database-down', 'db:0'), of('error-rate', 'bot'), true],
  ['and its own pool', of('database-down', 'db:0'), of('pool-exhausted', 'db:0'), true],
  ['but not the pool of another one', of('database-down', 'db:0'), of('pool-exhausted', 'db:1'), false],
  [
    'all of Postgres explains each pool',
    of('database-down', 'postgres', ['postgres']),
    of('pool-exhausted', 'db:1'),
    true,
  ],
  ['nor does the error rate explain the database', of('error-rate', 'bot'), of('database-down', 'db:0'), false],
  ['a hung cluster explains its shards', of('cluster-hung', 'cluster:2'), of('shard-stuck', 'shard:8'), true],
  ['but no shard elsewhere', of('cluster-hung', 'cluster:2'), of('shard-stuck', 'shard:7'), false],
  ['a full disk explains a failed backup', of('disk-low', 'host'), of('backup-failed', 'postgres'), true],
  ['an outage explains shards that are away', of('discord-outage', 'bot'), of('shard-stuck', 'shard:3'), true],
  ['an outage explains no crash', of('discord-outage', 'bot'), of('cluster-crash', 'cluster:0'), false],
])('%s', (_, cause, effect, expected) => {
  expect(explains(cause, effect, aBot())).toBe(expected);
});
