import type { Attachment, Message, MessageReaction, Poll } from 'discord.js';
import type { MessageEntry, Payload } from '../format';
import { encodeSticker } from './expressions';
import type { UserEncoder } from './users';
import { bitsIfAny, copySetFields, isoIfSet, loose } from './values';
import type { FieldTable } from './values';

const FIELDS: FieldTable = [
  ['channel_id', 'channelId'],
  ['guild_id', 'guildId'],
  ['type', 'type'],
  ['content', 'content'],
  ['pinned', 'pinned'],
  ['tts', 'tts'],
  ['nonce', 'nonce'],
  ['position', 'position'],
  ['webhook_id', 'webhookId'],
  ['application_id', 'applicationId'],
];

/**
 * A cached message, without the data of the interaction it answers, forwarded copies, resolved select-menu values and
 * the application of a rich-presence invitation.
 */
export function encodeMessage(message: Message, users: UserEncoder): MessageEntry {
  const out: Payload = { id: message.id };
  copySetFields(out, loose(message), FIELDS);
  out['author'] = users.encodeIfSet(message.author);
  out['edited_timestamp'] = isoIfSet(message.editedTimestamp);
  out['flags'] = bitsIfAny(message.flags);
  if (message.embeds.length > 0) out['embeds'] = message.embeds.map((embed) => embed.data);
  if (message.components.length > 0) out['components'] = message.components.map((component) => component.toJSON());
  if (message.attachments.size > 0) out['attachments'] = message.attachments.map(encodeAttachment);
  if (message.stickers.size > 0) {
    out['sticker_items'] = message.stickers.map((sticker) => encodeSticker(sticker, users));
  }
  encodeMentions(out, message, users);
  const { reference, activity, roleSubscriptionData: subscription, call, poll } = message;
  if (reference) {
    out['message_reference'] = {
      channel_id: reference.channelId,
      guild_id: reference.guildId,
      message_id: reference.messageId,
      type: reference.type,
    };
  }
  if (activity) out['activity'] = { party_id: activity.partyId, type: activity.type };
  if (subscription) {
    out['role_subscription_data'] = {
      role_subscription_listing_id: subscription.roleSubscriptionListingId,
      tier_name: subscription.tierName,
      total_months_subscribed: subscription.totalMonthsSubscribed,
      is_renewal: subscription.isRenewal,
    };
  }
  if (call) {
    out['call'] = { ended_timestamp: isoIfSet(call.endedTimestamp), participants: call.participants };
  }
  if (poll) out['poll'] = encodePoll(poll);

  const reactions = [...message.reactions.cache.entries()];
  if (reactions.length > 0) out['reactions'] = reactions.map(([, reaction]) => encodeReaction(reaction));
  const named = [
    message.mentions.repliedUser,
    ...reactions.flatMap(([, reaction]) => [...reaction.users.cache.values()]),
  ];
  return {
    data: out,
    users: named.flatMap((user) => (user === null || users.seen.has(user.id) ? [] : [users.encode(user)])),
    repliedUser: message.mentions.repliedUser?.id ?? null,
    reactors: reactions.map(([key, reaction]) => [key, [...reaction.users.cache.keys()]]),
  };
}

function encodeMentions(out: Payload, message: Message, users: UserEncoder): void {
  const { mentions } = message;
  if (mentions.everyone) out['mention_everyone'] = true;
  if (mentions.users.size > 0) out['mentions'] = mentions.users.map((user) => users.encode(user));
  if (mentions.roles.size > 0) out['mention_roles'] = [...mentions.roles.keys()];
  if (mentions.crosspostedChannels.size > 0) {
    out['mention_channels'] = mentions.crosspostedChannels.map((channel) => ({
      id: channel.channelId,
      guild_id: channel.guildId,
      type: channel.type,
      name: channel.name,
    }));
  }
}

const ATTACHMENT_FIELDS: FieldTable = [
  ['filename', 'name'],
  ['size', 'size'],
  ['url', 'url'],
  ['proxy_url', 'proxyURL'],
  ['height', 'height'],
  ['width', 'width'],
  ['content_type', 'contentType'],
  ['description', 'description'],
  ['ephemeral', 'ephemeral'],
  ['duration_secs', 'duration'],
  ['waveform', 'waveform'],
  ['title', 'title'],
];

function encodeAttachment(attachment: Attachment): Payload {
  const out: Payload = { id: attachment.id };
  copySetFields(out, loose(attachment), ATTACHMENT_FIELDS);
  out['flags'] = bitsIfAny(attachment.flags);
  return out;
}

function encodeReaction(reaction: MessageReaction): Payload {
  const emoji = loose(reaction)['_emoji'] as { id: string | null; name: string | null; animated: boolean | null };
  return {
    emoji: { id: emoji.id, name: emoji.name, animated: emoji.animated },
    count: reaction.count,
    count_details: reaction.countDetails,
    me: reaction.me,
    me_burst: reaction.meBurst,
    burst_colors: reaction.burstColors ?? undefined,
  };
}

function encodePoll(poll: Poll): Payload {
  return {
    question: { text: poll.question.text },
    answers: poll.answers.map((answer) => ({
      answer_id: answer.id,
      poll_media: { text: answer.text, emoji: loose(answer)['_emoji'] },
      count: answer.voteCount,
    })),
    results: { is_finalized: poll.resultsFinalized, answer_counts: [] },
    allow_multiselect: poll.allowMultiselect,
    layout_type: poll.layoutType,
    expiry: isoIfSet(poll.expiresTimestamp),
  };
}
