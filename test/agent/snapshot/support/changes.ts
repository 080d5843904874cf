import { ChannelType } from 'discord.js';
import type { Channel, Guild } from 'discord.js';
import type { OfflineClient } from './offline-client';
import { loose } from '../../../../src/agent/snapshot/encode/values';
import type { Json, Payloads } from './payloads';
import type { Random } from './random';

/** Sends a random run of later gateway events, which refer to what the client has cached. */
export class Changes {
  constructor(
    private readonly random: Random,
    private readonly make: Payloads,
    private readonly target: OfflineClient,
  ) {}

  run(count: number): void {
    const kinds = [
      this.guildUpdate,
      this.channelCreate,
      this.channelUpdate,
      this.channelDelete,
      this.pins,
      this.threadCreate,
      this.threadUpdate,
      this.threadDelete,
      this.threadMembers,
      this.threadListSync,
      this.memberAdd,
      this.memberUpdate,
      this.memberRemove,
      this.membersChunk,
      this.roleCreate,
      this.roleUpdate,
      this.roleDelete,
      this.presence,
      this.voice,
      this.emojis,
      this.stickers,
      this.eventCreate,
      this.eventUpdate,
      this.eventDelete,
      this.stage,
      this.sound,
      this.ban,
      this.invite,
      this.automod,
      this.message,
      this.directMessage,
      this.reaction,
      this.userUpdate,
      this.entitlement,
      this.guildOutage,
      this.guildDelete,
    ];
    for (let done = 0; done < count; done += 1) {
      const guild = this.#guild();
      if (guild) this.random.pick(kinds).call(this, guild);
    }
  }

