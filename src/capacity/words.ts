import bytes from 'bytes';
import type { Cost, ResourceReport } from './report';
import type { ResourceUnit } from './resource';

const DAY_MS = 86_400_000;

/** 2,050; 1.4 GB; 3.2 cores. */
export function amount(value: number, unit: ResourceUnit): string {
  switch (unit) {
    case 'bytes':
      return bytes.format(Math.round(value), { unitSeparator: ' ', decimalPlaces: 1 }) ?? '?';
    case 'cores':
      return `${Number(value.toPrecision(2))} cores`;
    case 'count':
      return Math.round(value).toLocaleString('en-US');
  }
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** 2026-12-24, in UTC. */
export function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** `in 12 days`; `today` within a day. */
export function inDays(at: number, now: number): string {
  const days = Math.round((at - now) / DAY_MS);
  return days < 1 ? 'today' : days === 1 ? 'in 1 day' : `in ${days} days`;
}

/** `guilds per shard (shard 17)`, `database size (db:2)`. */
export function nameOf({ title, scope, detail }: Pick<ResourceReport, 'title' | 'scope' | 'detail'>): string {
  const which = detail ?? (scope === 'bot' || scope === 'host' ? null : scope);
  return which === null ? title : `${title} (${which})`;
}

/** `4 more processes, up to 1.2 GB of memory, 48 identifies`; empty when it takes nothing. */
export function costText({ processes = 0, memoryBytes = 0, connections = 0, identifies = 0 }: Cost): string {
  const parts: string[] = [];
  if (processes > 0) parts.push(`${processes} more ${processes === 1 ? 'process' : 'processes'}`);
  if (memoryBytes > 0) parts.push(`up to ${amount(memoryBytes, 'bytes')} of memory`);
  if (connections > 0) parts.push(`${amount(connections, 'count')} more connections`);
  if (identifies > 0) parts.push(`${amount(identifies, 'count')} identifies`);
  return parts.join(', ');
}
