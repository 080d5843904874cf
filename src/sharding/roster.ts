import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the next supervisor must know to adopt a cluster or to end it. */
export interface RosterEntry {
  clusterId: number;
  incarnation: string;
  pid: number;
  startTime: string;
  shardIds: number[];
  totalShards: number;
  release: string;
  /** Changes when the process would have to be started differently (token, entry, arguments, environment). */
  fingerprint: string;
  restarts: number;
  spawnedAt: number;
  outOffset: number;
  errOffset: number;
  /** Incarnations that this one is to succeed; absent once it has taken over. */
  successorOf?: string[];
  /** Another incarnation has taken over: this one finishes its work and ends. */
  retired?: boolean;
}

/** The clusters that run, one owner-only file each, written before anything depends on it. */
export class Roster {
  constructor(readonly dir: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  write(entry: RosterEntry): void {
    const file = this.#file(entry.incarnation);
    writeFileSync(`${file}.new`, JSON.stringify(entry), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  remove(incarnation: string): void {
    rmSync(this.#file(incarnation), { force: true });
  }

  /** All entries; unreadable files are skipped, since a cluster that nobody adopts ends by itself. */
  read(): RosterEntry[] {
    return readdirSync(this.dir)
      .filter((name) => name.endsWith('.json'))
      .flatMap((name) => parseEntry(join(this.dir, name)));
  }

  #file(incarnation: string): string {
    return join(this.dir, `${incarnation}.json`);
  }
}

function parseEntry(file: string): RosterEntry[] {
  try {
    const entry = JSON.parse(readFileSync(file, 'utf8')) as Partial<RosterEntry>;
    const valid =
      typeof entry.clusterId === 'number' &&
      typeof entry.incarnation === 'string' &&
      typeof entry.pid === 'number' &&
      typeof entry.startTime === 'string' &&
      Array.isArray(entry.shardIds) &&
      typeof entry.totalShards === 'number';
    return valid ? [entry as RosterEntry] : [];
  } catch {
    return [];
  }
}
