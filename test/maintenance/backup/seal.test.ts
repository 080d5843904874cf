import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { chain } from '../../../src/maintenance/backup/pipe';
import { seal, unseal } from '../../../src/maintenance/backup/seal';

const KEY = 'a key that nobody knows';
const SEGMENT = 64 * 1024;

async function sealed(plain: Buffer): Promise<Buffer> {
  return buffer(chain(Readable.from([plain]), await seal(KEY)));
}

function opened(content: Buffer, key = KEY): Promise<Buffer> {
  const pieces = Array.from({ length: Math.ceil(content.length / 10_000) }, (_, n) =>
    content.subarray(n * 10_000, (n + 1) * 10_000),
  );
  return buffer(chain(Readable.from(pieces), unseal(key)));
}

test.each([0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 200_000])('%d bytes come back', async (length) => {
  const plain = Buffer.alloc(length, 'botctl');
  const content = await sealed(plain);
  if (length > 10) expect(content.includes('botctlbotctl')).toBe(false);
  expect((await opened(content)).equals(plain)).toBe(true);
});

test('a changed, shortened, lengthened or rearranged file is refused, and another key', async () => {
  const content = await sealed(Buffer.alloc(200_000, 'x'));
  const flipped = Buffer.from(content);
  flipped[100_000]! ^= 1;
  const head = content.subarray(0, 32);
  const [first, second] = [
    content.subarray(32, 32 + SEGMENT + 16),
    content.subarray(32 + SEGMENT + 16, 32 + 2 * (SEGMENT + 16)),
  ];
  const rest = content.subarray(32 + 2 * (SEGMENT + 16));
  for (const wrong of [
    flipped,
    content.subarray(0, content.length - 1),
    content.subarray(0, 32 + 2 * (SEGMENT + 16)), // ends with a whole segment that was not the last
    Buffer.concat([content, Buffer.from('x')]),
    Buffer.concat([head, second, first, rest]),
    content.subarray(0, 20),
    Buffer.alloc(0),
  ]) {
    await expect(opened(wrong)).rejects.toThrow(/damaged|breaks off/);
  }
  await expect(opened(content, 'another key, as long')).rejects.toThrow('does not take this key');
  await expect(opened(Buffer.alloc(100))).rejects.toThrow('not one that botctl encrypted');
});
