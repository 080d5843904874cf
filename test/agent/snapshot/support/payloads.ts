import { ChannelType } from 'discord.js';
import type { Random } from './random';

export type Json = Record<string, unknown>;

/** Makes payloads in the shapes of Discord's API, with every optional field missing, null or set. */
export class Payloads {
  #counter: number;
  /** Users that occur in several guilds. */
  readonly users: Json[];

  constructor(
    private readonly random: Random,
    readonly botId: string,
    private readonly totalShards: number,
    userCount = 40,
  ) {
    this.#counter = 1000;
    this.users = Array.from({ length: userCount }, () => this.user());
  }

  id(): string {
    this.#counter += 1;
    return ((BigInt(1_000_000_000 + this.#counter * 977) << 22n) | BigInt(this.#counter % 4096)).toString();
  }

  guildId(shardId: number): string {
    const base = (BigInt(900_000_000 + this.#counter) / BigInt(this.totalShards)) * BigInt(this.totalShards);
    this.#counter += this.totalShards;
    return ((base + BigInt(shardId)) << 22n).toString();
  }

  user(id = this.id()): Json {
    const r = this.random;
    return {
      id,
      username: r.text(),
      discriminator: r.pick(['0', '1234']),
      global_name: r.orNull(r.text()),
      avatar: r.orNull(r.hash()),
      ...r.optional({
        bot: r.chance(0.3),
        system: r.chance(0.1),
        banner: r.orNull(r.hash()),
        accent_color: r.orNull(r.int(0, 0xffffff)),
        public_flags: r.int(0, 2 ** 22),
        avatar_decoration_data: r.orNull({ asset: r.hash(), sku_id: this.id() }),
        collectibles: r.orNull(
          r.chance(0.5) ? { nameplate: { sku_id: this.id(), asset: r.hash(), label: r.text(), palette: 'teal' } } : {},
        ),
        primary_guild: r.orNull({
          identity_guild_id: r.orNull(this.id()),
          identity_enabled: r.orNull(r.chance(0.5)),
          tag: r.orNull('TAG'),
          badge: r.orNull(r.hash()),
        }),
      }),
    };
  }

  anyUser(): Json {
    return structuredClone(this.random.pick(this.users));
  }

  member(user: Json, roles: string[]): Json {
    const r = this.random;
    return {
      user,
      roles: r.some(roles, 0.4),
      joined_at: r.chance(0.95) ? r.time() : null,
      deaf: r.chance(0.1),
      mute: r.chance(0.1),
      flags: r.int(0, 15),
      ...r.optional({
        nick: r.orNull(r.text()),
        avatar: r.orNull(r.hash()),
        banner: r.orNull(r.hash()),
        premium_since: r.orNull(r.time()),
        pending: r.chance(0.3),
        communication_disabled_until: r.orNull(r.time()),
        avatar_decoration_data: r.orNull({ asset: r.hash(), sku_id: this.id() }),
        collectibles: r.orNull({ nameplate: { sku_id: this.id(), asset: r.hash(), label: '', palette: 'berry' } }),
      }),
    };
  }

  role(id: string, position: number): Json {
    const r = this.random;
    const color = r.int(0, 0xffffff);
    return {
      id,
      name: r.text(),
      color,
      hoist: r.chance(0.3),
      position,
      permissions: r.bits64(),
      managed: r.chance(0.2),
      mentionable: r.chance(0.5),
      ...r.optional({
        colors: { primary_color: color, secondary_color: r.orNull(1), tertiary_color: r.orNull(2) },
        icon: r.orNull(r.hash()),
        unicode_emoji: r.orNull('🔥'),
        flags: r.int(0, 1),
        tags: r.pick<Json>([
          { bot_id: this.id() },
          { integration_id: this.id(), subscription_listing_id: this.id(), available_for_purchase: null },
          { premium_subscriber: null },
          { guild_connections: null },
          {},
        ]),
      }),
    };
  }

  overwrite(ids: string[]): Json {
    const r = this.random;
    return { id: r.pick(ids), type: r.int(0, 1), allow: r.bits64(), deny: r.bits64() };
  }

  channel(type: ChannelType, overwriteIds: string[], parents: string[], id = this.id()): Json {
    const r = this.random;
    const overwrites = new Map(r.list(0, 3, () => this.overwrite(overwriteIds)).map((one) => [one['id'], one]));
    return {
      id,
      type,
      name: r.text(),
      position: r.int(0, 99),
      permission_overwrites: [...overwrites.values()],
      ...r.optional({
        flags: r.pick([0, 2, 16]),
        parent_id: parents.length > 0 ? r.orNull(r.pick(parents)) : null,
        nsfw: r.chance(0.3),
        topic: r.orNull(r.text()),
        last_message_id: r.orNull(this.id()),
        last_pin_timestamp: r.orNull(r.time()),
        rate_limit_per_user: r.int(0, 600),
        default_auto_archive_duration: r.orNull(r.pick([60, 1440])),
        default_thread_rate_limit_per_user: r.int(0, 100),
      }),
      ...this.#ofType(type),
    };
  }

  #ofType(type: ChannelType): Json {
    const r = this.random;
    if (type === ChannelType.GuildVoice || type === ChannelType.GuildStageVoice) {
      return {
        bitrate: r.int(8000, 384_000),
        user_limit: r.int(0, 99),
        ...r.optional({ rtc_region: r.orNull('rotterdam'), video_quality_mode: r.int(1, 2) }),
      };
    }
    if (type === ChannelType.GuildForum || type === ChannelType.GuildMedia) {
      return r.optional({
        available_tags: r.list(0, 4, () => this.forumTag()),
        default_reaction_emoji: r.orNull({ emoji_id: r.orNull(this.id()), emoji_name: r.orNull('👍') }),
        default_sort_order: r.orNull(r.int(0, 1)),
        default_forum_layout: r.int(0, 2),
      });
    }
    return {};
  }

  forumTag(): Json {
    const r = this.random;
    const emoji = r.pick<Json>([
      { emoji_id: null, emoji_name: null },
      { emoji_id: this.id(), emoji_name: null },
      { emoji_id: null, emoji_name: '🐛' },
    ]);
    return { id: this.id(), name: r.text(), moderated: r.chance(0.3), ...emoji };
  }

  thread(parent: Json, guildId: string): Json {
    const r = this.random;
    const type =
      parent['type'] === ChannelType.GuildAnnouncement
        ? ChannelType.AnnouncementThread
        : r.pick([ChannelType.PublicThread, ChannelType.PrivateThread]);
    return {
      id: this.id(),
      guild_id: guildId,
      parent_id: parent['id'],
      owner_id: r.pick(this.users)['id'],
      type,
      name: r.text(),
      last_message_id: r.orNull(this.id()),
      thread_metadata: {
        archived: r.chance(0.2),
        auto_archive_duration: r.pick([60, 1440, 4320]),
        archive_timestamp: r.time(),
        locked: r.chance(0.2),
        ...r.optional({ invitable: r.chance(0.5), create_timestamp: r.orNull(r.time()) }),
      },
      message_count: r.int(0, 100),
      member_count: r.int(0, 50),
      ...r.optional({
        rate_limit_per_user: r.int(0, 600),
        total_message_sent: r.int(0, 1000),
        flags: r.pick([0, 2]),
        applied_tags: r.list(0, 3, () => this.id()),
        member: { id: this.id(), user_id: this.botId, join_timestamp: r.time(), flags: r.int(0, 3) },
        last_pin_timestamp: r.orNull(r.time()),
      }),
    };
  }

  threadMember(threadId: string, userId: string, guildMember: Json | undefined): Json {
    const r = this.random;
    return {
      id: threadId,
      user_id: userId,
      join_timestamp: r.time(),
      flags: r.int(0, 3),
      ...(guildMember ? { member: guildMember } : {}),
    };
  }

  presence(userId: string, guildId: string): Json {
    const r = this.random;
    return {
      user: { id: userId },
      guild_id: guildId,
      status: r.pick(['online', 'idle', 'dnd', 'offline']),
      activities: r.list(0, 3, () => this.activity()),
      client_status: r.optional({ desktop: 'online', mobile: 'idle', web: 'dnd' }),
    };
  }

  activity(): Json {
    const r = this.random;
    return {
      name: r.text(),
      type: r.int(0, 5),
      created_at: 1_600_000_000_000 + r.int(0, 1e9),
      ...r.optional({
        url: r.orNull('https://twitch.tv/x'),
        details: r.orNull(r.text()),
        state: r.orNull(r.text()),
        application_id: this.id(),
        timestamps: r.optional({ start: 1_600_000_000_000 + r.int(0, 1e9), end: 1_700_000_000_000 }),
        party: { id: 'party', size: [1, r.int(1, 8)] },
        sync_id: r.hash(),
        assets: r.optional({ large_text: r.text(), small_text: r.text(), large_image: 'mp:x', small_image: r.hash() }),
        flags: r.int(0, 511),
        emoji: r.pick<Json>([{ name: '🎉' }, { name: 'x', id: this.id(), animated: true }]),
        buttons: ['one', 'two'],
      }),
    };
  }

  voiceState(userId: string, channelId: string | null, guildId: string): Json {
    const r = this.random;
    return {
      guild_id: guildId,
      user_id: userId,
      channel_id: channelId,
      session_id: r.hash(),
      deaf: r.chance(0.2),
      mute: r.chance(0.2),
      self_deaf: r.chance(0.2),
      self_mute: r.chance(0.2),
      self_video: r.chance(0.2),
      suppress: r.chance(0.2),
      ...r.optional({ self_stream: r.chance(0.5), request_to_speak_timestamp: r.orNull(r.time()) }),
    };
  }

  emoji(roles: string[], id = this.id()): Json {
    const r = this.random;
    return {
      id,
      name: r.text(),
      roles: r.some(roles, 0.3),
      ...r.optional({
        user: this.anyUser(),
        require_colons: r.chance(0.8),
        managed: r.chance(0.2),
        animated: r.chance(0.5),
        available: r.chance(0.8),
      }),
    };
  }

  sticker(guildId: string): Json {
    const r = this.random;
    return {
      id: this.id(),
      name: r.text(),
      description: r.orNull(r.text()),
      tags: r.text(),
      type: 2,
      format_type: r.int(1, 4),
      guild_id: guildId,
      ...r.optional({ available: r.chance(0.8), user: this.anyUser(), pack_id: this.id(), sort_value: r.int(0, 9) }),
    };
  }

  scheduledEvent(guildId: string): Json {
    const r = this.random;
    const creator = this.anyUser();
    return {
      id: this.id(),
      guild_id: guildId,
      channel_id: r.orNull(this.id()),
      name: r.text(),
      scheduled_start_time: r.time(),
      scheduled_end_time: r.orNull(r.time()),
      privacy_level: 2,
      status: r.int(1, 4),
      entity_type: r.int(1, 3),
      entity_id: r.orNull(this.id()),
      entity_metadata: r.orNull(r.optional({ location: r.text() })),
      ...(r.chance(0.7) ? { creator_id: creator['id'], creator } : { creator_id: null }),
      ...r.optional({
        description: r.orNull(r.text()),
        user_count: r.int(0, 99),
        image: r.orNull(r.hash()),
        recurrence_rule: r.orNull({
          start: r.time(),
          end: r.orNull(r.time()),
          frequency: r.int(0, 3),
          interval: 1,
          by_weekday: r.orNull([0, 3]),
          by_n_weekday: r.orNull([{ n: 1, day: 2 }]),
          by_month: r.orNull([1]),
          by_month_day: r.orNull([31]),
          by_year_day: null,
          count: r.orNull(3),
        }),
      }),
    };
  }

  stage(guildId: string, channelId: string): Json {
    const r = this.random;
    return {
      id: this.id(),
      guild_id: guildId,
      channel_id: channelId,
      topic: r.text(),
      privacy_level: 2,
      ...r.optional({ discoverable_disabled: true, guild_scheduled_event_id: r.orNull(this.id()) }),
    };
  }

  sound(guildId: string): Json {
    const r = this.random;
    return {
      sound_id: this.id(),
      name: r.text(),
      volume: r.next(),
      guild_id: guildId,
      available: r.chance(0.8),
      ...r.pick<Json>([
        { emoji_id: null, emoji_name: null },
        { emoji_id: null, emoji_name: '🔔' },
        { emoji_id: this.id(), emoji_name: null },
      ]),
      ...r.optional({ user: this.anyUser() }),
    };
  }

  /** GUILD_CREATE. */
  guild(id: string, size: { members: number; channels: number }): Json {
    const r = this.random;
    const roleIds = [id, ...r.list(1, 6, () => this.id())];
    const users = r
      .some(this.users, Math.min(1, size.members / this.users.length))
      .map((user) => structuredClone(user));
    const memberIds = users.map((user) => String(user['id']));
    const categories = r.list(1, 3, () => this.channel(ChannelType.GuildCategory, roleIds, []));
    const parents = categories.map((category) => String(category['id']));
    const types = [
      ChannelType.GuildText,
      ChannelType.GuildVoice,
      ChannelType.GuildAnnouncement,
      ChannelType.GuildStageVoice,
      ChannelType.GuildDirectory,
      ChannelType.GuildForum,
      ChannelType.GuildMedia,
    ];
    const channels = [
      ...categories,
      ...types.map((type) => this.channel(type, roleIds, parents)),
      ...Array.from({ length: size.channels }, () => this.channel(r.pick(types), roleIds, parents)),
    ];
    const ofTypes = (...wanted: ChannelType[]) =>
      channels.filter((channel) => wanted.includes(channel['type'] as ChannelType));
    const threaded = ofTypes(ChannelType.GuildText, ChannelType.GuildAnnouncement, ChannelType.GuildForum);
    const voice = ofTypes(ChannelType.GuildVoice, ChannelType.GuildStageVoice);
    const me = this.member({ id: this.botId, username: 'bot', discriminator: '0', avatar: null, bot: true }, roleIds);
    return {
      id,
      unavailable: false,
      ...this.guildFields(),
      owner_id: r.pick(this.users)['id'],
      joined_at: r.time(),
      large: r.chance(0.3),
      member_count: memberIds.length + 1,
      roles: roleIds.map((roleId, position) => this.role(roleId, position)),
      emojis: r.list(0, 5, () => this.emoji(roleIds)),
      stickers: r.list(0, 3, () => this.sticker(id)),
      members: [me, ...users.map((user) => this.member(user, roleIds))],
      channels,
      threads: r.list(0, 6, () => this.thread(r.pick(threaded), id)),
      presences: r.some(memberIds, 0.6).map((userId) => this.presence(userId, id)),
      voice_states: r.some(memberIds, 0.3).map((userId) => {
        const state = this.voiceState(userId, String(r.pick(voice)['id']), id);
        delete state['guild_id'];
        return state;
      }),
      stage_instances: r.some(ofTypes(ChannelType.GuildStageVoice), 0.5).map((channel) => {
        return this.stage(id, String(channel['id']));
      }),
      guild_scheduled_events: r.list(0, 3, () => this.scheduledEvent(id)),
      soundboard_sounds: r.list(0, 3, () => this.sound(id)),
    };
  }

  /** The fields that GUILD_CREATE and GUILD_UPDATE have in common. */
  guildFields(): Json {
    const r = this.random;
    return {
      name: r.text(),
      icon: r.orNull(r.hash()),
      splash: r.orNull(r.hash()),
      discovery_splash: r.orNull(r.hash()),
      afk_channel_id: r.orNull(this.id()),
      afk_timeout: r.pick([60, 300]),
      verification_level: r.int(0, 4),
      default_message_notifications: r.int(0, 1),
      explicit_content_filter: r.int(0, 2),
      features: r.some(['COMMUNITY', 'NEWS', 'DISCOVERABLE'], 0.5),
      mfa_level: r.int(0, 1),
      application_id: r.orNull(this.id()),
      system_channel_id: r.orNull(this.id()),
      system_channel_flags: r.int(0, 63),
      rules_channel_id: r.orNull(this.id()),
      vanity_url_code: r.orNull('vanity'),
      description: r.orNull(r.text()),
      banner: r.orNull(r.hash()),
      premium_tier: r.int(0, 3),
      preferred_locale: 'en-US',
      public_updates_channel_id: r.orNull(this.id()),
      nsfw_level: r.int(0, 3),
      premium_progress_bar_enabled: r.chance(0.5),
      ...r.optional({
        safety_alerts_channel_id: r.orNull(this.id()),
        widget_enabled: r.chance(0.5),
        widget_channel_id: r.orNull(this.id()),
        max_presences: r.orNull(5000),
        max_members: 500_000,
        max_video_channel_users: 25,
        max_stage_video_channel_users: 50,
        premium_subscription_count: r.int(0, 30),
        incidents_data: r.orNull({ invites_disabled_until: r.orNull(r.time()), dms_disabled_until: null }),
      }),
    };
  }

  message(channelId: string, guildId: string | undefined, author: Json): Json {
    const r = this.random;
    return {
      id: this.id(),
      channel_id: channelId,
      ...(guildId === undefined ? {} : { guild_id: guildId }),
      type: 0,
      content: r.text(),
      author,
      timestamp: r.time(),
      edited_timestamp: r.orNull(r.time()),
      tts: r.chance(0.1),
      mention_everyone: r.chance(0.2),
      mentions: r.list(0, 2, () => this.anyUser()),
      mention_roles: [],
      pinned: r.chance(0.2),
      flags: r.pick([0, 4, 64]),
      embeds: r.list(0, 2, () => ({ type: 'rich', title: r.text(), fields: [{ name: 'a', value: r.text() }] })),
      attachments: r.list(0, 2, () => ({
        id: this.id(),
        filename: 'a.png',
        size: r.int(1, 9999),
        url: 'https://cdn.example/a.png',
        proxy_url: 'https://media.example/a.png',
        ...r.optional({ width: 10, height: 20, content_type: 'image/png', flags: 4, title: r.text() }),
      })),
      components: r.list(0, 2, () => ({
        type: 1,
        id: 1,
        components: [{ type: 2, id: 2, style: 1, label: r.text(), custom_id: 'x' }],
      })),
      ...r.optional({
        nonce: r.hash(),
        position: r.int(0, 9),
        application_id: this.id(),
        sticker_items: [{ id: this.id(), name: r.text(), format_type: 1 }],
        message_reference: { type: 0, channel_id: channelId, message_id: this.id() },
        reactions: [
          {
            emoji: { id: null, name: '🎉' },
            count: r.int(1, 9),
            count_details: { burst: 0, normal: 1 },
            me: r.chance(0.5),
            me_burst: false,
            burst_colors: [],
          },
        ],
        poll: {
          question: { text: r.text() },
          answers: [
            { answer_id: 1, poll_media: { text: r.text() } },
            { answer_id: 2, poll_media: { text: r.text(), emoji: { id: null, name: '🍕' } } },
          ],
          expiry: r.orNull(r.time()),
          allow_multiselect: r.chance(0.5),
          layout_type: 1,
        },
      }),
    };
  }
}
