import { Readable } from 'node:stream';
import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import { BackupError, type BackupTarget, MissingFileError, type StoredFile } from './target';

export interface S3Settings {
  /** With the bucket: https://host/bucket, or https://bucket.host. */
  endpoint: string;
  region: string;
  /** Before the names of all objects, without a slash at its end. */
  prefix: string;
  accessKeyId: string;
  secretAccessKey: string;
}

const MB = 1024 * 1024;
/** S3 takes at most 10,000 parts of an object, and none but the last below 5 MiB. */
const PART_BYTES = 16 * MB;
/** The parts grow, so that an object of 5 TiB fits. */
const GROW_AFTER = 1_000;
/** Objects are read in ranges: no answer takes as long as a large object does, and a broken one costs little. */
const RANGE_BYTES = 64 * MB;
/** Of one request, its answer read to the end, ms. */
const REQUEST_TIMEOUT_MS = 300_000;
/** After the first one. */
const ATTEMPTS = 4;

const again = retry(handleWhen(isPassing), {
  maxAttempts: ATTEMPTS,
  backoff: new ExponentialBackoff({ initialDelay: 250, maxDelay: 10_000 }),
});

type S3Client = Awaited<ReturnType<typeof createClient>>;

/** The library is loaded when it is first used. What it has under way ends with the signal. */
async function createClient({ endpoint, region, accessKeyId, secretAccessKey }: S3Settings, ending?: AbortSignal) {
  const { S3mini } = await import('s3mini');
  return new S3mini({
    ...{ endpoint, region, accessKeyId, secretAccessKey },
    requestAbortTimeout: REQUEST_TIMEOUT_MS,
    fetch: (input, init) => {
      const signals = [init?.signal, ending].filter((signal) => signal != null);
      return fetch(input, { ...init, signal: AbortSignal.any(signals) });
    },
  });
}

/** Backups in a bucket of an S3-compatible service. A request that fails for a passing reason is made again. */
export class S3Target implements BackupTarget {
  constructor(private readonly settings: S3Settings) {}

  get address(): string {
    const { endpoint, prefix } = this.settings;
    return `${endpoint}/${prefix}`;
  }

  async write(path: string, source: Readable, signal: AbortSignal): Promise<void> {
    const key = this.#key(path);
    await this.#explaining(async () => {
      const client = await createClient(this.settings, signal);
      const portions = inPortions(source);
      const first = await portions.next();
      const second = await portions.next();
      if (first.done === true) throw new Error('there is always a portion');
      if (second.done === true) await again.execute(() => client.putObject(key, first.value), signal);
      else await this.#upload(client, key, withFirst([first.value, second.value], portions), signal);
    });
  }

  async read(path: string): Promise<Readable> {
    const key = this.#key(path);
    const client = await createClient(this.settings);
    const size = await this.#explaining(() => sizeOf(client, key));
    if (size === null) throw new MissingFileError(`there is no object ${key} in ${this.address}`);
    return Readable.from(this.#ranges(client, key, size), { objectMode: false });
  }

  async list(): Promise<StoredFile[]> {
    const before = this.settings.prefix === '' ? '' : `${this.settings.prefix}/`;
    const objects = await this.#explaining(async () => {
      const client = await createClient(this.settings);
      return again.execute(() => client.listObjects('/', before));
    });
    if (objects === null)
      throw new BackupError(`There is no bucket at ${this.settings.endpoint}.`, 'Make it, or set backup.s3.endpoint.');
    return objects.map(({ Key, Size }) => ({ path: Key.slice(before.length), bytes: Size }));
  }

  async remove(paths: readonly string[]): Promise<void> {
    await this.#explaining(async () => {
      const client = await createClient(this.settings);
      for (const path of paths) await again.execute(() => client.deleteObject(this.#key(path)));
    });
  }

  localPath(): null {
    return null;
  }

  /** An object appears when all of its parts are there, or not at all. */
  async #upload(client: S3Client, key: string, portions: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    const upload = await again.execute(() => client.getMultipartUploadId(key, 'application/octet-stream'), signal);
    try {
      const parts: { partNumber: number; etag: string }[] = [];
      let bytes = 0;
      for await (const data of portions) {
        signal.throwIfAborted();
        parts.push(await again.execute(() => client.uploadPart(key, upload, data, parts.length + 1), signal));
        bytes += data.length;
      }
      await complete(client, key, upload, { parts, bytes }, signal);
    } catch (error) {
      // The signal has ended the requests of that client.
      const other = await createClient(this.settings);
      await again.execute(() => other.abortMultipartUpload(key, upload)).catch(() => undefined);
      throw error;
    }
  }

  async *#ranges(client: S3Client, key: string, size: number): AsyncGenerator<Uint8Array> {
    for (let at = 0, failures = 0; at < size;) {
      try {
        const end = Math.min(size, at + RANGE_BYTES);
        const { body } = await this.#explaining(() => again.execute(() => client.getObjectRaw(key, false, at, end)));
        for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
          at += chunk.length;
          failures = 0;
          yield chunk;
        }
      } catch (error) {
        if (error instanceof BackupError || ++failures > ATTEMPTS) throw error;
      }
    }
  }

  #key(path: string): string {
    return this.settings.prefix === '' ? path : `${this.settings.prefix}/${path}`;
  }

  async #explaining<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (!isOfService(cause as Error)) throw cause;
      const { status, serviceCode } = cause as { status?: number; serviceCode?: string };
      const named = serviceCode === undefined || serviceCode === 'Unknown' ? undefined : serviceCode;
      const why = named ?? status ?? reasonOf(cause as Error);
      const hint =
        status === 403
          ? 'Check backup.s3.accessKeyId, secretAccessKey and region, and what the key may do: list, get, put, delete.'
          : 'Check backup.s3.';
      throw new BackupError(`The bucket ${this.address} cannot be used (${why}).`, hint, { cause });
    }
  }
}

