/** Values as people read them. */

const MS_PER = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** 950 ms, 12 s, 3 min 5 s, 2 h 3 min, 4 d 1 h: at most two units, rounded down. */
export function formatDuration(ms: number): string {
  const whole = Math.max(0, Math.floor(ms));
  if (whole < MS_PER.second) return `${whole} ms`;
  if (whole < MS_PER.minute) return `${Math.floor(whole / MS_PER.second)} s`;
  if (whole < MS_PER.hour) return twoUnits(whole, MS_PER.minute, 'min', MS_PER.second, 's');
  if (whole < MS_PER.day) return twoUnits(whole, MS_PER.hour, 'h', MS_PER.minute, 'min');
  return twoUnits(whole, MS_PER.day, 'd', MS_PER.hour, 'h');
}

function twoUnits(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  const first = `${Math.floor(ms / large)} ${largeName}`;
  return rest === 0 ? first : `${first} ${rest} ${smallName}`;
}

/** 512 B, 71 MB, 1.4 GB: powers of 1024, as `ps` and `free` count. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit >= 3 && value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit] ?? ''}`;
}

/** 1,234,567. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

export function formatPlural(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** [0, 1, 2, 5] as "0-2, 5". */
export function formatRanges(numbers: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range !== undefined && range[1] === number - 1) range[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ');
}

/** What a bot or a server said, without what would move the cursor or break the line. */
export function plainText(text: string): string {
  return text
    .replace(/\u001b\[[\d;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?/g, '')
    .replace(/\s+/g, ' ')
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, '')
    .trim();
}
