import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { gunzip, gzip } from 'node:zlib';
import type { MetricStore, StoredHour } from './store';
import { HOURS } from './time-axis';

export interface ArchiveOptions {
  /** Folder of the files; made (0700) when it is not there. */
  dir: string;
  store: MetricStore;
  /** ms. */
  now: () => number;
  onError: (error: unknown) => void;
}

const FORMAT = 1;
const NAME = /^(\d+)\.hour$/;
/** What a kill takes with it at most, ms. */
const WRITE_MS = 60_000;
/** Writing takes at most this part of the time: a large fleet is written less often. */
const MAX_SHARE = 0.005;

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/**
 * The history of the last day on disk, a file for each hour, so that a new supervisor knows what the one before it knew.
 * An hour that is over is written once more and then left alone.
 */
export class MetricArchive {
  readonly #options: ArchiveOptions;
  /** Hours before this one are written as they will stay. */
  #written: number;
  #nextAt = 0;
  #writing: Promise<void> | null = null;

  constructor(options: ArchiveOptions) {
    this.#options = options;
    this.#written = options.store.hour;
  }

  /** Brings back what earlier processes knew. A file that cannot be read is left out. */
  async load(): Promise<void> {
    const { dir, store, onError } = this.#options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    for (const { hour, name } of await this.#files()) {
      try {
        if (hour > store.hour - HOURS && hour <= store.hour) store.load(await read(join(dir, name)));
      } catch (error) {
        onError(error);
      }
    }
  }

  /** To be called now and then; writes when it is time. */
  tick(): void {
    const { now } = this.#options;
    if (this.#writing !== null || now() < this.#nextAt) return;
    void this.#begin();
  }

  /** Writes what is there now. */
  async flush(): Promise<void> {
    await this.#writing;
    await this.#begin();
  }

  #begin(): Promise<void> {
    const { now, onError } = this.#options;
    this.#writing = this.#write()
      .catch(onError)
      .then(() => {
        this.#writing = null;
      });
    this.#nextAt = Math.max(this.#nextAt, now() + WRITE_MS);
    return this.#writing;
  }

  async #write(): Promise<void> {
    const { dir, store, now } = this.#options;
    // Whatever the clock does.
    const last = store.hour; // it goes on while files are written
    for (let hour = Math.max(Math.min(this.#written, last), last - HOURS + 1); hour <= last; hour++) {
      const since = performance.now();
      const bytes = serialize({ format: FORMAT, ...store.dump(hour) });
      const tookMs = performance.now() - since;
      this.#nextAt = now() + Math.max(WRITE_MS, tookMs / MAX_SHARE);
      const file = join(dir, `${hour}.hour`);
      await writeFile(`${file}.new`, await compress(bytes, { level: 1 }), { mode: 0o600 });
      await rename(`${file}.new`, file);
      this.#written = hour;
    }
    for (const { hour, name } of await this.#files()) {
      if (hour <= store.hour - HOURS || hour > store.hour + HOURS) await rm(join(dir, name), { force: true });
    }
  }

  async #files(): Promise<{ hour: number; name: string }[]> {
    const names = await readdir(this.#options.dir);
    return names
      .flatMap((name) => {
        const hour = NAME.exec(name)?.[1];
        return hour === undefined ? [] : [{ hour: Number(hour), name }];
      })
      .sort((a, b) => a.hour - b.hour);
  }
}

async function read(file: string): Promise<StoredHour> {
  const stored = deserialize(await decompress(await readFile(file))) as StoredHour & { format: number };
  if (stored.format !== FORMAT) throw new Error(`${file} is of another version of botctl`);
  return stored;
}