/**
 * The answer to this request may be lost, or be an error under the status 200: whether the object is there is what counts.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 */
async function complete(
  client: S3Client,
  key: string,
  upload: string,
  { parts, bytes }: { parts: { partNumber: number; etag: string }[]; bytes: number },
  signal: AbortSignal,
): Promise<void> {
  await again.execute(async () => {
    const told = client.completeMultipartUpload(key, upload, parts);
    const refusal: unknown = await told.then(
      () => new UnkeptError(`the object ${key} is not there after its upload`),
      (error: unknown) => error,
    );
    signal.throwIfAborted();
    if ((await sizeOf(client, key)) !== bytes) throw refusal;
  }, signal);
}

/** null: there is no such object. */
async function sizeOf(client: S3Client, key: string): Promise<number | null> {
  try {
    return await again.execute(async () => {
      try {
        return await client.getContentLength(key);
      } catch (error) {
        throw (error as Error).cause ?? error;
      }
    });
  } catch (error) {
    if ((error as { status?: unknown }).status === 404) return null;
    throw error;
  }
}

/** The service said that it took an object, and does not have it. */
class UnkeptError extends Error {
  override readonly name = 'UnkeptError';
}

/** Errors of the library, and of fetch: a connection that broke, a time-out. */
function isOfService(error: Error): boolean {
  return error.name.startsWith('S3') || error instanceof UnkeptError || isNetwork(error);
}

function isNetwork(error: Error): boolean {
  return error.name === 'S3NetworkError' || error.name === 'TimeoutError' || error.message === 'fetch failed';
}

/** May the same request succeed in a moment? */
function isPassing(error: Error): boolean {
  const { status } = error as { status?: number };
  return (
    isNetwork(error) || error instanceof UnkeptError || (status !== undefined && (status >= 500 || status === 429))
  );
}

function reasonOf(error: Error): string {
  const { cause, code, message } = error as NodeJS.ErrnoException;
  return cause == null ? (code ?? message) : reasonOf(cause as Error);
}

/** Cuts a stream into portions for the parts of an upload; at least one, which may be empty. */
async function* inPortions(source: Readable): AsyncGenerator<Buffer, undefined> {
  let chunks: Buffer[] = [];
  let size = 0;
  let count = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size < PART_BYTES * (1 + Math.floor(count / GROW_AFTER))) continue;
    yield Buffer.concat(chunks);
    [chunks, size] = [[], 0];
    count++;
  }
  if (size > 0 || count === 0) yield Buffer.concat(chunks);
}

async function* withFirst(first: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  yield* rest;
}
