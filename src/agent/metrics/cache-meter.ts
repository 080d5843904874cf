import type { Client, Guild } from 'discord.js';
import type { Meter } from './meter';

/** Walking over all guilds and channels costs milliseconds in a large process: not with every sample, ms. */
const INTERVAL_MS = 30_000;

function entries(manager: { cache: { size: number } } | undefined): number {
  return manager?.cache.size ?? 0;
}

/** Measures the caches of discord.js, whose growth is the commonest cause of a full heap. */
export class CacheMeter {
  #measuredAt = -Infinity;

  constructor(private readonly meter: Meter) {}

  measure(clients: Iterable<Client>, now: number): void {
    if (now - this.#measuredAt < INTERVAL_MS) return;
    this.#measuredAt = now;
    const sizes = {
      guilds: 0,
      users: 0,
      channels: 0,
      members: 0,
      roles: 0,
      presences: 0,
      voice_states: 0,
      emojis: 0,
      messages: 0,
    };
    let members = 0;
    for (const { guilds, users, channels } of clients) {
      sizes.guilds += guilds.cache.size;
      sizes.users += users.cache.size;
      sizes.channels += channels.cache.size;
      for (const guild of guilds.cache.values()) {
        // What an unavailable guild or a bot's own structure lacks counts as nothing.
        const known: Partial<Guild> = guild;
        members += known.memberCount || 0;
        sizes.members += entries(known.members);
        sizes.roles += entries(known.roles);
        sizes.presences += entries(known.presences);
        sizes.voice_states += entries(known.voiceStates);
        sizes.emojis += entries(known.emojis);
      }
      for (const channel of channels.cache.values()) {
        if ('messages' in channel) sizes.messages += entries(channel.messages);
      }
    }
    for (const [kind, size] of Object.entries(sizes)) this.meter.gauge('discord_cache_entries', { kind }).value = size;
    this.meter.gauge('members').value = members;
  }
}
