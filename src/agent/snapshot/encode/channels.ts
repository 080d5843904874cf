import type {
  Channel,
  DMChannel,
  GuildMember,
  PartialDMChannel,
  PartialGroupDMChannel,
  PermissionOverwrites,
  ThreadMember,
} from 'discord.js';
import type { Payload } from '../format';
import type { UserEncoder } from './users';
import { bits, bitsIfAny, copyFields, copySetFields, iso, isoIfSet, loose } from './values';
import type { FieldTable, Structure } from './values';

/** All channel types together: what a type does not have is absent in it. */
const FIELDS: FieldTable = [
  ['name', 'name'],
  ['position', 'rawPosition'],
  ['topic', 'topic'],
  ['nsfw', 'nsfw'],
  ['last_message_id', 'lastMessageId'],
  ['rate_limit_per_user', 'rateLimitPerUser'],
  ['default_auto_archive_duration', 'defaultAutoArchiveDuration'],
  ['rtc_region', 'rtcRegion'],
  ['bitrate', 'bitrate'],
  ['user_limit', 'userLimit'],
  ['default_forum_layout', 'defaultForumLayout'],
];

const SET_FIELDS: FieldTable = [
  ['parent_id', 'parentId'],
  ['default_thread_rate_limit_per_user', 'defaultThreadRateLimitPerUser'],
  ['video_quality_mode', 'videoQualityMode'],
  ['default_sort_order', 'defaultSortOrder'],
];

const THREAD_FIELDS: FieldTable = [
  ['name', 'name'],
  ['owner_id', 'ownerId'],
];

const THREAD_SET_FIELDS: FieldTable = [
  ['parent_id', 'parentId'],
  ['last_message_id', 'lastMessageId'],
  ['rate_limit_per_user', 'rateLimitPerUser'],
  ['message_count', 'messageCount'],
  ['member_count', 'memberCount'],
  ['total_message_sent', 'totalMessageSent'],
];

const METADATA_FIELDS: FieldTable = [
  ['locked', 'locked'],
  ['invitable', 'invitable'],
  ['archived', 'archived'],
  ['auto_archive_duration', 'autoArchiveDuration'],
];

/** A channel of a guild that is not a thread. */
export function encodeGuildChannel(channel: Channel): Payload {
  const from = loose(channel);
  const out = base(channel, from);
  copyFields(out, from, FIELDS);
  copySetFields(out, from, SET_FIELDS);
  out['last_pin_timestamp'] = iso(from['lastPinTimestamp']);
  if ('permissionOverwrites' in channel) {
    out['permission_overwrites'] = Array.from(channel.permissionOverwrites.cache.values(), encodeOverwrite);
  }
  if ('availableTags' in channel) {
    out['available_tags'] = channel.availableTags.map((tag) => ({
      id: tag.id,
      name: tag.name,
      moderated: tag.moderated,
      emoji_id: tag.emoji?.id,
      emoji_name: tag.emoji?.name,
    }));
    const reaction = channel.defaultReactionEmoji;
    if (reaction) out['default_reaction_emoji'] = { emoji_id: reaction.id, emoji_name: reaction.name };
  }
  return out;
}

export function encodeThread(thread: Channel): Payload {
  const from = loose(thread);
  const out = base(thread, from);
  copyFields(out, from, THREAD_FIELDS);
  copySetFields(out, from, THREAD_SET_FIELDS);
  out['last_pin_timestamp'] = isoIfSet(from['lastPinTimestamp']);
  const tags = from['appliedTags'];
  if (Array.isArray(tags) && tags.length > 0) out['applied_tags'] = tags;
  if (from['archived'] !== null) {
    const metadata: Payload = {};
    copyFields(metadata, from, METADATA_FIELDS);
    metadata['archive_timestamp'] = iso(from['archiveTimestamp']);
    metadata['create_timestamp'] = isoIfSet(from['_createdTimestamp']);
    out['thread_metadata'] = metadata;
  }
  return out;
}

export function encodeThreadMember(member: ThreadMember): { data: Payload; withMember: boolean } {
  return {
    data: {
      user_id: member.id,
      join_timestamp: isoIfSet(member.joinedTimestamp),
      flags: bits(member.flags),
    },
    withMember: isCurrentMember(loose(member)['member'] as GuildMember | null | undefined),
  };
}

/** discord.js keeps the guild member of a thread member also when it has left the guild. */
function isCurrentMember(member: GuildMember | null | undefined): boolean {
  return member ? member.guild.members.cache.has(member.id) : false;
}

/** A direct-message channel. Recipients that are not cached are carried by their id. */
export function encodeDm(channel: DMChannel | PartialDMChannel, users: UserEncoder): Payload {
  const from = loose(channel);
  const out = base(channel, from);
  copyFields(out, from, [['last_message_id', 'lastMessageId']]);
  out['last_pin_timestamp'] = isoIfSet(from['lastPinTimestamp']);
  const recipients = from['recipientIds'] as string[] | undefined;
  out['recipients'] = recipients?.map((id) => {
    const user = channel.client.users.cache.get(id);
    return user ? users.encode(user) : { id };
  });
  return out;
}

export function encodeGroupDm(channel: PartialGroupDMChannel): Payload {
  const from = loose(channel);
  const out = base(channel, from);
  copyFields(out, from, [
    ['name', 'name'],
    ['icon', 'icon'],
    ['recipients', 'recipients'],
  ]);
  copySetFields(out, from, [
    ['owner_id', 'ownerId'],
    ['last_message_id', 'lastMessageId'],
  ]);
  out['last_pin_timestamp'] = isoIfSet(from['lastPinTimestamp']);
  return out;
}

function base(channel: Channel, from: Structure): Payload {
  return { id: channel.id, type: channel.type, flags: bitsIfAny(from['flags']) };
}

function encodeOverwrite(overwrite: PermissionOverwrites): Payload {
  return { id: overwrite.id, type: overwrite.type, allow: bits(overwrite.allow), deny: bits(overwrite.deny) };
}
