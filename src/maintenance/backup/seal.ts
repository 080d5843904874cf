import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { promisify } from 'node:util';
import { BackupError } from './target';

/*
 * A sealed file: MAGIC, 16 bytes of salt, then segments of 64 KiB, each AES-256-GCM with its tag of 16 bytes behind it.
 * The nonce of a segment is its number and whether it is the last one, so none can be changed, moved, left out or added.
 * The key of a file comes from the key of the config and the salt by scrypt.
 */

const MAGIC = Buffer.from('botctl-sealed-1\n');
const SALT_BYTES = 16;
const HEAD_BYTES = MAGIC.length + SALT_BYTES;
const SEGMENT = 64 * 1024;
const TAG = 16;
const derive = promisify<string, Buffer, number, Buffer>(scrypt);

/** Encrypts a stream. */
export async function seal(key: string): Promise<Transform> {
  const salt = randomBytes(SALT_BYTES);
  const fileKey = await derive(key, salt, 32);
  let number = 0;
  const encrypt = (plain: Buffer, last: boolean): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', fileKey, nonce(number++, last));
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  };
  return inSegments(SEGMENT, Buffer.concat([MAGIC, salt]), encrypt);
}

/** Decrypts what `seal` made. The stream fails with a BackupError where the file is not as it was written. */
export function unseal(key: string): Transform {
  let head = Buffer.alloc(0);
  let inner: Transform | null = null;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (inner !== null) {
        pass(inner, chunk, done);
        return;
      }
      head = Buffer.concat([head, chunk]);
      if (head.length < HEAD_BYTES) {
        done();
        return;
      }
      if (!head.subarray(0, MAGIC.length).equals(MAGIC)) {
        done(new BackupError('The file is not one that botctl encrypted.'));
        return;
      }
      derive(key, head.subarray(MAGIC.length, HEAD_BYTES), 32).then(
        (fileKey) => {
          inner = opener(fileKey, this);
          pass(inner, head.subarray(HEAD_BYTES), done);
        },
        (error: unknown) => done(error as Error),
      );
    },
    flush(done) {
      if (inner === null) {
        done(new BackupError('The encrypted file breaks off.'));
        return;
      }
      inner.once('error', (error) => done(error));
      inner.once('end', () => done());
      inner.end();
    },
  });
}

function opener(fileKey: Buffer, outer: Transform): Transform {
  let number = 0;
  const decrypt = (sealed: Buffer, last: boolean): Buffer => {
    if (sealed.length < TAG) throw new BackupError('The encrypted file breaks off.');
    const decipher = createDecipheriv('aes-256-gcm', fileKey, nonce(number++, last));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - TAG)), decipher.final()]);
    } catch (cause) {
      throw new BackupError(
        number === 1
          ? 'The backup does not take this key, or its file is damaged.'
          : 'The encrypted file is damaged or breaks off.',
        'Check backup.key: it must be the one that the backup was made with.',
        { cause },
      );
    }
  };
  const inner = inSegments(SEGMENT + TAG, null, decrypt);
  inner.on('data', (chunk: Buffer) => outer.push(chunk));
  return inner;
}

function pass(inner: Transform, chunk: Buffer, done: TransformCallback): void {
  const failed = (error: Error): void => done(error);
  inner.once('error', failed);
  inner.write(chunk, () => {
    inner.off('error', failed);
    if (!inner.destroyed) done();
  });
}

/** Calls `work` with each segment; the last one, which may be empty, is told. */
function inSegments(size: number, head: Buffer | null, work: (segment: Buffer, last: boolean) => Buffer): Transform {
  let kept: Buffer[] = [];
  let length = 0;
  let first = head;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        if (first !== null) this.push(first);
        first = null;
        kept.push(chunk);
        length += chunk.length;
        // The last segment is known only at the end: one is always kept back.
        if (length > size) {
          const all = Buffer.concat(kept);
          let at = 0;
          for (; all.length - at > size; at += size) this.push(work(all.subarray(at, at + size), false));
          kept = [all.subarray(at)];
          length = all.length - at;
        }
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done) {
      try {
        if (first !== null) this.push(first);
        done(null, work(Buffer.concat(kept), true));
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

function nonce(number: number, last: boolean): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64BE(BigInt(number), 0);
  bytes.writeUInt8(last ? 1 : 0, 11);
  return bytes;
}
