import type { Channel, Guild } from 'discord.js';
import type { Payload } from '../format';
import { encodeGuildChannel, encodeThread } from './channels';
import { encodeScheduledEvent, encodeStage } from './events';
import { encodeEmoji, encodeSound, encodeSticker } from './expressions';
import { encodeVoiceState } from './members';
import { encodeRole } from './roles';
import type { UserEncoder } from './users';
import { bits, copyFields, iso, loose } from './values';
import type { FieldTable } from './values';

const FIELDS: FieldTable = [
  ['name', 'name'],
  ['icon', 'icon'],
  ['features', 'features'],
  ['splash', 'splash'],
  ['banner', 'banner'],
  ['description', 'description'],
  ['verification_level', 'verificationLevel'],
  ['vanity_url_code', 'vanityURLCode'],
  ['nsfw_level', 'nsfwLevel'],
  ['premium_subscription_count', 'premiumSubscriptionCount'],
  ['discovery_splash', 'discoverySplash'],
  ['member_count', 'memberCount'],
  ['large', 'large'],
  ['premium_progress_bar_enabled', 'premiumProgressBarEnabled'],
  ['application_id', 'applicationId'],
  ['afk_timeout', 'afkTimeout'],
  ['afk_channel_id', 'afkChannelId'],
  ['system_channel_id', 'systemChannelId'],
  ['premium_tier', 'premiumTier'],
  ['widget_enabled', 'widgetEnabled'],
  ['widget_channel_id', 'widgetChannelId'],
  ['explicit_content_filter', 'explicitContentFilter'],
  ['mfa_level', 'mfaLevel'],
  ['default_message_notifications', 'defaultMessageNotifications'],
  ['max_members', 'maximumMembers'],
  ['max_presences', 'maximumPresences'],
  ['max_video_channel_users', 'maxVideoChannelUsers'],
  ['max_stage_video_channel_users', 'maxStageVideoChannelUsers'],
  ['approximate_member_count', 'approximateMemberCount'],
  ['approximate_presence_count', 'approximatePresenceCount'],
  ['rules_channel_id', 'rulesChannelId'],
  ['public_updates_channel_id', 'publicUpdatesChannelId'],
  ['preferred_locale', 'preferredLocale'],
  ['safety_alerts_channel_id', 'safetyAlertsChannelId'],
  ['owner_id', 'ownerId'],
];

/** True when the guild's contents have been received at least once; else only its id and shard are known. */
export function wasLoaded(guild: Guild): boolean {
  return typeof loose(guild)['name'] === 'string';
}

/**
 * A guild as GUILD_CREATE brings it, without members and presences: there may be very many of them, so the caller
 * adds them piece by piece.
 */
export function encodeGuild(guild: Guild, users: UserEncoder): Payload {
  const from = loose(guild);
  const out: Payload = { id: guild.id, unavailable: false };
  copyFields(out, from, FIELDS);
  out['joined_at'] = iso(from['joinedTimestamp']);
  out['system_channel_flags'] = bits(from['systemChannelFlags']);
  const incidents = guild.incidentsData;
  if (incidents) {
    out['incidents_data'] = {
      invites_disabled_until: incidents.invitesDisabledUntil,
      dms_disabled_until: incidents.dmsDisabledUntil,
      dm_spam_detected_at: incidents.dmSpamDetectedAt,
      raid_detected_at: incidents.raidDetectedAt,
    };
  }

  const channels: Payload[] = [];
  const threads: Payload[] = [];
  for (const channel of guild.channels.cache.values() as Iterable<Channel>) {
    if (channel.isThread()) threads.push(encodeThread(channel));
    else channels.push(encodeGuildChannel(channel));
  }
  out['channels'] = channels;
  out['threads'] = threads;
  out['roles'] = Array.from(guild.roles.cache.values(), encodeRole);
  out['emojis'] = Array.from(guild.emojis.cache.values(), (emoji) => encodeEmoji(emoji, users));
  out['stickers'] = Array.from(guild.stickers.cache.values(), (sticker) => encodeSticker(sticker, users));
  out['voice_states'] = Array.from(guild.voiceStates.cache.values(), encodeVoiceState);
  out['stage_instances'] = Array.from(guild.stageInstances.cache.values(), encodeStage);
  out['guild_scheduled_events'] = Array.from(guild.scheduledEvents.cache.values(), (event) =>
    encodeScheduledEvent(event, users),
  );
  out['soundboard_sounds'] = Array.from(guild.soundboardSounds.cache.values(), (sound) => encodeSound(sound, users));
  return out;
}
