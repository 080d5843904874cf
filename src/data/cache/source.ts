import type { Clock } from '../../clock';
import { CacheError, reasonOf } from './cache-error';
import type { ReportError } from './cache-error';
import type { RegionStats } from './cache-stats';
import type { Level3Read, Place } from './level3';
import type { LoadContext, Settings } from './region-options';

/** What the durable level or the loader said. */
export interface Loaded<T> {
  /** undefined: there is nothing. */
  value: T | undefined;
  tags: readonly string[];
  /** ms that the durable level keeps it still, null: no limit. */
  leftMs: number | null;
}

/** A key's way to a value, alone or together with others. */
export interface Loader<T> {
  /** @throws what the bot's loader throws; CacheError LOAD_TIMEOUT, NOT_LOADABLE */
  load(key: string): Promise<Loaded<T>>;
  /** The key will not be asked for, or not soon: the others need not wait for it. */
  pass(key: string): void;
}

export interface SourceOptions<T> {
  region: string;
  settings: Settings<T>;
  clock: Clock;
  stats: RegionStats;
  report: ReportError;
  /** Aborted when the cache closes. */
  closing: AbortSignal;
}

/** Where values come from when no cache has them: the durable level, then the loader. */
export class Source<T> {
  constructor(private readonly options: SourceOptions<T>) {}

  /** Each key by itself. */
  alone(place: Place): Loader<T> {
    return {
      load: async (key) => unwrap((await this.#many([key], place))[0] ?? NOTHING),
      pass: () => undefined,
    };
  }

  /** The keys that are asked for are fetched together, once each of `expected` was asked for or passed. */
  together(expected: readonly string[], place: Place): Loader<T> {
    const awaited = new Set(expected);
    let collected: { key: string; resolve: (outcome: Outcome<T>) => void }[] = [];
    const flush = (): void => {
      if (awaited.size > 0 || collected.length === 0) return;
      const batch = collected;
      collected = [];
      const keys = batch.map(({ key }) => key);
      void this.#many(keys, place).then((outcomes) => {
        for (const [index, { resolve }] of batch.entries()) resolve(outcomes[index] ?? NOTHING);
      });
    };
    const pass = (key: string): void => {
      if (awaited.delete(key)) flush();
    };
    const load = async (key: string): Promise<Loaded<T>> => {
      const outcome = await new Promise<Outcome<T>>((resolve) => {
        collected.push({ key, resolve });
        awaited.delete(key);
        flush();
      });
      return unwrap(outcome);
    };
    return { load, pass };
  }

