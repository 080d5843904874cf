import type { AnyThreadChannel, Channel, Client, Guild } from 'discord.js';
import { encodeApplication, encodeClientUser } from './encode/application';
import { encodeDm, encodeGroupDm, encodeThreadMember } from './encode/channels';
import { encodeGuild, wasLoaded } from './encode/guilds';
import { encodeMember, encodePresence } from './encode/members';
import { encodeMessage } from './encode/messages';
import { encodeAutoModerationRule, encodeBan, encodeEntitlement, encodeInvite } from './encode/moderation';
import { UserEncoder } from './encode/users';
import { SnapshotError } from './errors';
import { CHUNK, FORMAT_VERSION } from './format';
import type { HeaderRecord, Payload, SnapshotMeta, SnapshotRecord } from './format';
import { RecordWriter } from './record-file';
import { Slices } from './slices';

export interface SnapshotOptions {
  /** Most recent cached messages kept of each channel. Default 0. */
  messagesPerChannel?: number;
}

/** Takes records in the order in which they have to be applied. */
export interface RecordSink {
  /** When it returns true, `flush` should be awaited before the next. */
  add(record: object): boolean;
  flush(): Promise<void>;
}

/**
 * Writes the caches of a client to a file, in time slices of a few milliseconds: the client may go on serving, and
 * what it changes meanwhile is in the file or not. The file (0600) appears under its name only when it is whole.
 * @throws {SnapshotError} when the client has never been ready
 * @throws the error of the file system when the file cannot be written
 */
export async function writeSnapshot(
  client: Client,
  file: string,
  meta: SnapshotMeta,
  options: SnapshotOptions = {},
): Promise<{ bytes: number; guilds: number }> {
  const header = snapshotHeader(client, meta);
  const records = await RecordWriter.create(file);
  try {
    const copy = new CacheCopy(client, header, records, options);
    await copy.run();
    return { bytes: await records.commit(), guilds: copy.guilds };
  } catch (error) {
    await records.discard();
    throw error;
  }
}

/** @throws {SnapshotError} when the client has never been ready */
export function snapshotHeader(client: Client, meta: SnapshotMeta): HeaderRecord {
  const { user, application } = client;
  if (!user || !application) throw new SnapshotError('the client has not been ready yet: there is nothing to save');
  const shards = guildsByShard(client, meta);
  return {
    k: 'header',
    format: 'botctl-snapshot',
    version: FORMAT_VERSION,
    meta: { totalShards: meta.totalShards, shardIds: [...meta.shardIds], discordJs: meta.discordJs },
    createdAt: Date.now(),
    intents: client.options.intents.bitfield,
    user: encodeClientUser(user),
    application: encodeApplication(application),
    presence: encodePresence(user.presence),
    shards: Array.from(shards, ([id, guilds]) => ({
      id,
      guilds: guilds.map((guild) => guild.id),
      unavailable: guilds.filter((guild) => !guild.available).map((guild) => guild.id),
    })),
  };
}

function guildsByShard(client: Client, { totalShards, shardIds }: SnapshotMeta): Map<number, Guild[]> {
  const shards = new Map(shardIds.map((id) => [id, [] as Guild[]]));
  for (const guild of client.guilds.cache.values()) shards.get(shardOf(guild, totalShards))?.push(guild);
  return shards;
}

/** Guilds that came by REST do not know their shard. */
function shardOf(guild: Guild, totalShards: number): number {
  const known = guild.shardId as number | undefined;
  return known ?? Number((BigInt(guild.id) >> 22n) % BigInt(totalShards));
}

function isLimited(cache: object): boolean {
  return 'maxSize' in cache && Number.isFinite(cache.maxSize);
}

/**
 * One run over the caches of a client, or over those of some of its shards, in time slices. The client may go on serving meanwhile; `awaits` tells which guilds
 * are still to come, so that a journal kept beside it knows what the copy will hold anyway.
 */
export class CacheCopy {
  guilds = 0;
  readonly #users: UserEncoder;
  readonly #slices = new Slices();
  readonly #queue: { guild: Guild; shardId: number }[];
  readonly #awaited: Set<string>;
  readonly #messagesPerChannel: number;
  readonly #shardIds: ReadonlySet<number>;
  readonly #totalShards: number;

