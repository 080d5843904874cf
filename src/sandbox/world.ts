/** Bodies as Discord's API has them. */
export type Payload = Record<string, unknown>;

export interface WorldOptions {
  guilds: number;
  channelsPerGuild: number;
  membersPerGuild: number;
}

/** Snowflake timestamps: ms since Discord's epoch. Guilds follow each other, so that they spread over shards evenly. */
const FIRST_GUILD_MS = 100_000_000_000;
const FIRST_USER_MS = 50_000_000_000;
const EPOCH_MS = 1_420_070_400_000;
const SHIFT = 22n;
const MAX_USERS = 10_000;
const JOINED_AT = '2024-01-01T00:00:00.000Z';
/** All permissions that a simple bot needs: view, send, history, reactions. */
const PERMISSIONS = '2147483647';

const GUILD_TEXT = 0;
const CHAT_INPUT = 1;
const APPLICATION_COMMAND = 2;

/** The guilds of the sandbox. Every payload is made when it is needed, from the guild's number alone. */
export class World {
  #lastMs = 0;
  #counter = 0n;

  constructor(private readonly options: WorldOptions) {}

  get guilds(): number {
    return this.options.guilds;
  }

  guildId(index: number): string {
    return String(BigInt(FIRST_GUILD_MS + index) << SHIFT);
  }

  /** The number of a guild, or null when there is no such guild. */
  guildIndex(id: string): number | null {
    if (!/^\d{1,20}$/.test(id)) return null;
    const index = Number(BigInt(id) >> SHIFT) - FIRST_GUILD_MS;
    return index >= 0 && index < this.options.guilds ? index : null;
  }

  channelId(guildIndex: number, channel: number): string {
    return String((BigInt(FIRST_GUILD_MS + guildIndex) << SHIFT) + BigInt(channel + 1));
  }

  shardOf(guildIndex: number, shardCount: number): number {
    return (FIRST_GUILD_MS + guildIndex) % shardCount;
  }

  *guildsOf(shardId: number, shardCount: number): Generator<number, void, void> {
    const first = (((shardId - FIRST_GUILD_MS) % shardCount) + shardCount) % shardCount;
    for (let index = first; index < this.options.guilds; index += shardCount) yield index;
  }

