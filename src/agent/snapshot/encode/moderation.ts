import type { AutoModerationRule, Entitlement, GuildBan, Invite } from 'discord.js';
import type { Payload } from '../format';
import type { UserEncoder } from './users';
import { bitsIfAny, copyFields, copySetFields, iso, isoIfSet, loose } from './values';
import type { FieldTable } from './values';

export function encodeBan(ban: GuildBan, users: UserEncoder): Payload {
  return { user: users.encode(ban.user), reason: ban.reason };
}

export function encodeAutoModerationRule(rule: AutoModerationRule): Payload {
  const from = loose(rule);
  const out: Payload = { id: rule.id, guild_id: rule.guild.id };
  copyFields(out, from, [
    ['creator_id', 'creatorId'],
    ['trigger_type', 'triggerType'],
    ['name', 'name'],
    ['event_type', 'eventType'],
    ['enabled', 'enabled'],
  ]);
  const trigger = rule.triggerMetadata;
  out['trigger_metadata'] = {
    keyword_filter: trigger.keywordFilter,
    regex_patterns: trigger.regexPatterns,
    presets: trigger.presets,
    allow_list: trigger.allowList,
    mention_total_limit: trigger.mentionTotalLimit,
    mention_raid_protection_enabled: trigger.mentionRaidProtectionEnabled,
  };
  out['actions'] = rule.actions.map(({ type, metadata }) => ({
    type,
    metadata: {
      duration_seconds: metadata.durationSeconds,
      channel_id: metadata.channelId,
      custom_message: metadata.customMessage,
    },
  }));
  out['exempt_roles'] = [...rule.exemptRoles.keys()];
  out['exempt_channels'] = [...rule.exemptChannels.keys()];
  return out;
}

const INVITE_FIELDS: FieldTable = [
  ['type', 'type'],
  ['approximate_presence_count', 'presenceCount'],
  ['approximate_member_count', 'memberCount'],
  ['temporary', 'temporary'],
  ['max_age', 'maxAge'],
  ['uses', 'uses'],
  ['max_uses', 'maxUses'],
  ['inviter_id', 'inviterId'],
  ['target_type', 'targetType'],
  ['channel_id', 'channelId'],
];

/** An invite to a guild, without what it says about an embedded application, a stage or an event. */
export function encodeInvite(invite: Invite, guildId: string, users: UserEncoder): Payload {
  const from = loose(invite);
  const out: Payload = { code: invite.code };
  if (invite.guild) out['guild'] = { id: guildId };
  copySetFields(out, from, INVITE_FIELDS);
  // The channel may have been deleted or replaced since; a payload with the old one would bring it back.
  const channel = invite.channel && invite.client.channels.cache.get(invite.channel.id);
  if (channel) out['channel'] = { id: channel.id, type: channel.type, name: loose(channel)['name'] };
  out['inviter'] = users.encodeIfSet(invite.inviter);
  out['target_user'] = users.encodeIfSet(invite.targetUser);
  out['created_at'] = isoIfSet(invite.createdTimestamp);
  out['expires_at'] = isoIfSet(from['_expiresTimestamp']);
  out['flags'] = bitsIfAny(from['flags']);
  const roles = from['roles'] as ReadonlyMap<string, unknown> | null | undefined;
  if (roles) out['role_ids'] = [...roles.keys()];
  return out;
}

export function encodeEntitlement(entitlement: Entitlement): Payload {
  const from = loose(entitlement);
  const out: Payload = { id: entitlement.id };
  copyFields(out, from, [
    ['sku_id', 'skuId'],
    ['user_id', 'userId'],
    ['guild_id', 'guildId'],
    ['application_id', 'applicationId'],
    ['type', 'type'],
    ['deleted', 'deleted'],
    ['consumed', 'consumed'],
  ]);
  out['starts_at'] = iso(entitlement.startsTimestamp);
  out['ends_at'] = iso(entitlement.endsTimestamp);
  return out;
}
