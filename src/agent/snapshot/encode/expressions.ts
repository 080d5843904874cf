import type { GuildEmoji, SoundboardSound, Sticker } from 'discord.js';
import type { Payload } from '../format';
import type { UserEncoder } from './users';
import { copyFields, copySetFields, loose } from './values';
import type { FieldTable } from './values';

const EMOJI_FIELDS: FieldTable = [
  ['name', 'name'],
  ['animated', 'animated'],
  ['require_colons', 'requiresColons'],
  ['managed', 'managed'],
  ['available', 'available'],
];

export function encodeEmoji(emoji: GuildEmoji, users: UserEncoder): Payload {
  const from = loose(emoji);
  const out: Payload = { id: emoji.id };
  copySetFields(out, from, EMOJI_FIELDS);
  const roles = from['_roles'];
  if (Array.isArray(roles) && roles.length > 0) out['roles'] = roles;
  out['user'] = users.encodeIfSet(emoji.author);
  return out;
}

const STICKER_SET_FIELDS: FieldTable = [
  ['description', 'description'],
  ['type', 'type'],
  ['pack_id', 'packId'],
  ['tags', 'tags'],
  ['available', 'available'],
  ['guild_id', 'guildId'],
  ['sort_value', 'sortValue'],
];

export function encodeSticker(sticker: Sticker, users: UserEncoder): Payload {
  const from = loose(sticker);
  const out: Payload = { id: sticker.id };
  copyFields(out, from, [
    ['name', 'name'],
    ['format_type', 'format'],
  ]);
  copySetFields(out, from, STICKER_SET_FIELDS);
  out['user'] = users.encodeIfSet(sticker.user);
  return out;
}

const SOUND_FIELDS: FieldTable = [
  ['available', 'available'],
  ['name', 'name'],
  ['volume', 'volume'],
  ['guild_id', 'guildId'],
];

export function encodeSound(sound: SoundboardSound, users: UserEncoder): Payload {
  const from = loose(sound);
  const out: Payload = { sound_id: sound.soundId };
  copySetFields(out, from, SOUND_FIELDS);
  const emoji = from['_emoji'] as { id: string | null; name: string | null } | null;
  if (emoji) {
    out['emoji_id'] = emoji.id;
    out['emoji_name'] = emoji.name;
  }
  out['user'] = users.encodeIfSet(sound.user);
  return out;
}