  /** A new id, of now. */
  snowflake(): string {
    const now = Date.now() - EPOCH_MS;
    this.#counter = now === this.#lastMs ? this.#counter + 1n : 0n;
    this.#lastMs = now;
    return String((BigInt(now) << SHIFT) + this.#counter);
  }

  guild(index: number, botId: string): Payload {
    return {
      ...this.guildSettings(index),
      joined_at: JOINED_AT,
      large: false,
      unavailable: false,
      member_count: this.options.membersPerGuild + 1,
      voice_states: [],
      members: [...this.members(index), this.#member(botUser(botId))],
      channels: this.channels(index),
      threads: [],
      presences: [],
      stage_instances: [],
      guild_scheduled_events: [],
      soundboard_sounds: [],
    };
  }

  /** What a guild is outside of the gateway. */
  guildSettings(index: number): Payload {
    const id = this.guildId(index);
    return {
      id,
      name: `Guild ${index}`,
      icon: null,
      splash: null,
      discovery_splash: null,
      banner: null,
      description: null,
      owner_id: this.user(this.userIndex(index, 0))['id'],
      afk_channel_id: null,
      afk_timeout: 300,
      verification_level: 0,
      default_message_notifications: 0,
      explicit_content_filter: 0,
      mfa_level: 0,
      nsfw_level: 0,
      nsfw: false,
      premium_tier: 0,
      premium_subscription_count: 0,
      premium_progress_bar_enabled: false,
      preferred_locale: 'en-US',
      system_channel_id: this.channelId(index, 0),
      system_channel_flags: 0,
      rules_channel_id: null,
      public_updates_channel_id: null,
      safety_alerts_channel_id: null,
      max_members: 500_000,
      vanity_url_code: null,
      application_id: null,
      features: [],
      emojis: [],
      stickers: [],
      roles: [
        {
          id,
          name: '@everyone',
          color: 0,
          colors: { primary_color: 0, secondary_color: null, tertiary_color: null },
          hoist: false,
          icon: null,
          unicode_emoji: null,
          position: 0,
          permissions: PERMISSIONS,
          managed: false,
          mentionable: false,
          flags: 0,
        },
      ],
    };
  }

  channels(index: number): Payload[] {
    return Array.from({ length: this.options.channelsPerGuild }, (_, channel) => this.channel(index, channel));
  }

  channel(index: number, channel: number): Payload {
    return {
      id: this.channelId(index, channel),
      type: GUILD_TEXT,
      guild_id: this.guildId(index),
      name: `channel-${channel}`,
      position: channel,
      parent_id: null,
      topic: null,
      nsfw: false,
      rate_limit_per_user: 0,
      permission_overwrites: [],
      last_message_id: null,
      flags: 0,
    };
  }

  members(index: number): Payload[] {
    return Array.from({ length: this.options.membersPerGuild }, (_, member) =>
      this.#member(this.user(this.userIndex(index, member))),
    );
  }

  member(index: number, member: number): Payload {
    return this.#member(this.user(this.userIndex(index, member)));
  }

  userIndex(guildIndex: number, member: number): number {
    return (guildIndex * 7 + member) % MAX_USERS;
  }

  user(index: number): Payload {
    return {
      id: String(BigInt(FIRST_USER_MS + index) << SHIFT),
      username: `user${index}`,
      global_name: `User ${index}`,
      discriminator: '0',
      avatar: null,
      bot: false,
      public_flags: 0,
    };
  }

  /** A member types `!ping` in the first channel of the guild. */
  pingMessage(index: number, id: string, withContent: boolean): Payload {
    const user = this.user(this.userIndex(index, 0));
    const member = { ...this.member(index, 0), user: undefined };
    return {
      ...messageBody(id, this.channelId(index, 0), user, withContent ? '!ping' : ''),
      guild_id: this.guildId(index),
      member,
    };
  }

  /** A member uses the slash command `ping`. */
  pingInteraction(index: number, id: string, botId: string): Payload {
    return {
      id,
      application_id: botId,
      type: APPLICATION_COMMAND,
      token: `interaction-${id}`,
      version: 1,
      data: { id: this.channelId(index, 99), name: 'ping', type: CHAT_INPUT },
      guild_id: this.guildId(index),
      guild: { id: this.guildId(index), locale: 'en-US', features: [] },
      guild_locale: 'en-US',
      channel_id: this.channelId(index, 0),
      channel: this.channel(index, 0),
      member: { ...this.member(index, 0), permissions: PERMISSIONS },
      locale: 'en-US',
      app_permissions: PERMISSIONS,
      entitlements: [],
      authorizing_integration_owners: { 0: this.guildId(index) },
      context: 0,
      attachment_size_limit: 10_485_760,
    };
  }

  #member(user: Payload): Payload {
    return {
      user,
      nick: null,
      avatar: null,
      roles: [],
      joined_at: JOINED_AT,
      premium_since: null,
      deaf: false,
      mute: false,
      pending: false,
      communication_disabled_until: null,
      flags: 0,
    };
  }
}

export function botUser(id: string): Payload {
  return {
    id,
    username: 'sandbox-bot',
    global_name: null,
    discriminator: '0',
    avatar: null,
    bot: true,
    verified: true,
    mfa_enabled: true,
    flags: 0,
    public_flags: 0,
    email: null,
  };
}

export function application(id: string): Payload {
  return {
    id,
    name: 'sandbox-bot',
    icon: null,
    description: 'The bot in the sandbox',
    bot_public: true,
    bot_require_code_grant: false,
    verify_key: '0'.repeat(64),
    flags: 0,
    bot: botUser(id),
    owner: { ...botUser('50000000000000001'), bot: false, username: 'owner' },
    team: null,
  };
}

export function messageBody(id: string, channelId: string, author: Payload, content: string): Payload {
  return {
    id,
    channel_id: channelId,
    type: 0,
    content,
    author,
    timestamp: new Date().toISOString(),
    edited_timestamp: null,
    tts: false,
    mention_everyone: false,
    mentions: [],
    mention_roles: [],
    attachments: [],
    embeds: [],
    components: [],
    pinned: false,
    flags: 0,
  };
}

/** A bot's id is the first part of its token, in base64; another token gets a fixed one. */
export function botIdOf(token: string): string {
  const id = Buffer.from(token.split('.', 1)[0] ?? '', 'base64').toString('latin1');
  return /^\d{17,20}$/.test(id) ? id : '900000000000000001';
}