  #guild(): Guild | undefined {
    const loaded = [...this.target.client.guilds.cache.filter((guild) => guild.available).values()];
    return loaded.length > 0 ? this.random.pick(loaded) : undefined;
  }

  #send(guild: Guild, t: string, d: Json): void {
    this.target.dispatch(t, { guild_id: guild.id, ...d }, guild.shardId);
  }

  #channels(guild: Guild, ...types: ChannelType[]): Channel[] {
    const all = [...(guild.channels.cache.values() as Iterable<Channel>)];
    return all.filter((channel) => types.length === 0 || types.includes(channel.type));
  }

  #roleIds(guild: Guild): string[] {
    return [...guild.roles.cache.keys()];
  }

  #anyMemberId(guild: Guild): string {
    const ids = [...guild.members.cache.keys()];
    return ids.length > 0 ? this.random.pick(ids) : String(this.make.anyUser()['id']);
  }

  private guildUpdate(guild: Guild): void {
    const ownerId = this.make.anyUser()['id'];
    this.target.dispatch(
      'GUILD_UPDATE',
      { id: guild.id, ...this.make.guildFields(), owner_id: ownerId },
      guild.shardId,
    );
  }

  private channelCreate(guild: Guild): void {
    const type = this.random.pick([
      ChannelType.GuildText,
      ChannelType.GuildVoice,
      ChannelType.GuildCategory,
      ChannelType.GuildForum,
      ChannelType.GuildMedia,
      ChannelType.GuildStageVoice,
      ChannelType.GuildAnnouncement,
    ]);
    this.#send(guild, 'CHANNEL_CREATE', this.make.channel(type, this.#roleIds(guild), this.#categoryIds(guild)));
  }

  #categoryIds(guild: Guild): string[] {
    return this.#channels(guild, ChannelType.GuildCategory).map((channel) => channel.id);
  }

  private channelUpdate(guild: Guild): void {
    const channel = this.random.pick(this.#channels(guild));
    if (channel.isThread()) return;
    // Text and announcement channels can be turned into one another.
    const swap = channel.type === ChannelType.GuildText && channel.threads.cache.size === 0 && this.random.chance(0.3);
    const type = swap ? ChannelType.GuildAnnouncement : channel.type;
    const payload = this.make.channel(type, this.#roleIds(guild), this.#categoryIds(guild), channel.id);
    this.#send(guild, 'CHANNEL_UPDATE', payload);
  }

  private channelDelete(guild: Guild): void {
    const channels = this.#channels(guild).filter((one) => !one.isThread());
    if (channels.length < 8) return;
    const channel = this.random.pick(channels);
    this.#send(guild, 'CHANNEL_DELETE', { id: channel.id, type: channel.type });
  }

  private pins(guild: Guild): void {
    for (const channel of this.#channels(guild, ChannelType.GuildText).slice(0, 1)) {
      const time = this.random.orNull(this.random.time());
      this.#send(guild, 'CHANNEL_PINS_UPDATE', { channel_id: channel.id, last_pin_timestamp: time });
    }
  }

  private threadCreate(guild: Guild): void {
    const parents = this.#channels(guild, ChannelType.GuildText, ChannelType.GuildForum, ChannelType.GuildAnnouncement);
    if (parents.length === 0) return;
    const parent = this.random.pick(parents);
    this.#send(guild, 'THREAD_CREATE', this.make.thread({ id: parent.id, type: parent.type }, guild.id));
  }

  #thread(guild: Guild): Channel | undefined {
    const threads = this.#channels(guild).filter((channel) => channel.isThread());
    return threads.length > 0 ? this.random.pick(threads) : undefined;
  }

  private threadUpdate(guild: Guild): void {
    const thread = this.#thread(guild);
    if (!thread?.isThread() || thread.parentId === null) return;
    const payload = this.make.thread({ id: thread.parentId, type: ChannelType.GuildText }, guild.id);
    this.#send(guild, 'THREAD_UPDATE', { ...payload, id: thread.id, type: thread.type });
  }

  private threadDelete(guild: Guild): void {
    const thread = this.#thread(guild);
    if (thread) this.#send(guild, 'THREAD_DELETE', { id: thread.id, type: thread.type });
  }

  private threadMembers(guild: Guild): void {
    const thread = this.#thread(guild);
    if (!thread) return;
    const added = this.random.list(0, 4, () => {
      const id = this.#anyMemberId(guild);
      const user = guild.members.cache.get(id)?.user;
      const member = user && this.random.chance(0.5) ? this.make.member(this.make.user(id), []) : undefined;
      return this.make.threadMember(thread.id, id, member);
    });
    const removed = this.random.chance(0.3) ? [this.#anyMemberId(guild)] : [];
    this.#send(guild, 'THREAD_MEMBERS_UPDATE', {
      id: thread.id,
      member_count: this.random.int(0, 50),
      added_members: added,
      removed_member_ids: removed,
    });
  }

  private threadListSync(guild: Guild): void {
    const parent = this.#channels(guild, ChannelType.GuildText)[0];
    if (!parent) return;
    const threads = this.random.list(0, 2, () => this.make.thread({ id: parent.id, type: parent.type }, guild.id));
    const members = threads.map((thread) => this.make.threadMember(String(thread['id']), this.make.botId, undefined));
    this.#send(guild, 'THREAD_LIST_SYNC', { channel_ids: [parent.id], threads, members });
  }

  private memberAdd(guild: Guild): void {
    const user = this.random.chance(0.5) ? this.make.user() : this.make.anyUser();
    this.#send(guild, 'GUILD_MEMBER_ADD', this.make.member(user, this.#roleIds(guild)));
  }

  private memberUpdate(guild: Guild): void {
    const user = this.make.user(this.#anyMemberId(guild));
    this.#send(guild, 'GUILD_MEMBER_UPDATE', this.make.member(user, this.#roleIds(guild)));
  }

  private memberRemove(guild: Guild): void {
    const id = this.#anyMemberId(guild);
    if (id !== this.make.botId) this.#send(guild, 'GUILD_MEMBER_REMOVE', { user: this.make.user(id) });
  }

  private membersChunk(guild: Guild): void {
    const members = this.random.list(1, 5, () => this.make.member(this.make.user(), this.#roleIds(guild)));
    const presences = members.map((member) => this.make.presence(String((member['user'] as Json)['id']), guild.id));
    this.#send(guild, 'GUILD_MEMBERS_CHUNK', { members, presences, chunk_index: 0, chunk_count: 1 });
  }

  private roleCreate(guild: Guild): void {
    this.#send(guild, 'GUILD_ROLE_CREATE', { role: this.make.role(this.make.id(), this.random.int(1, 50)) });
  }

  private roleUpdate(guild: Guild): void {
    const id = this.random.pick(this.#roleIds(guild));
    this.#send(guild, 'GUILD_ROLE_UPDATE', { role: this.make.role(id, this.random.int(1, 50)) });
  }

  private roleDelete(guild: Guild): void {
    const id = this.random.pick(this.#roleIds(guild));
    if (id !== guild.id) this.#send(guild, 'GUILD_ROLE_DELETE', { role_id: id });
  }

  private presence(guild: Guild): void {
    this.#send(guild, 'PRESENCE_UPDATE', this.make.presence(this.#anyMemberId(guild), guild.id));
  }

  private voice(guild: Guild): void {
    const channels = this.#channels(guild, ChannelType.GuildVoice, ChannelType.GuildStageVoice);
    const id = this.#anyMemberId(guild);
    if (channels.length === 0 || id === this.make.botId) return;
    const channelId = this.random.orNull(this.random.pick(channels).id);
    const member = this.random.chance(0.5) ? { member: this.make.member(this.make.user(id), []) } : {};
    this.#send(guild, 'VOICE_STATE_UPDATE', { ...this.make.voiceState(id, channelId, guild.id), ...member });
  }

  private emojis(guild: Guild): void {
    const kept = this.random.some([...guild.emojis.cache.keys()], 0.7);
    const emojis = kept.map((id) => this.make.emoji(this.#roleIds(guild), id));
    this.#send(guild, 'GUILD_EMOJIS_UPDATE', { emojis: [...emojis, this.make.emoji(this.#roleIds(guild))] });
  }

  private stickers(guild: Guild): void {
    this.#send(guild, 'GUILD_STICKERS_UPDATE', { stickers: this.random.list(0, 3, () => this.make.sticker(guild.id)) });
  }

  private eventCreate(guild: Guild): void {
    this.#send(guild, 'GUILD_SCHEDULED_EVENT_CREATE', this.make.scheduledEvent(guild.id));
  }

  private eventUpdate(guild: Guild): void {
    const event = guild.scheduledEvents.cache.first();
    if (!event) return;
    this.#send(guild, 'GUILD_SCHEDULED_EVENT_UPDATE', { ...this.make.scheduledEvent(guild.id), id: event.id });
  }

  private eventDelete(guild: Guild): void {
    const event = guild.scheduledEvents.cache.first();
    if (event) this.#send(guild, 'GUILD_SCHEDULED_EVENT_DELETE', { id: event.id });
  }

  private stage(guild: Guild): void {
    const channel = this.#channels(guild, ChannelType.GuildStageVoice)[0];
    if (channel) this.#send(guild, 'STAGE_INSTANCE_CREATE', this.make.stage(guild.id, channel.id));
  }

  private sound(guild: Guild): void {
    this.#send(guild, 'GUILD_SOUNDBOARD_SOUND_CREATE', this.make.sound(guild.id));
  }

  private ban(guild: Guild): void {
    this.#send(guild, 'GUILD_BAN_ADD', { user: this.random.chance(0.5) ? this.make.user() : this.make.anyUser() });
  }

  private invite(guild: Guild): void {
    const channel = this.#channels(guild, ChannelType.GuildText)[0];
    if (!channel) return;
    const r = this.random;
    this.#send(guild, 'INVITE_CREATE', {
      channel_id: channel.id,
      code: r.hash(),
      created_at: r.time(),
      max_age: r.int(0, 9999),
      max_uses: r.int(0, 9),
      temporary: r.chance(0.5),
      uses: 0,
      type: 0,
      expires_at: r.orNull(r.time()),
      ...r.optional({ inviter: this.make.anyUser(), target_user: this.make.anyUser(), target_type: 1, flags: 1 }),
    });
  }

  private automod(guild: Guild): void {
    this.#send(guild, 'AUTO_MODERATION_RULE_CREATE', {
      id: this.make.id(),
      creator_id: this.make.id(),
      name: this.random.text(),
      event_type: 1,
      trigger_type: 1,
      trigger_metadata: this.random.optional({ keyword_filter: ['x'], allow_list: ['y'], mention_total_limit: 3 }),
      actions: [{ type: 1, metadata: this.random.optional({ custom_message: this.random.text() }) }],
      enabled: this.random.chance(0.5),
      exempt_roles: this.random.some(this.#roleIds(guild), 0.3),
      exempt_channels: this.#channels(guild)
        .slice(0, 1)
        .map((channel) => channel.id),
    });
  }

  private message(guild: Guild): void {
    const channels = this.#channels(guild).filter((channel) => channel.isTextBased());
    if (channels.length === 0) return;
    const author = this.random.chance(0.3) ? this.make.user() : this.make.anyUser();
    const channel = this.random.pick(channels);
    this.target.dispatch('MESSAGE_CREATE', this.make.message(channel.id, guild.id, author), guild.shardId);
  }

  private directMessage(): void {
    const author = this.make.user();
    const channel = { id: this.make.id(), type: 1, recipients: [author], last_message_id: null, flags: 0 };
    if (this.random.chance(0.5)) this.target.dispatch('CHANNEL_CREATE', channel);
    const message = this.make.message(channel.id, undefined, author);
    this.target.dispatch('MESSAGE_CREATE', { ...message, channel_type: 1 });
  }

  private reaction(guild: Guild): void {
    for (const channel of this.#channels(guild)) {
      if (!channel.isTextBased()) continue;
      const message = channel.messages.cache.first();
      if (!message) continue;
      this.#send(guild, 'MESSAGE_REACTION_ADD', {
        user_id: this.#anyMemberId(guild),
        channel_id: channel.id,
        message_id: message.id,
        emoji: this.random.pick<Json>([
          { id: null, name: '🎉' },
          { id: '123456789012345678', name: 'x', animated: true },
        ]),
        burst: this.random.chance(0.2),
        type: 0,
      });
      return;
    }
  }

  private userUpdate(guild: Guild): void {
    this.target.dispatch('USER_UPDATE', this.make.user(this.#anyMemberId(guild)));
  }

  private entitlement(): void {
    const r = this.random;
    this.target.dispatch('ENTITLEMENT_CREATE', {
      id: this.make.id(),
      sku_id: this.make.id(),
      application_id: this.make.botId,
      type: 8,
      deleted: false,
      ...r.optional({ user_id: this.make.id(), guild_id: this.make.id(), consumed: true }),
      ...r.optional({ starts_at: r.orNull(r.time()), ends_at: r.orNull(r.time()) }),
    });
  }

  private guildOutage(guild: Guild): void {
    if (!this.random.chance(0.1)) return;
    this.target.dispatch('GUILD_DELETE', { id: guild.id, unavailable: true }, guild.shardId);
    if (!this.random.chance(0.5)) return;
    const back = this.make.guild(guild.id, { members: 10, channels: 0 });
    const roleIds = this.#roleIds(guild);
    const categoryIds = this.#categoryIds(guild);
    const [threads, channels] = partition(this.#channels(guild), (channel) => channel.isThread());
    this.target.dispatch(
      'GUILD_CREATE',
      {
        ...back,
        roles: roleIds.map((id, position) => this.make.role(id, position)),
        channels: channels.map(({ type, id }) => this.make.channel(type, roleIds, categoryIds, id)),
        threads: threads.map((thread) => ({
          ...this.make.thread({ id: loose(thread)['parentId'], type: ChannelType.GuildText }, guild.id),
          id: thread.id,
          type: thread.type,
        })),
        voice_states: [],
        stage_instances: [],
      },
      guild.shardId,
    );
  }

  private guildDelete(guild: Guild): void {
    if (this.random.chance(0.1)) this.target.dispatch('GUILD_DELETE', { id: guild.id }, guild.shardId);
  }
}

function partition<T>(values: T[], test: (value: T) => boolean): [T[], T[]] {
  return [values.filter(test), values.filter((value) => !test(value))];
}
