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

/** Ids of all users that a payload tells something of, however deep. */
function* usersIn(value: unknown): Generator<string, void, void> {
  if (!isPayload(value)) return;
  if (typeof value['id'] === 'string' && 'username' in value) yield value['id'];
  for (const key in value) yield* usersIn(value[key]);
}

function isPayload(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null;
}
