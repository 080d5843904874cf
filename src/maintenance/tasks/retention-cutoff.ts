/** Types of columns that tell how old a row is. */
export type AgeType = 'timestamptz' | 'timestamp' | 'date' | 'seconds' | 'milliseconds' | 'snowflake';

const HOUR_MS = 3_600_000;
/** No offset of a zone lasts shorter. */
const LOOK_MS = HOUR_MS;
/** No clock is put back by more than a day, so what comes later than this is later by any clock. */
const FOLD_MS = 48 * HOUR_MS;
const DISCORD_EPOCH_MS = 1_420_070_400_000n;

/**
 * The value below which every row is certainly older than `keepMs`, as Postgres reads it. Where a time by the clock may
 * mean two moments, the later one counts. Pure.
 * @param zone in which a `timestamp` or `date` was written down
 */
export function cutoffFor(type: AgeType, now: Date, keepMs: number, zone: string): string {
  const cutoff = now.getTime() - keepMs;
  switch (type) {
    case 'timestamptz':
      return new Date(cutoff).toISOString();
    case 'timestamp':
      return clockTime(safeClock(cutoff, zone));
    case 'date':
      // A day is over when the next one has begun.
      return clockTime(safeClock(cutoff, zone)).slice(0, 10);
    case 'seconds':
      return String(Math.floor(cutoff / 1_000));
    case 'milliseconds':
      return String(cutoff);
    case 'snowflake':
      return String((BigInt(Math.floor(cutoff)) - DISCORD_EPOCH_MS) << 22n);
  }
}

/** The earliest time that the clock shows at `instant` or ever after, as ms of a clock that runs at UTC. */
function safeClock(instant: number, zone: string): number {
  let least = Infinity;
  for (let at = instant; at <= instant + FOLD_MS; at += LOOK_MS) least = Math.min(least, offsetMs(at, zone));
  return instant + least;
}

/** Of the zone's clock against UTC. */
export function offsetMs(instant: number, zone: string): number {
  const whole = Math.floor(instant / 1_000) * 1_000;
  const parts = formatOf(zone).formatToParts(whole);
  const part = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.find((one) => one.type === type)?.value);
  const clock = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  return clock - whole;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  formats.set(zone, format);
  return format;
}

/** Without a zone. */
function clockTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, -1).replace('T', ' ');
}
