import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BackupError, DamagedError } from './target';

/** Format of backups that this version makes and reads. */
export const FORMAT = 1;
export const MANIFEST = 'manifest.json';
export const VERIFIED = 'verified.json';

const table = z.object({
  shard: z.int(),
  /** `schema.table`. */
  name: z.string(),
  rows: z.number(),
  /** Of all rows, whatever their order; null: the table was written to while it was copied. */
  checksum: z.string().nullable(),
});

const part = z.object({
  file: z.string(),
  /** dump: one database, for pg_restore; physical: a whole server of ours, as a tar of its data folder. */
  kind: z.enum(['dump', 'physical']),
  shards: z.array(z.int()),
  bytes: z.number(),
  sha256: z.string(),
  /** Major version of Postgres. */
  postgres: z.int(),
  tables: z.array(table),
});

const manifest = z.object({
  format: z.literal(FORMAT),
  id: z.string(),
  bot: z.string(),
  /** Which set of databases this is of; see botctl.identity. */
  deployment: z.string(),
  shards: z.int(),
  startedAt: z.string(),
  endedAt: z.string(),
  version: z.string(),
  encrypted: z.boolean(),
  parts: z.array(part),
});

export type TableSum = z.output<typeof table>;
export type BackupPart = z.output<typeof part>;
export type Manifest = z.output<typeof manifest>;

/** The manifest as a file, with a checksum of its own. */
export function writeManifest(content: Manifest): string {
  return `${JSON.stringify({ sha256: sumOf(content), ...content }, null, 1)}\n`;
}

/** @throws BackupError when it is damaged, or of another version */
export function readManifest(text: string, id: string): Manifest {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new DamagedError(`Backup ${id} is damaged: ${MANIFEST} cannot be read as JSON.`, { cause });
  }
  if (typeof raw !== 'object' || raw === null)
    throw new DamagedError(`Backup ${id} is damaged: ${MANIFEST} is no manifest.`);
  const { sha256, ...content } = raw as Record<string, unknown>;
  // Before its checksum, which another format may make in another way.
  if (content['format'] !== FORMAT) {
    throw new BackupError(
      `Backup ${id} is of format ${String(content['format'])} (${MANIFEST}); this botctl reads format ${FORMAT}.`,
      'Use the botctl that made it, or a newer one.',
    );
  }
  const parsed = manifest.safeParse(content);
  if (!parsed.success || sha256 !== sumOf(content)) {
    throw new DamagedError(`Backup ${id} is damaged: its manifest was changed (${MANIFEST}).`);
  }
  // The files of a copy under another name would be looked for in the wrong place.
  if (parsed.data.id !== id) {
    throw new BackupError(
      `What is called ${id} is backup ${parsed.data.id} under another name.`,
      'Give it its name back.',
    );
  }
  return parsed.data;
}

function sumOf(content: object): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

/** `20261125T020000Z`: sorts by time, tells people when. */
export function backupId(at: Date): string {
  return at.toISOString().replace(/[-:]|\.\d+/g, '');
}

export function timeOfId(id: string): Date | null {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(id) ?? [];
  if (year === undefined) return null;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
