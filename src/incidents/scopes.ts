import type { Scope } from './types';
import type { BotFacts } from './window';

/** The number of a cluster, shard or database shard. */
export function scopeNumber(scope: Scope): number | null {
  const colon = scope.indexOf(':');
  return colon === -1 ? null : Number(scope.slice(colon + 1));
}

export function scopeKind(scope: Scope): string {
  const colon = scope.indexOf(':');
  return colon === -1 ? scope : scope.slice(0, colon);
}

const KIND_NAMES: Readonly<Record<string, string>> = {
  db: 'database shard',
  rest: 'REST',
  postgres: 'Postgres',
  redis: 'Redis',
};

/** `cluster 3`, `database shard 0`, `Redis`. */
export function scopeText(scope: Scope): string {
  const kind = scopeKind(scope);
  const number = scopeNumber(scope);
  const name = KIND_NAMES[kind] ?? kind;
  return number === null ? name : `${name} ${number}`;
}

/** `clusters 0, 1, 2 and 61 more`. */
export function scopesText(scopes: readonly Scope[], most = 5): string {
  const [first] = scopes;
  if (first === undefined) return '';
  if (scopes.length === 1) return scopeText(first);
  const kinds = new Set(scopes.map(scopeKind));
  const shown = scopes.slice(0, most);
  const more = scopes.length - shown.length;
  const end = more > 0 ? ` and ${more} more` : '';
  if (kinds.size > 1 || scopeNumber(first) === null) return shown.map(scopeText).join(', ') + end;
  const name = KIND_NAMES[scopeKind(first)] ?? scopeKind(first);
  return `${name}s ${shown.map((scope) => scopeNumber(scope) ?? '').join(', ')}${end}`;
}

/** What scopes of one kind have in common. */
export function commonScope(scope: Scope): Scope {
  return scopeKind(scope) === 'db' ? 'postgres' : 'bot';
}

/** Does the wide scope include the other one, or is it the same? */
export function contains(wide: Scope, scope: Scope): boolean {
  if (wide === scope) return true;
  const kind = scopeKind(scope);
  if (wide === 'bot') return kind === 'cluster' || kind === 'shard';
  return wide === 'postgres' && kind === 'db';
}

/** Do two scopes touch each other: one in the other, or a shard in its cluster? */
export function touches(one: Scope, other: Scope, bot: BotFacts | null): boolean {
  if (contains(one, other) || contains(other, one)) return true;
  return inCluster(one, other, bot) || inCluster(other, one, bot);
}

function inCluster(cluster: Scope, shard: Scope, bot: BotFacts | null): boolean {
  if (scopeKind(cluster) !== 'cluster' || scopeKind(shard) !== 'shard') return false;
  const id = scopeNumber(shard);
  return bot?.shards.some((one) => one.id === id && one.cluster === scopeNumber(cluster)) ?? false;
}

/** Shard 2 before shard 10. */
export function compareScopes(one: Scope, other: Scope): number {
  return scopeKind(one).localeCompare(scopeKind(other)) || (scopeNumber(one) ?? -1) - (scopeNumber(other) ?? -1);
}