  /** Takes note of the guilds and writes the header at once, in this turn of the event loop. */
  constructor(
    private readonly client: Client,
    header: HeaderRecord,
    private readonly records: RecordSink,
    { messagesPerChannel = 0 }: SnapshotOptions,
  ) {
    this.#users = new UserEncoder(client.users.cache);
    this.#messagesPerChannel = messagesPerChannel;
    this.#shardIds = new Set(header.meta.shardIds);
    this.#totalShards = header.meta.totalShards;
    this.#queue = Array.from(guildsByShard(client, header.meta)).flatMap(([shardId, guilds]) => {
      return guilds.map((guild) => ({ guild, shardId }));
    });
    this.#awaited = new Set(this.#queue.map(({ guild }) => guild.id));
    records.add(header);
  }

  /** True while a guild is still to be copied. */
  awaits(guildId: string): boolean {
    return this.#awaited.has(guildId);
  }

  /** The guild is gone: it will not be copied, also not when it comes back. */
  forget(guildId: string): void {
    this.#awaited.delete(guildId);
  }

  /** A user has changed since it was written: it is written once more. */
  touch(userId: string): void {
    this.#users.touch(userId);
  }

  async run(): Promise<void> {
    for (const { guild, shardId } of this.#queue) {
      if (!this.#awaited.delete(guild.id)) continue;
      await this.#writeGuild(guild, shardId);
    }
    await this.#writeRest();
  }

  async #writeGuild(guild: Guild, shardId: number): Promise<void> {
    // The bot may have left it, and even be back in it, since the copy began.
    if (this.client.guilds.cache.get(guild.id) !== guild || !wasLoaded(guild)) return;
    const users = this.#users;
    const d = encodeGuild(guild, users);
    const members = guild.members.cache.values();
    // A limited cache may keep members for their voice state, which has to be there first.
    const within = isLimited(guild.members.cache) ? 0 : CHUNK;
    d['members'] = take(members, within, (member) => encodeMember(member, users));
    const presences = guild.presences.cache.values();
    d['presences'] = take(presences, CHUNK, encodePresence);
    await this.#add({
      k: 'guild',
      shard: shardId,
      outage: !guild.available,
      vanityURLUses: guild.vanityURLUses,
      d,
    });
    this.guilds += 1;

    const of = (k: 'members' | 'presences' | 'bans' | 'invites' | 'autoModerationRules') => {
      return (entries: Payload[]): SnapshotRecord => ({ k, guild: guild.id, d: entries });
    };
    await this.#addAll(members, (member) => encodeMember(member, users), of('members'));
    await this.#addAll(presences, encodePresence, of('presences'));
    await this.#addAll(guild.bans.cache.values(), (ban) => encodeBan(ban, users), of('bans'));
    await this.#addAll(guild.invites.cache.values(), (invite) => encodeInvite(invite, guild.id, users), of('invites'));
    const rules = guild.autoModerationRules.cache.values();
    await this.#addAll(rules, encodeAutoModerationRule, of('autoModerationRules'));
    // Threads last, as in the guild: the order in the caches of the restored client is the order of the file.
    const channels = [...(guild.channels.cache.values() as Iterable<Channel>)];
    for (const channel of channels) if (!channel.isThread()) await this.#addMessages(channel);
    for (const channel of channels) if (channel.isThread()) await this.#addThread(channel);
  }

  /** What belongs to no guild. */
  async #writeRest(): Promise<void> {
    const users = this.#users;
    for (const channel of this.client.channels.cache.values() as Iterable<Channel>) {
      if (!channel.isDMBased()) continue;
      const data = 'recipientIds' in channel ? encodeDm(channel, users) : encodeGroupDm(channel);
      await this.#add({ k: 'dms', d: [data] });
      await this.#addMessages(channel);
    }
    const entitlements = this.client.application?.entitlements.cache.values() ?? [];
    await this.#addAll(entitlements, encodeEntitlement, (entries) => ({ k: 'entitlements', d: entries }));

    const uncached = filter(users.uncached, (id) => !this.client.users.cache.has(id));
    await this.#addAll(
      uncached,
      (id) => id,
      (ids) => ({ k: 'uncachedUsers', d: ids }),
    );
    // In a limited cache the order of arrival decided who is in it: all are written, last.
    const cache = this.client.users.cache;
    const all = isLimited(cache);
    const elsewhere = await this.#membersElsewhere();
    const rest = filter(cache.values(), ({ id }) => (users.seen.has(id) ? all : !elsewhere.has(id)));
    await this.#addAll(
      rest,
      (user) => users.encodeAgain(user),
      (entries) => ({ k: 'users', d: entries }),
    );
  }

  /** Ids of the members of guilds that are not part of this copy: users that came with them belong to another one. */
  async #membersElsewhere(): Promise<Set<string>> {
    const found = new Set<string>();
    for (const guild of this.client.guilds.cache.values()) {
      if (this.#shardIds.has(shardOf(guild, this.#totalShards))) continue;
      for (const id of guild.members.cache.keys()) found.add(id);
      if (this.#slices.over) await this.#slices.pause();
    }
    return found;
  }

  async #addThread(thread: AnyThreadChannel): Promise<void> {
    await this.#addAll(thread.members.cache.values(), encodeThreadMember, (entries) => ({
      k: 'threadMembers',
      thread: thread.id,
      d: entries,
    }));
    await this.#addMessages(thread);
  }

  async #addMessages(channel: Channel): Promise<void> {
    if (this.#messagesPerChannel <= 0 || !('messages' in channel)) return;
    const cached = [...channel.messages.cache.values()].slice(-this.#messagesPerChannel);
    await this.#addAll(
      cached,
      (message) => encodeMessage(message, this.#users),
      (entries) => ({ k: 'messages', channel: channel.id, d: entries }),
    );
  }

  async #addAll<T, E>(
    values: Iterable<T>,
    encode: (value: T) => E,
    toRecord: (entries: E[]) => SnapshotRecord,
  ): Promise<void> {
    let entries: E[] = [];
    for (const value of values) {
      entries.push(encode(value));
      if (entries.length < CHUNK) continue;
      await this.#add(toRecord(entries));
      entries = [];
    }
    if (entries.length > 0) await this.#add(toRecord(entries));
  }

  async #add(record: SnapshotRecord): Promise<void> {
    if (this.records.add(record)) await this.records.flush();
    if (this.#slices.over) await this.#slices.pause();
  }
}

/** Encodes up to `count` values and leaves the rest in the iterator. */
function take<T, E>(values: Iterator<T>, count: number, encode: (value: T) => E): E[] {
  const entries: E[] = [];
  while (entries.length < count) {
    const next = values.next();
    if (next.done) break;
    entries.push(encode(next.value));
  }
  return entries;
}

function* filter<T>(values: Iterable<T>, keep: (value: T) => boolean): Generator<T, void, void> {
  for (const value of values) if (keep(value)) yield value;
}
