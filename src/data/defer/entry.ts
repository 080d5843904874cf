import { frame, payloadOf } from './record';
import type { JsonParam, WireParam } from './wire-params';
import { fromJson, toJson } from './wire-params';

/** One deferred statement. What it does is read from its record only when it is executed. */
export interface Entry {
  /** Tells it from all others, also of other processes. */
  readonly id: string;
  /** When it was deferred, ms since the epoch. */
  readonly at: number;
  readonly guildId: bigint;
  readonly key: string;
  /** As it stands in a journal. */
  readonly record: Buffer;
}

export interface Statement {
  sql: string;
  params: WireParam[];
}

interface EntryJson {
  id: string;
  at: number;
  guild: string;
  key: string;
  sql: string;
  params: JsonParam[];
}

/** What a journal says: an entry is there, or it is over and done with. */
export type JournalLine = { entry: Entry } | { settled: string };

export function makeEntry(about: Omit<Entry, 'record'>, { sql, params }: Statement): Entry {
  const { id, at, guildId, key } = about;
  const json: EntryJson = { id, at, guild: String(guildId), key, sql, params: toJson(params) };
  return { id, at, guildId, key, record: frame(JSON.stringify(json)) };
}

export function statementOf(entry: Entry): Statement {
  const { sql, params } = JSON.parse(payloadOf(entry.record)) as EntryJson;
  return { sql, params: fromJson(params) };
}

export function settledRecord(id: string): Buffer {
  return frame(JSON.stringify({ settled: id }));
}

export function parseLine(payload: string): JournalLine {
  const json = JSON.parse(payload) as EntryJson | { settled: string };
  if ('settled' in json) return json;
  const { id, at, guild, key } = json;
  return { entry: { id, at, guildId: BigInt(guild), key, record: frame(payload) } };
}
