import { touches } from './scopes';
import type { Incident, IncidentType, Scope } from './types';
import type { BotFacts } from './window';

/** How a cause must be related to what it explains: anywhere, or the scopes must touch each other. */
type Reach = 'anywhere' | 'touching';

/**
 * What follows from what. Whoever is told of the cause need not be told of what follows: it is kept, but silent. No type
 * may explain itself by any way round.
 */
const EXPLAINS: Partial<Record<IncidentType, Partial<Record<IncidentType, Reach>>>> = {
  'cluster-fatal': {
    'discord-outage': 'anywhere',
    'guild-drop': 'anywhere',
    'crash-loop': 'anywhere',
    'cluster-crash': 'anywhere',
    'cluster-hung': 'anywhere',
    'shard-stuck': 'anywhere',
    'shard-disconnects': 'anywhere',
    'error-rate': 'anywhere',
    'slow-responses': 'anywhere',
    'rest-unauthorized': 'anywhere',
  },
  'rest-unauthorized': { 'error-rate': 'anywhere', 'slow-responses': 'anywhere', 'invalid-requests': 'anywhere' },
  'discord-outage': {
    'guild-drop': 'anywhere',
    'shard-stuck': 'anywhere',
    'shard-disconnects': 'anywhere',
    'error-rate': 'anywhere',
    'slow-responses': 'anywhere',
    'identify-budget-low': 'anywhere',
  },
  'disk-low': {
    'database-down': 'anywhere',
    'redis-down': 'anywhere',
    'deferred-writes-stuck': 'anywhere',
    'backup-failed': 'anywhere',
    'maintenance-failed': 'anywhere',
  },
  'memory-pressure': {
    'crash-loop': 'touching',
    'cluster-crash': 'touching',
    'cluster-hung': 'touching',
    'event-loop-lag': 'touching',
    'shard-stuck': 'touching',
    'shard-disconnects': 'touching',
    'slow-responses': 'touching',
    'error-rate': 'touching',
  },
  'crash-loop': clusterEffects(),
  'cluster-hung': { ...clusterEffects(), 'cluster-crash': 'touching', 'event-loop-lag': 'touching' },
  'cluster-crash': clusterEffects(),
  'event-loop-lag': {
    'shard-stuck': 'touching',
    'shard-disconnects': 'touching',
    'slow-responses': 'touching',
    'error-rate': 'touching',
  },
  'database-down': {
    'pool-exhausted': 'touching',
    'deferred-writes-stuck': 'anywhere',
    'error-rate': 'anywhere',
    'slow-responses': 'anywhere',
    'backup-failed': 'anywhere',
    'maintenance-failed': 'anywhere',
  },
  'redis-down': { 'pool-exhausted': 'anywhere', 'error-rate': 'anywhere', 'slow-responses': 'anywhere' },
  'pool-exhausted': { 'error-rate': 'anywhere', 'slow-responses': 'anywhere' },
  'rest-429-storm': { 'invalid-requests': 'anywhere', 'error-rate': 'anywhere', 'slow-responses': 'anywhere' },
  'invalid-requests': { 'error-rate': 'anywhere', 'slow-responses': 'anywhere' },
  'error-rate': { 'slow-responses': 'anywhere' },
};

function clusterEffects(): Partial<Record<IncidentType, Reach>> {
  return {
    'guild-drop': 'anywhere',
    'shard-stuck': 'touching',
    'shard-disconnects': 'touching',
    'error-rate': 'touching',
    'slow-responses': 'touching',
  };
}

type Concern = Pick<Incident, 'type' | 'scope' | 'affected'>;

/** Does one incident explain the other? Pure. */
export function explains(cause: Concern, effect: Concern, bot: BotFacts | null): boolean {
  // What fails at Discord's REST API itself is why the bot's answers fail.
  if (cause.type === effect.type) return isAboutAnswers(cause) && cause.scope === 'rest' && effect.scope !== 'rest';
  const reach = EXPLAINS[cause.type]?.[effect.type];
  if (reach === undefined) return false;
  return reach === 'anywhere' || anyTouch(cause, effect, bot);
}

function isAboutAnswers({ type }: Concern): boolean {
  return type === 'error-rate' || type === 'slow-responses';
}

function anyTouch(cause: Concern, effect: Concern, bot: BotFacts | null): boolean {
  const reach = (one: readonly Scope[], other: readonly Scope[]): boolean =>
    one.some((a) => other.some((b) => touches(a, b, bot)));
  return reach(cause.affected, effect.affected);
}

/** How far a type stands from the first causes: causes have a lower rank than what they explain. */
export function rankOf(type: IncidentType): number {
  return RANKS.get(type) ?? 0;
}

const RANKS = ranks();

function ranks(): Map<IncidentType, number> {
  const found = new Map<IncidentType, number>();
  const visit = (type: IncidentType, rank: number, path: readonly IncidentType[]): void => {
    if (path.includes(type)) throw new Error(`${[...path, type].join(' explains ')}: it would explain itself`);
    if ((found.get(type) ?? -1) >= rank) return;
    found.set(type, rank);
    for (const effect of Object.keys(EXPLAINS[type] ?? {})) visit(effect as IncidentType, rank + 1, [...path, type]);
  };
  for (const type of Object.keys(EXPLAINS)) visit(type as IncidentType, 0, []);
  return found;
}
