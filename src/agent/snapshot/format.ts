/**
 * The snapshot file: one JSON object per line. The first line is the header, the last one the footer; between them
 * stand the records in the order in which they have to be applied.
 */

/** Raised whenever a record changes its meaning. A file of another version is refused. */
export const FORMAT_VERSION = 1;

/** Most entries (members, presences, messages, ...) in one record, so that none of them takes long to apply. */
export const CHUNK = 250;

/** A payload in the shape Discord's API gives it; members that are undefined are left out of the file. */
export type Payload = Record<string, unknown>;

/** What has to be equal for a snapshot to fit the process that opens it. */
export interface SnapshotMeta {
  totalShards: number;
  shardIds: number[];
  /** Version of the bot's discord.js, such as `14.28.1`; snapshots are not carried over to another major version. */
  discordJs: string;
}

export interface ShardGuilds {
  id: number;
  /** Ids of all guilds of the shard, in cache order. */
  guilds: string[];
  /** Those of them that are unavailable. */
  unavailable: string[];
}

export interface HeaderRecord {
  k: 'header';
  format: 'botctl-snapshot';
  version: number;
  meta: SnapshotMeta;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** Gateway intents; a resumed session keeps those it was opened with. */
  intents: number;
  user: Payload;
  application: Payload;
  /** The presence the bot set for itself; a resumed session keeps it. */
  presence: Payload;
  shards: ShardGuilds[];
}

/** One guild as GUILD_CREATE would bring it. */
export interface GuildRecord {
  k: 'guild';
  shard: number;
  /** True when the guild had been loaded and is in an outage now. */
  outage: boolean;
  /** Fetched once and kept by discord.js, but not part of any guild payload. */
  vanityURLUses: number | null;
  d: Payload;
}

/** Cache entries of one guild, to be added to what is there already. */
export interface GuildEntriesRecord {
  k: 'members' | 'presences' | 'bans' | 'invites' | 'autoModerationRules';
  guild: string;
  d: Payload[];
}

export interface ThreadMembersRecord {
  k: 'threadMembers';
  thread: string;
  d: { data: Payload; withMember: boolean }[];
}

export interface MessageEntry {
  data: Payload;
  /** Those whom it names and no earlier record has carried: they may be in no cache but the message's own. */
  users: Payload[];
  /** Id of the author of the message this one replies to. */
  repliedUser: string | null;
  /** Ids of the users known to have reacted, by reaction. */
  reactors: [reaction: string, userIds: string[]][];
}

export interface MessagesRecord {
  k: 'messages';
  channel: string;
  d: MessageEntry[];
}

/** Channels and users that belong to no guild, and entitlements. */
export interface LooseEntriesRecord {
  k: 'dms' | 'users' | 'entitlements';
  d: Payload[];
}

/** Users that members and others refer to, but that the users cache does not hold (it is limited or swept). */
export interface UncachedUsersRecord {
  k: 'uncachedUsers';
  d: string[];
}

export type SnapshotRecord =
  GuildRecord | GuildEntriesRecord | ThreadMembersRecord | MessagesRecord | LooseEntriesRecord | UncachedUsersRecord;

export interface FooterRecord {
  k: 'footer';
  /** Lines before the footer, the header included. */
  lines: number;
  /** SHA-1 over all bytes before the footer's line; against accidents, not against forgery. */
  sha1: string;
}
