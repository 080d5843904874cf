import type { User } from 'discord.js';
import type { Payload } from '../format';
import { bits, copyFields, copySetFields, loose } from './values';
import type { FieldTable } from './values';

const SET_FIELDS: FieldTable = [
  ['username', 'username'],
  ['global_name', 'globalName'],
  ['discriminator', 'discriminator'],
  ['avatar', 'avatar'],
  ['avatar_decoration', 'avatarDecoration'],
];

/** Null (fetched, has none) and absent (never fetched) differ here. */
const FETCHED_FIELDS: FieldTable = [
  ['banner', 'banner'],
  ['accent_color', 'accentColor'],
];

/** Encodes users and notes which have been seen, so that only the others need records of their own. */
export class UserEncoder {
  /** Ids of users that a record of a guild has carried. */
  readonly seen = new Set<string>();
  /** Ids of users that were met outside the users cache. */
  readonly uncached = new Set<string>();
  readonly #touched = new Set<string>();

  constructor(private readonly cache: ReadonlyMap<string, unknown>) {}

  encode(user: User): Payload {
    this.seen.add(user.id);
    if (!this.cache.has(user.id)) this.uncached.add(user.id);
    return this.encodeAgain(user);
  }

  /** The user changes now: what is written of it from here on says also what it has not. */
  touch(id: string): void {
    this.seen.delete(id);
    this.#touched.add(id);
  }

  /** Without a note of it. */
  encodeAgain(user: User): Payload {
    const out = encodeUser(user);
    if (this.#touched.has(user.id)) addAbsent(out, user);
    return out;
  }

  /** For fields that start with null. */
  encodeIfSet(user: User | null | undefined): Payload | undefined {
    return user ? this.encode(user) : undefined;
  }
}

/** Says explicitly what a user has not: where the record arrives, an older state of the user may be known. */
function addAbsent(out: Payload, user: User): void {
  const from = loose(user);
  for (const [api, property] of SET_FIELDS) if (from[property] === null) out[api] = null;
  for (const flag of ['bot', 'system']) if (from[flag] === false) out[flag] = false;
  for (const field of ['avatar_decoration_data', 'collectibles', 'primary_guild']) out[field] ??= null;
}

export function encodeUser(user: User): Payload {
  const from = loose(user);
  const out: Payload = { id: user.id };
  copySetFields(out, from, SET_FIELDS);
  copyFields(out, from, FETCHED_FIELDS);
  const known = typeof from['username'] === 'string';
  out['bot'] = user.bot || (known ? undefined : (from['bot'] ?? undefined));
  out['system'] = user.system || (known ? undefined : (from['system'] ?? undefined));
  out['public_flags'] = bits(user.flags);
  out['avatar_decoration_data'] = encodeDecoration(user.avatarDecorationData);
  out['collectibles'] = encodeCollectibles(user.collectibles);
  const clan = user.primaryGuild;
  if (clan) {
    out['primary_guild'] = {
      identity_guild_id: clan.identityGuildId,
      identity_enabled: clan.identityEnabled,
      tag: clan.tag,
      badge: clan.badge,
    };
  }
  return out;
}

export function encodeDecoration(data: User['avatarDecorationData']): Payload | undefined {
  return data ? { asset: data.asset, sku_id: data.skuId } : undefined;
}

export function encodeCollectibles(data: User['collectibles']): Payload | undefined {
  if (!data) return undefined;
  const plate = data.nameplate;
  return {
    nameplate: plate && { sku_id: plate.skuId, asset: plate.asset, label: plate.label, palette: plate.palette },
  };
}
