import type { Client, Guild, User } from 'discord.js';

/*
 * The parts of discord.js 14 that hydration uses although its types keep them private. They are the same entry points
 * that discord.js's own packet handlers use.
 */

/** A manager that builds structures from payloads. */
export interface Adder<T = object> {
  readonly cache: Map<string, T>;
  _add(data: object, cache?: boolean): T;
}

export interface Patchable {
  _patch(data: object): void;
}

/** Shard of discord.js's own manager, which waits for the guilds that READY has named. */
export interface ShardInternals {
  readonly id: number;
  readonly status: number;
  /** Null before READY. */
  readonly expectedGuilds?: ReadonlySet<string> | null;
  gotGuild(guildId: string): void;
}

/** `Status.Ready` of discord.js. */
export const STATUS_READY = 0;

export function adder<T extends object>(manager: { readonly cache: ReadonlyMap<string, T> }): Adder<T> {
  return manager as unknown as Adder<T>;
}

export function patchable(structure: object): Patchable {
  return structure as Patchable;
}

export function shardOf(client: Client, shardId: number): ShardInternals | undefined {
  return client.ws.shards.get(shardId) as unknown as ShardInternals | undefined;
}

/** The own properties that hydration sets, as discord.js sets them itself. */
export interface WritableGuild {
  available: boolean;
  vanityURLUses: number | null;
}

export function writableGuild(guild: Guild): WritableGuild {
  return guild;
}

/** `client.ws`, whose status its types do not let anybody set. */
export function writableManager(manager: Client['ws']): { status: number } {
  return manager;
}

export function usersOf(client: Client): Adder<User> {
  return adder(client.users);
}
