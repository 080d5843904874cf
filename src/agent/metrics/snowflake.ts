const DISCORD_EPOCH_MS = 1_420_070_400_000;
const MS_SHIFT = 2 ** 22;

/** When Discord made an id, ms since the epoch; NaN for what is none. */
export function snowflakeTime(id: string): number {
  // A double loses the lowest bits of the id, which are not part of its time.
  return Math.floor(Number(id) / MS_SHIFT) + DISCORD_EPOCH_MS;
}
