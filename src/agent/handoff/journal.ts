import type { CacheCopy, Payload, RecordSink } from '../snapshot';
import type { DispatchRecord } from './wire';

/** They concern a connection, not the caches. */
const OF_CONNECTION: ReadonlySet<string> = new Set(['READY', 'RESUMED']);
/** They name a guild, but belong to the application. */
const OF_APPLICATION = /^(ENTITLEMENT|SUBSCRIPTION)_/;

/** Puts the events that come during a copy between its records, unless the copy will hold what they change. */
export class Journal {
  constructor(
    private readonly copy: CacheCopy,
    private readonly sink: RecordSink,
  ) {}

  /** An event has come; discord.js has not seen it yet. */
  dispatched(shard: number, t: string, d: unknown): void {
    if (OF_CONNECTION.has(t) || !isPayload(d)) return;
    if (t === 'GUILD_DELETE') {
      if (d['unavailable'] !== true) this.copy.forget(String(d['id']));
    } else if (this.#isStillToCome(t, d)) {
      // Of the guild; but users belong to all guilds, and one of an earlier guild may have been copied.
      for (const id of usersIn(d)) this.copy.touch(id);
      return;
    }
    this.sink.add({ k: 'dispatch', shard, t, d } satisfies DispatchRecord);
  }

  #isStillToCome(t: string, d: Payload): boolean {
    if (OF_APPLICATION.test(t)) return false;
    const guildId = t === 'GUILD_CREATE' || t === 'GUILD_UPDATE' ? d['id'] : d['guild_id'];
    return typeof guildId === 'string' && this.copy.awaits(guildId);
  }
}

function usersIn(d: Payload): string[] {
  const { user, author, member, mentions } = d;
  const found = [user, author, isPayload(member) ? member['user'] : null, ...(Array.isArray(mentions) ? mentions : [])];
  return found.flatMap((one) => (isPayload(one) && typeof one['id'] === 'string' ? [one['id']] : []));
}

function isPayload(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null;
}
