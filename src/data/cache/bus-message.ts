/** What processes tell each other. */
export type BusMessage =
  | { kind: 'key'; region: string; key: string } // the key was written or deleted
  | { kind: 'filled'; region: string; key: string } // a load that others wait for has ended
  | { kind: 'failed'; region: string; key: string; reason: string } // that load failed
  | { kind: 'log'; member: string; seq: number } // a prefix, a tag or a region was invalidated
  | { kind: 'echo'; nonce: string }; // to oneself: is anything heard at all?

export interface Heard {
  from: string;
  message: BusMessage;
}

export function encodeMessage(from: string, message: Exclude<BusMessage, { kind: 'log' }>): string {
  switch (message.kind) {
    case 'echo':
      return JSON.stringify([from, 'echo', message.nonce]);
    case 'failed':
      return JSON.stringify([from, 'failed', message.region, message.key, message.reason]);
    default:
      return JSON.stringify([from, message.kind, message.region, message.key]);
  }
}

/** A log message lacks its number and the closing bracket: whoever knows the number adds them. */
export function encodeLogStart(from: string, member: string): string {
  return `${JSON.stringify([from, 'log', member]).slice(0, -1)},`;
}

export function encodeLog(from: string, member: string, seq: number): string {
  return `${encodeLogStart(from, member)}${seq}]`;
}

/** null: not a message that this version can read. */
export function decodeMessage(text: string): Heard | null {
  const [from, kind, first, second, third] = parseArray(text);
  if (typeof from !== 'string' || typeof first !== 'string') return null;
  if (kind === 'echo') return { from, message: { kind, nonce: first } };
  if (kind === 'log')
    return typeof second === 'number' ? { from, message: { kind, member: first, seq: second } } : null;
  if (typeof second !== 'string') return null;
  const place = { region: first, key: second };
  if (kind === 'failed') return { from, message: { kind, ...place, reason: String(third) } };
  return kind === 'key' || kind === 'filled' ? { from, message: { kind, ...place } } : null;
}

function parseArray(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
