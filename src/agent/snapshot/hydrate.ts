import { setTimeout as delay } from 'node:timers/promises';
import type { Channel, Client, Guild, Message, ThreadChannel } from 'discord.js';
import { SnapshotError } from './errors';
import type {
  GuildEntriesRecord,
  GuildRecord,
  HeaderRecord,
  MessageEntry,
  Payload,
  ShardGuilds,
  SnapshotRecord,
  ThreadMembersRecord,
} from './format';
import { adder, patchable, shardOf, STATUS_READY, usersOf, writableGuild, writableManager } from './internals';
import { Slices } from './slices';

/** The part of @discordjs/ws's WebSocketManager that is needed: discord.js listens to these events. */
export interface GatewayStream {
  emit(event: 'ready' | 'dispatch', payload: { data: object; shardId: number }): unknown;
}

export interface HydrationResult {
  /** Guilds whose contents were restored. */
  guilds: number;
  /** Lesser cache entries (a ban, an invite, a message, ...) that discord.js did not accept. */
  skipped: number;
}

/** Stands among the guilds a shard waits for, so that it is not ready before everything is restored. */
const HOLD = '0';
/** Longest delay a timer takes, ms. */
const NEVER_MS = 2 ** 31 - 1;
/** discord.js's own, for options that do without it. */
const DEFAULT_GUILD_TIMEOUT_MS = 15_000;
/** Bit of the Guilds intent. */
const GUILDS_INTENT = 1;
/** Records after which what follows is not a guild's any more. */
const BELONGS_TO_NO_GUILD: ReadonlySet<SnapshotRecord['k']> = new Set([
  'dms',
  'users',
  'entitlements',
  'uncachedUsers',
]);
const READY_POLL_MS = 2;
const READY_POLLS = 1000;

/** One run of a snapshot into a fresh client. Records of shards that the header does not name are passed over. */
export class Hydration {
  readonly #slices = new Slices();
  readonly #shardIds: ReadonlySet<number>;
  /** The records that follow belong to a guild of another cluster's. */
  #passing = false;
  #guilds = 0;
  #skipped = 0;
  #guildTimeout = DEFAULT_GUILD_TIMEOUT_MS;

  constructor(
    private readonly manager: GatewayStream,
    private readonly client: Client,
    private readonly header: HeaderRecord,
  ) {
    this.#shardIds = new Set(header.meta.shardIds);
  }

  async run(records: AsyncIterable<SnapshotRecord>): Promise<HydrationResult> {
    this.check();
    if (this.#waitsForGuilds) {
      this.begin();
      try {
        await this.#applyAll(records);
        await this.release();
      } finally {
        this.abandon();
      }
    } else {
      // Such a shard waits for no guild: it is ready right after READY, so READY comes last.
      await this.#applyAll(records);
      this.#ready([]);
      await this.#untilReady();
    }
    return this.result;
  }

