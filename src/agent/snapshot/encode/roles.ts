import type { Role } from 'discord.js';
import type { Payload } from '../format';
import { bits, bitsIfAny, copyFields, copySetFields, loose } from './values';
import type { FieldTable } from './values';

const FIELDS: FieldTable = [
  ['name', 'name'],
  ['color', 'color'],
  ['position', 'rawPosition'],
  ['hoist', 'hoist'],
  ['managed', 'managed'],
  ['mentionable', 'mentionable'],
];

export function encodeRole(role: Role): Payload {
  const from = loose(role);
  const out: Payload = { id: role.id };
  copyFields(out, from, FIELDS);
  copySetFields(out, from, [
    ['icon', 'icon'],
    ['unicode_emoji', 'unicodeEmoji'],
  ]);
  const colors = from['colors'] as Role['colors'] | undefined;
  if (colors) {
    out['colors'] = {
      primary_color: colors.primaryColor,
      secondary_color: colors.secondaryColor,
      tertiary_color: colors.tertiaryColor,
    };
  }
  out['permissions'] = bits(role.permissions);
  out['flags'] = bitsIfAny(role.flags);
  const { tags } = role;
  if (tags) {
    out['tags'] = {
      bot_id: tags.botId,
      integration_id: tags.integrationId,
      subscription_listing_id: tags.subscriptionListingId,
      // Discord says yes to these by the key alone, with null as its value.
      premium_subscriber: tags.premiumSubscriberRole ? null : undefined,
      available_for_purchase: tags.availableForPurchase ? null : undefined,
      guild_connections: tags.guildConnections ? null : undefined,
    };
  }
  return out;
}