  /** In the order of the keys. Does not reject. */
  async #many(keys: readonly string[], place: Place): Promise<Outcome<T>[]> {
    try {
      return await this.#readAndLoad(keys, place);
    } catch (error) {
      return keys.map(() => ({ ok: false, error }));
    }
  }

  async #readAndLoad(keys: readonly string[], place: Place): Promise<Outcome<T>[]> {
    const reads = await this.#read(keys, place);
    const missing = keys.filter((_, index) => reads[index]?.found !== true);
    const loaded = await this.#load(missing, place);
    await Promise.all(
      keys.map(async (key, index) => {
        const read = reads[index];
        const outcome = loaded.get(key);
        if (read?.found === false && outcome !== undefined) await this.#fill(key, outcome, read.token, place);
      }),
    );
    return keys.map((key, index) => {
      const read = reads[index];
      if (read?.found === true) return { ok: true, loaded: read };
      return loaded.get(key) ?? NOTHING;
    });
  }

  /** null where the durable level failed or there is none. */
  async #read(keys: readonly string[], place: Place): Promise<(Level3Read<T> | null)[]> {
    const { settings, stats } = this.options;
    const { store } = settings;
    if (store === undefined) return keys.map(() => null);
    try {
      const reads =
        store.readMany !== undefined && keys.length > 1
          ? await store.readMany(keys, place)
          : await Promise.all(keys.map((key) => store.read(key, place)));
      for (const { found } of reads) stats.l3[found ? 'hits' : 'misses'] += 1;
      return reads;
    } catch (cause) {
      if (settings.load === undefined && settings.loadMany === undefined) throw this.#notLoadable(cause);
      this.#storeFailed(cause);
      return keys.map(() => null);
    }
  }

  #notLoadable(cause: unknown): CacheError {
    this.options.stats.l3.errors += 1;
    const message = `cache region ${this.options.region}: the durable level cannot be read, and there is no loader`;
    return new CacheError('NOT_LOADABLE', `${message}: ${reasonOf(cause)}`, { cause });
  }

  #storeFailed(cause: unknown): void {
    this.options.stats.l3.errors += 1;
    const message = `cache region ${this.options.region}: the durable level failed: ${reasonOf(cause)}`;
    this.options.report(new CacheError('L3_UNAVAILABLE', message, { cause }));
  }

  async #fill(key: string, outcome: Outcome<T>, token: string, place: Place): Promise<void> {
    const { store } = this.options.settings;
    if (store === undefined || !outcome.ok || outcome.loaded.value === undefined) return;
    try {
      await store.fill(key, outcome.loaded.value, outcome.loaded.tags, token, place);
    } catch (error) {
      this.#storeFailed(error);
    }
  }

  async #load(keys: readonly string[], place: Place): Promise<Map<string, Outcome<T>>> {
    const { load, loadMany } = this.options.settings;
    const outcomes = new Map<string, Outcome<T>>();
    if (keys.length === 0 || (load === undefined && loadMany === undefined)) return outcomes;
    this.options.stats.loads += keys.length;
    const keep = (key: string, value: T | undefined): void => void outcomes.set(key, this.#loaded(key, value));
    const fail = (key: string, error: unknown): void => {
      this.options.stats.loadErrors += 1;
      outcomes.set(key, { ok: false, error });
    };
    if (loadMany !== undefined && (load === undefined || keys.length > 1)) {
      try {
        const values = await this.#inTime(place, (context) => loadMany(keys, context));
        for (const key of keys) keep(key, values.get(key));
      } catch (error) {
        for (const key of keys) fail(key, error);
      }
    } else if (load !== undefined) {
      await Promise.all(
        keys.map(async (key) => {
          try {
            keep(key, await this.#inTime(place, (context) => load(key, context)));
          } catch (error) {
            fail(key, error);
          }
        }),
      );
    }
    return outcomes;
  }

  #loaded(key: string, value: T | undefined): Outcome<T> {
    const tags = value === undefined ? [] : (this.options.settings.tags?.(key, value) ?? []);
    return { ok: true, loaded: { value, tags, leftMs: null } };
  }

  async #inTime<R>(place: Place, run: (context: LoadContext) => Promise<R> | R): Promise<R> {
    const { settings, clock, closing, region } = this.options;
    const abort = new AbortController();
    let stop = (): void => undefined;
    const ended = new Promise<never>((_, reject) => {
      const end = (error: CacheError): void => {
        abort.abort(error);
        reject(error);
      };
      const close = (): void => end(new CacheError('CLOSED', 'the cache was closed during the load'));
      const cancel = clock.after(settings.loadTimeoutMs, () => {
        end(new CacheError('LOAD_TIMEOUT', `cache region ${region}: no answer within ${settings.loadTimeoutMs} ms`));
      });
      closing.addEventListener('abort', close, { once: true });
      stop = () => {
        cancel();
        closing.removeEventListener('abort', close);
      };
      if (closing.aborted) close();
    });
    try {
      return await Promise.race([run({ guildId: place.guildId ?? null, signal: abort.signal }), ended]);
    } finally {
      stop();
    }
  }
}

type Outcome<T> = { ok: true; loaded: Loaded<T> } | { ok: false; error: unknown };

const NOTHING = { ok: true, loaded: { value: undefined, tags: [], leftMs: null } } as const;

function unwrap<T>(outcome: Outcome<T>): Loaded<T> {
  if (outcome.ok) return outcome.loaded;
  throw outcome.error;
}
