import { Readable } from 'node:stream';
import { BackupError, type BackupTarget, type StoredFile } from './target';

export interface S3Settings {
  /** With the bucket: https://host/bucket, or https://bucket.host. */
  endpoint: string;
  region: string;
  /** Before the names of all objects, without a slash at its end. */
  prefix: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** S3 takes at most 10,000 parts of an object, and none but the last below 5 MiB. */
const PART_BYTES = 16 * 1024 * 1024;
/** The parts grow, so that an object of 5 TiB fits. */
const GROW_AFTER = 1_000;
const REQUEST_TIMEOUT_MS = 300_000;

type S3Client = Awaited<ReturnType<typeof createClient>>;

/** The library is loaded when it is first used. */
async function createClient({ endpoint, region, accessKeyId, secretAccessKey }: S3Settings) {
  const { S3mini } = await import('s3mini');
  return new S3mini({ endpoint, region, accessKeyId, secretAccessKey, requestAbortTimeout: REQUEST_TIMEOUT_MS });
}

/** Backups in a bucket of an S3-compatible service. */
export class S3Target implements BackupTarget {
  #client: Promise<S3Client> | null = null;

  constructor(private readonly settings: S3Settings) {}

  get address(): string {
    const { endpoint, prefix } = this.settings;
    return `${endpoint}/${prefix}`;
  }

  async write(path: string, source: Readable, signal: AbortSignal): Promise<void> {
    const client = await this.#open();
    const key = this.#key(path);
    await this.#explaining(async () => {
      const upload = await client.getMultipartUploadId(key, 'application/octet-stream');
      try {
        const parts: { partNumber: number; etag: string }[] = [];
        for await (const data of inParts(source)) {
          signal.throwIfAborted();
          parts.push(await client.uploadPart(key, upload, data, parts.length + 1));
        }
        await client.completeMultipartUpload(key, upload, parts);
      } catch (error) {
        await client.abortMultipartUpload(key, upload).catch(() => undefined);
        throw error;
      }
    });
  }

  async read(path: string): Promise<Readable> {
    const client = await this.#open();
    const response = await this.#explaining(() => client.getObjectResponse(this.#key(path)));
    if (response?.body == null) throw new BackupError(`There is no object ${this.#key(path)} in ${this.address}.`);
    return Readable.fromWeb(response.body);
  }

  async list(): Promise<StoredFile[]> {
    const client = await this.#open();
    const before = this.settings.prefix === '' ? '' : `${this.settings.prefix}/`;
    const objects = await this.#explaining(() => client.listObjects('/', before));
    if (objects === null)
      throw new BackupError(`There is no bucket at ${this.settings.endpoint}.`, 'Make it, or set backup.s3.endpoint.');
    return objects.map(({ Key, Size }) => ({ path: Key.slice(before.length), bytes: Size }));
  }

  async remove(paths: readonly string[]): Promise<void> {
    const client = await this.#open();
    for (const path of paths) await this.#explaining(() => client.deleteObject(this.#key(path)));
  }

  localPath(): null {
    return null;
  }

  #key(path: string): string {
    return this.settings.prefix === '' ? path : `${this.settings.prefix}/${path}`;
  }

  #open(): Promise<S3Client> {
    this.#client ??= createClient(this.settings);
    return this.#client;
  }

  async #explaining<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof BackupError || !(cause instanceof Error) || !cause.name.startsWith('S3')) throw cause;
      const { status, serviceCode } = cause as { status?: number; serviceCode?: string };
      const why = serviceCode ?? status ?? reasonOf(cause);
      const hint =
        status === 403
          ? 'Check backup.s3.accessKeyId, secretAccessKey and region, and what the key may do: list, get, put, delete.'
          : 'Check backup.s3.';
      throw new BackupError(`The bucket ${this.address} cannot be used (${why}).`, hint, { cause });
    }
  }
}

function reasonOf(error: Error): string {
  const { cause } = error;
  return cause instanceof Error ? reasonOf(cause) : ((error as NodeJS.ErrnoException).code ?? error.message);
}

/** Cuts a stream into portions for the parts of an upload; at least one. */
async function* inParts(source: Readable): AsyncGenerator<Buffer> {
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