  get result(): HydrationResult {
    return { guilds: this.#guilds, skipped: this.#skipped };
  }

  /**
   * For a copy that is taken over piece by piece: after it, `apply` may be called until `release`.
   * @throws {SnapshotError} without the Guilds intent: such a client cannot be held back
   */
  begin(): void {
    if (!this.#waitsForGuilds)
      throw new SnapshotError('without the Guilds intent a client does not wait for its caches');
    this.#guildTimeout = this.client.options.waitGuildTimeout ?? DEFAULT_GUILD_TIMEOUT_MS;
    this.client.options.waitGuildTimeout = NEVER_MS;
    this.#ready([HOLD]);
  }

  /** Lets shards and client be ready; resolves when they are. */
  async release(): Promise<void> {
    // Nobody else is coming: a shard with unavailable guilds says so at once instead of after the usual wait.
    this.client.options.waitGuildTimeout = 0;
    try {
      for (const { id } of this.header.shards) {
        // Each in a turn of its own: what the bot's ready listeners throw is theirs, as under a normal start.
        setImmediate(() => shardOf(this.client, id)?.gotGuild(HOLD));
      }
      await this.#untilReady();
    } finally {
      this.abandon();
    }
  }

  /** After `begin`, when there will be no `release`: the client waits for its guilds as ever. */
  abandon(): void {
    this.client.options.waitGuildTimeout = this.#guildTimeout;
  }

  /** What the client's gateway brought to the process that is copied. Listeners of the bot are the caller's business. */
  applyDispatch(shardId: number, t: string, d: Payload): void {
    if (!this.#shardIds.has(shardId)) return;
    const { ws } = this.client;
    const before = ws.status;
    // Else discord.js would keep it until the client is ready.
    writableManager(ws).status = STATUS_READY;
    try {
      this.#dispatch(t, d, shardId);
    } catch {
      this.#skipped += 1;
    } finally {
      writableManager(ws).status = before;
    }
  }

  get #waitsForGuilds(): boolean {
    return (this.header.intents & GUILDS_INTENT) !== 0;
  }

  /** @throws {SnapshotError} when the client is another bot, or has other intents */
  check(): void {
    const { options } = this.client;
    if (options.intents.bitfield !== this.header.intents) {
      throw new SnapshotError('the intents of the bot have changed; a resumed session would keep the old ones');
    }
    const botId = botIdOf(this.client.token);
    if (botId !== null && botId !== this.header.user['id']) {
      throw new SnapshotError('the snapshot is of another bot than the token');
    }
    for (const { id } of this.header.shards) {
      if (!shardOf(this.client, id)) throw new SnapshotError(`discord.js has no shard ${id} yet`);
    }
  }

  #ready(holds: string[]): void {
    for (const shard of this.header.shards) {
      const awaited = [...shard.guilds, ...holds].map(unavailableGuild);
      this.manager.emit('ready', { data: this.#readyData(shard, awaited), shardId: shard.id });
      this.#dispatch('READY', this.#readyData(shard, shard.guilds.map(unavailableGuild)), shard.id);
    }
    const { user } = this.client;
    if (user) patchable(user.presence)._patch(this.header.presence);
  }

  #readyData(shard: ShardGuilds, guilds: Payload[]): Payload {
    return {
      v: 10,
      user: { ...this.header.user },
      guilds,
      // Sessions are none of the snapshot's business.
      session_id: '',
      resume_gateway_url: '',
      shard: [shard.id, this.header.meta.totalShards],
      application: { ...this.header.application },
    };
  }

  #dispatch(t: string, d: Payload, shardId: number): void {
    this.manager.emit('dispatch', { data: { op: 0, t, s: 0, d }, shardId });
  }

  async #applyAll(records: AsyncIterable<SnapshotRecord>): Promise<void> {
    for await (const record of records) {
      this.apply(record);
      if (this.#slices.over) await this.#slices.pause();
    }
  }

  /** @throws {SnapshotError} when a guild cannot be restored */
  apply(record: SnapshotRecord): void {
    if (record.k === 'guild') this.#passing = !this.#shardIds.has(record.shard);
    else if (BELONGS_TO_NO_GUILD.has(record.k)) this.#passing = false;
    if (this.#passing) return;
    switch (record.k) {
      case 'guild':
        this.#addGuild(record);
        break;
      case 'members':
      case 'presences':
      case 'bans':
      case 'invites':
      case 'autoModerationRules':
        this.#addToGuild(record);
        break;
      case 'threadMembers':
        this.#addThreadMembers(record);
        break;
      case 'messages':
        this.#each(record.d, (entry) => this.#addMessage(record.channel, entry));
        break;
      case 'dms':
        this.#each(record.d, (data) => adder(this.client.channels)._add(data));
        break;
      case 'users':
        this.#each(record.d, (data) => usersOf(this.client)._add(data));
        break;
      case 'entitlements': {
        const { application } = this.client;
        if (application) this.#each(record.d, (data) => adder(application.entitlements)._add(data));
        return;
      }
      case 'uncachedUsers':
        for (const id of record.d) if (id !== this.client.user?.id) this.client.users.cache.delete(id);
    }
  }

  #addGuild(record: GuildRecord): void {
    const id = String(record.d['id']);
    try {
      if (record.outage) this.#guild(id, (guild) => patchable(guild)._patch(record.d));
      else this.#dispatch('GUILD_CREATE', record.d, record.shard);
    } catch (error) {
      const restored = this.client.guilds.cache.get(id)?.available;
      if (!restored) throw new SnapshotError(`guild ${id} could not be restored`, { cause: error });
      // A listener of the bot threw; discord.js has the guild, but did not come as far as to count it.
      shardOf(this.client, record.shard)?.gotGuild(id);
    }
    this.#guild(id, (guild) => {
      if (record.outage) writableGuild(guild).available = false;
      writableGuild(guild).vanityURLUses = record.vanityURLUses;
    });
    this.#guilds += 1;
  }

  #guild(id: string, use: (guild: Guild) => void): void {
    const guild = this.client.guilds.cache.get(id);
    if (!guild) throw new SnapshotError(`guild ${id} is missing in the client`);
    use(guild);
  }

  #addToGuild(record: GuildEntriesRecord): void {
    const guild = this.client.guilds.cache.get(record.guild);
    if (!guild) {
      this.#skipped += record.d.length;
      return;
    }
    switch (record.k) {
      case 'members':
        this.#each(record.d, (data) => adder(guild.members)._add(data));
        break;
      case 'presences':
        this.#each(record.d, (data) => adder(guild.presences)._add({ ...data, guild }));
        break;
      case 'bans':
        this.#each(record.d, (data) => adder(guild.bans)._add(data));
        break;
      case 'invites':
        this.#each(record.d, (data) => adder(guild.invites)._add(data));
        break;
      case 'autoModerationRules':
        this.#each(record.d, (data) => adder(guild.autoModerationRules)._add(data));
        break;
    }
  }

  #addThreadMembers(record: ThreadMembersRecord): void {
    const thread = this.client.channels.cache.get(record.thread) as ThreadChannel | undefined;
    if (!thread) {
      this.#skipped += record.d.length;
      return;
    }
    this.#each(record.d, ({ data, withMember }) => {
      const added = adder<object>(thread.members)._add(data);
      // Not by `member` in the payload: that would patch the guild member with half of its fields.
      if (withMember) {
        Object.assign(added, { member: thread.guild.members.cache.get(String(data['user_id'])) ?? null });
      }
    });
  }

  #addMessage(channelId: string, { data, users: named, repliedUser, reactors }: MessageEntry): void {
    const channel = this.client.channels.cache.get(channelId) as Channel;
    if (!('messages' in channel)) throw new SnapshotError(`channel ${channelId} takes no messages`);
    for (const user of named) usersOf(this.client)._add(user);
    const message = adder<object>(channel.messages)._add(data) as Message;
    const users = this.client.users.cache;
    if (repliedUser !== null) message.mentions.repliedUser = users.get(repliedUser) ?? null;
    for (const [key, ids] of reactors) {
      const reaction = message.reactions.cache.get(key);
      for (const id of ids) {
        const user = users.get(id);
        if (user) reaction?.users.cache.set(id, user);
      }
    }
  }

  /** Adds lesser entries; one that discord.js refuses is worth neither the others nor the resume. */
  #each<T>(entries: T[], add: (entry: T) => unknown): void {
    for (const entry of entries) {
      try {
        add(entry);
      } catch {
        this.#skipped += 1;
      }
    }
  }

  async #untilReady(): Promise<void> {
    for (let poll = 0; poll < READY_POLLS; poll += 1) {
      await delay(READY_POLL_MS);
      if (this.header.shards.every(({ id }) => shardOf(this.client, id)?.status === STATUS_READY)) return;
    }
    throw new SnapshotError('discord.js did not find the restored shards ready');
  }
}

function unavailableGuild(id: string): Payload {
  return { id, unavailable: true };
}

/** The bot's id is the first part of its token; null when the token has another form. */
function botIdOf(token: string | null): string | null {
  const id = Buffer.from(token?.split('.', 1)[0] ?? '', 'base64').toString('latin1');
  return /^\d{17,20}$/.test(id) ? id : null;
}
