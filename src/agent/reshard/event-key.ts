import { createHash } from 'node:crypto';

/** They come with a connection, or answer its own questions: another generation's have nothing to do with them. */
const OF_CONNECTION: ReadonlySet<string> = new Set(['READY', 'RESUMED', 'GUILD_MEMBERS_CHUNK', 'RATE_LIMITED']);
/** Their id says all. */
const BY_ID: ReadonlySet<string> = new Set([
  'INTERACTION_CREATE',
  'MESSAGE_CREATE',
  'GUILD_CREATE',
  'GUILD_DELETE',
  'CHANNEL_CREATE',
  'THREAD_CREATE',
]);

/** The same for the same event on any session. null: it has no like on another one. */
export function eventKey(t: string, d: unknown): string | null {
  if (OF_CONNECTION.has(t) || typeof d !== 'object' || d === null) return null;
  if (BY_ID.has(t) && 'id' in d) return `${t}:${String(d.id)}`;
  return `${t}:${createHash('sha1').update(JSON.stringify(d)).digest('base64')}`;
}

/** The guild that an event belongs to; null: none. */
export function guildOf(t: string, d: unknown): string | null {
  if (typeof d !== 'object' || d === null) return null;
  const id = t.startsWith('GUILD_') && !('guild_id' in d) && 'id' in d ? d.id : 'guild_id' in d ? d.guild_id : null;
  return typeof id === 'string' ? id : null;
}

/** Discord's formula. */
export function shardOfGuild(guildId: string, totalShards: number): number {
  return Number((BigInt(guildId) >> 22n) % BigInt(totalShards));
}
