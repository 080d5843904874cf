import type { Activity, GuildMember, Presence, VoiceState } from 'discord.js';
import type { Payload } from '../format';
import { encodeCollectibles, encodeDecoration } from './users';
import type { UserEncoder } from './users';
import { bitsIfAny, copySetFields, isoIfSet, loose } from './values';
import type { FieldTable } from './values';

const MEMBER_FIELDS: FieldTable = [
  ['nick', 'nickname'],
  ['avatar', 'avatar'],
  ['banner', 'banner'],
];

export function encodeMember(member: GuildMember, users: UserEncoder): Payload {
  const from = loose(member);
  const out: Payload = { user: users.encode(member.user) };
  copySetFields(out, from, MEMBER_FIELDS);
  const roles = from['_roles'];
  if (Array.isArray(roles) && roles.length > 0) out['roles'] = roles;
  out['joined_at'] = isoIfSet(member.joinedTimestamp);
  out['premium_since'] = isoIfSet(member.premiumSinceTimestamp);
  out['communication_disabled_until'] = isoIfSet(member.communicationDisabledUntilTimestamp);
  // False is what a whole member starts with; a partial one starts with null.
  out['pending'] = member.pending || (from['joinedTimestamp'] === null ? (from['pending'] ?? undefined) : undefined);
  out['flags'] = bitsIfAny(member.flags);
  out['avatar_decoration_data'] = encodeDecoration(member.avatarDecorationData);
  out['collectibles'] = encodeCollectibles(member.collectibles);
  return out;
}

export function encodePresence(presence: Presence): Payload {
  return {
    user: { id: presence.userId },
    status: presence.status,
    activities: presence.activities.map(encodeActivity),
    client_status: presence.clientStatus ?? undefined,
  };
}

const ACTIVITY_FIELDS: FieldTable = [
  ['name', 'name'],
  ['type', 'type'],
  ['url', 'url'],
  ['details', 'details'],
  ['state', 'state'],
  ['application_id', 'applicationId'],
  ['party', 'party'],
  ['sync_id', 'syncId'],
  ['created_at', 'createdTimestamp'],
];

function encodeActivity(activity: Activity): Payload {
  const out: Payload = {};
  copySetFields(out, loose(activity), ACTIVITY_FIELDS);
  const { timestamps, assets, emoji } = activity;
  if (timestamps) {
    out['timestamps'] = { start: timestamps.start?.getTime(), end: timestamps.end?.getTime() };
  }
  if (assets) {
    out['assets'] = {
      large_text: assets.largeText,
      small_text: assets.smallText,
      large_image: assets.largeImage,
      small_image: assets.smallImage,
    };
  }
  out['flags'] = bitsIfAny(activity.flags);
  if (emoji) out['emoji'] = { id: emoji.id, name: emoji.name, animated: emoji.animated };
  if (activity.buttons.length > 0) out['buttons'] = activity.buttons;
  return out;
}

const VOICE_FIELDS: FieldTable = [
  ['channel_id', 'channelId'],
  ['session_id', 'sessionId'],
  ['deaf', 'serverDeaf'],
  ['mute', 'serverMute'],
  ['self_deaf', 'selfDeaf'],
  ['self_mute', 'selfMute'],
  ['self_video', 'selfVideo'],
  ['self_stream', 'streaming'],
  ['suppress', 'suppress'],
];

export function encodeVoiceState(state: VoiceState): Payload {
  const out: Payload = { user_id: state.id };
  copySetFields(out, loose(state), VOICE_FIELDS);
  out['request_to_speak_timestamp'] = isoIfSet(state.requestToSpeakTimestamp);
  return out;
}
