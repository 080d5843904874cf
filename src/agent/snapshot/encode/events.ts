import type { GuildScheduledEvent, StageInstance } from 'discord.js';
import type { Payload } from '../format';
import type { UserEncoder } from './users';
import { copyFields, copySetFields, iso, isoIfSet, loose } from './values';
import type { FieldTable } from './values';

const EVENT_FIELDS: FieldTable = [
  ['channel_id', 'channelId'],
  ['creator_id', 'creatorId'],
  ['name', 'name'],
  ['description', 'description'],
  ['privacy_level', 'privacyLevel'],
  ['status', 'status'],
  ['entity_type', 'entityType'],
  ['entity_id', 'entityId'],
  ['user_count', 'userCount'],
  ['image', 'image'],
];

export function encodeScheduledEvent(event: GuildScheduledEvent, users: UserEncoder): Payload {
  const out: Payload = { id: event.id, guild_id: event.guildId };
  copySetFields(out, loose(event), EVENT_FIELDS);
  out['scheduled_start_time'] = isoIfSet(event.scheduledStartTimestamp);
  out['scheduled_end_time'] = isoIfSet(event.scheduledEndTimestamp);
  out['creator'] = users.encodeIfSet(event.creator);
  if (event.entityMetadata) out['entity_metadata'] = { location: event.entityMetadata.location };
  const rule = event.recurrenceRule;
  if (rule) {
    out['recurrence_rule'] = {
      start: iso(rule.startTimestamp),
      end: iso(rule.endTimestamp),
      frequency: rule.frequency,
      interval: rule.interval,
      by_weekday: rule.byWeekday,
      by_n_weekday: rule.byNWeekday,
      by_month: rule.byMonth,
      by_month_day: rule.byMonthDay,
      by_year_day: rule.byYearDay,
      count: rule.count,
    };
  }
  return out;
}

export function encodeStage(stage: StageInstance): Payload {
  const from = loose(stage);
  const out: Payload = { id: stage.id };
  copyFields(out, from, [
    ['guild_id', 'guildId'],
    ['channel_id', 'channelId'],
    ['topic', 'topic'],
    ['privacy_level', 'privacyLevel'],
  ]);
  copySetFields(out, from, [
    ['discoverable_disabled', 'discoverableDisabled'],
    ['guild_scheduled_event_id', 'guildScheduledEventId'],
  ]);
  return out;
}
