import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { BackupStore } from '../../../src/maintenance/backup/store';
import { BackupError, MissingFileError } from '../../../src/maintenance/backup/target';
import { S3Target } from '../../../src/maintenance/backup/target-s3';
import { until } from '../../support/until';
import { Bucket } from '../support/bucket';

const MB = 1024 * 1024;
const PATH = '20261125T020000Z/shard-0.dump';
const never = new AbortController().signal;

const bucket = new Bucket();
let target: S3Target;

beforeAll(async () => {
  await bucket.listen();
  target = new S3Target(bucket.settings);
});
beforeEach(() => {
  bucket.objects.clear();
  bucket.uploads.clear();
  bucket.requests.length = 0;
  bucket.troubles.length = 0;
});
afterAll(() => bucket.close());

const source = (content: Buffer): Readable => {
  const size = 1 + (content.length >> 4);
  return Readable.from(Array.from({ length: 16 }, (_, i) => content.subarray(i * size, (i + 1) * size)));
};
const read = async (path: string): Promise<Buffer> => buffer(await target.read(path));

test.each([0, 1, 15 * MB, 16 * MB, 40 * MB])('%d bytes come back as they were', async (size) => {
  const content = randomBytes(size);
  await target.write(PATH, source(content), never);
  expect((await read(PATH)).equals(content)).toBe(true);
  expect(await target.list()).toEqual([{ path: PATH, bytes: size }]);
  expect([...bucket.objects.keys()]).toEqual([`my-bot/${PATH}`]);
  expect(bucket.uploads.size).toBe(0);
  await target.remove([PATH]);
  expect(await target.list()).toEqual([]);
});

test('many objects are listed page by page; those of others are not', async () => {
  const names = Array.from({ length: 8 }, (_, i) => `20261125T02000${i}Z/shard-0.dump.sealed`);
  for (const name of names) await target.write(name, source(Buffer.from(name)), never);
  bucket.objects.set('my-bot-2/20261125T020000Z/manifest.json', Buffer.from('x'));
  expect((await target.list()).map(({ path }) => path)).toEqual(names);
  expect((await read(names[3]!)).toString()).toBe(names[3]);
});

test.each([
  ['an answer 503', 503],
  ['an answer 429', 429],
  ['a connection that breaks', 'hang up'],
  ['an answer that is lost', 'lost'],
] as const)('%s costs no backup, in whatever request', async (_, how) => {
  const content = randomBytes(40 * MB);
  for (const method of ['PUT', 'POST', 'GET', 'HEAD', 'DELETE'])
    bucket.troubles.push({ method, match: /./, how, times: 1 });
  bucket.troubles.push({ method: 'POST', match: /uploadId/, how, times: 1 });
  await target.write(PATH, source(content), never);
  expect((await read(PATH)).equals(content)).toBe(true);
  expect(await target.list()).toHaveLength(1);
  await target.remove([PATH]);
  expect(bucket.objects.size).toBe(0);
  expect(bucket.troubles.map(({ times }) => times)).toEqual([0, 0, 0, 0, 0, 0]);
});

test('an object that breaks off is read on from there', async () => {
  const content = randomBytes(MB);
  await target.write(PATH, source(content), never);
  bucket.troubles.push({ method: 'GET', match: /shard-0/, how: 'cut', times: 3 });
  expect((await read(PATH)).equals(content)).toBe(true);
});

test('an upload is there only when the bucket has it: an error under status 200 is none', async () => {
  bucket.troubles.push({ method: 'POST', match: /uploadId/, how: 'fake', times: 1 });
  const content = randomBytes(40 * MB);
  await target.write(PATH, source(content), never);
  expect((await read(PATH)).equals(content)).toBe(true);
});

test('a source that fails leaves no object and no parts', async () => {
  const failing = Readable.from(
    (function* () {
      yield randomBytes(33 * MB);
      throw new Error('pg_dump failed');
    })(),
  );
  await expect(target.write(PATH, failing, never)).rejects.toThrow('pg_dump failed');
  expect(bucket.objects.size).toBe(0);
  expect(bucket.uploads.size).toBe(0);
});

test('a stop ends what is under way, and leaves nothing', async () => {
  const abort = new AbortController();
  const endless = Readable.from(
    (async function* () {
      for (;;) yield await Promise.resolve(randomBytes(MB));
    })(),
  );
  const writing = target.write(PATH, endless, abort.signal);
  const outcome = expect(writing).rejects.toThrow('the supervisor stops');
  await until(() => [...bucket.uploads.values()].some(({ parts }) => parts.size > 1));
  abort.abort(new Error('the supervisor stops'));
  await outcome;
  expect(bucket.objects.size).toBe(0);
  expect(bucket.uploads.size).toBe(0);
});

test('what is wrong with the bucket is said, and nothing secret', async () => {
  const wrong = async (change: object): Promise<BackupError> => {
    const error: unknown = await new S3Target({ ...bucket.settings, ...change }).list().catch((one: unknown) => one);
    expect(error).toBeInstanceOf(BackupError);
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain(bucket.settings.secretAccessKey);
    return error as BackupError;
  };
  expect(await wrong({ secretAccessKey: 'another' })).toMatchObject({
    message: expect.stringContaining('(SignatureDoesNotMatch)') as string,
    hint: expect.stringContaining('backup.s3.accessKeyId, secretAccessKey and region') as string,
  });
  expect((await wrong({ accessKeyId: 'nobody' })).message).toContain('(InvalidAccessKeyId)');
  expect((await wrong({ region: 'us-east-1' })).message).toContain('(SignatureDoesNotMatch)');
  expect((await wrong({ endpoint: bucket.settings.endpoint.replace('/backups', '/nothing') })).message).toMatch(
    /There is no bucket at http:.*\/nothing\./,
  );
  const closed = new Bucket();
  await closed.listen();
  const { endpoint } = closed.settings;
  await closed.close();
  expect((await wrong({ endpoint })).message).toContain('(ECONNREFUSED)');
});

test('what is not there is told from what cannot be reached', async () => {
  await expect(target.read(PATH)).rejects.toThrow(MissingFileError);
  await expect(new BackupStore(target).manifest('20261125T020000Z')).rejects.toThrow(
    /There is no backup 20261125T020000Z in http:/,
  );
  bucket.troubles.push({ method: 'HEAD', match: /./, how: 503, times: 99 });
  const error: unknown = await new BackupStore(target).manifest('20261125T020000Z').catch((one: unknown) => one);
  expect((error as Error).message).toMatch(/The bucket .* cannot be used \(503\)/);
});
