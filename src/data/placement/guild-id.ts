import { DataError } from '../data-error';

/** A guild's id: 64 bits, so text of digits (as discord.js gives it) or a bigint, never a number. */
export type GuildId = string | bigint;

/** Largest value of Postgres's bigint. Discord's ids reach it in the year 2084. */
const MAX = 2n ** 63n - 1n;
const DIGITS = /^[1-9]\d{0,18}$/;

/** @throws DataError INVALID_GUILD_ID, saying what is wrong with it. */
export function parseGuildId(id: unknown): bigint {
  if (typeof id === 'string' && DIGITS.test(id)) {
    const value = BigInt(id);
    if (value <= MAX) return value;
  } else if (typeof id === 'bigint' && id > 0n && id <= MAX) {
    return id;
  }
  throw new DataError('INVALID_GUILD_ID', complaint(id));
}

function complaint(id: unknown): string {
  if (typeof id === 'number') {
    return `A guild id may not be a number (${id}): numbers lose the last digits of 64-bit ids. Pass guild.id as it is, or a bigint.`;
  }
  const shown =
    typeof id === 'string' ? JSON.stringify(id.slice(0, 40)) : typeof id === 'bigint' ? `${id}n` : typeof id;
  return `Not a guild id: ${shown}. Expected digits in a string, or a bigint, from 1 to 2^63 - 1.`;
}
