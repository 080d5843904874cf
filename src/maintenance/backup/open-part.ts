import { createHash } from 'node:crypto';
import { type Readable, Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { finished } from 'node:stream/promises';
import type { BackupPart, Manifest } from './manifest';
import { chain } from './pipe';
import { unseal } from './seal';
import type { BackupStore } from './store';
import { BackupError, DamagedError, MissingFileError } from './target';

/** Digits of a checksum that are told: enough to know it by. */
const SHOWN = 12;

/**
 * The content of a part, decrypted, checked on the way: the stream fails when the file is not the one that was written.
 * @throws BackupError
 */
export async function openPart(
  store: BackupStore,
  manifest: Manifest,
  part: BackupPart,
  key: string | null,
): Promise<Readable> {
  if (manifest.encrypted && key === null) {
    throw new BackupError(`Backup ${manifest.id} is encrypted.`, 'Set backup.key to the key that it was made with.');
  }
  const file = await readPart(store, manifest, part);
  const transforms = [checked(manifest.id, part)];
  if (manifest.encrypted && key !== null) transforms.push(unseal(key));
  if (part.kind === 'physical') transforms.push(createGunzip());
  return chain(file, ...transforms);
}

/** Reads a part to its end. @throws BackupError when it is damaged */
export async function checkPart(store: BackupStore, manifest: Manifest, part: BackupPart): Promise<void> {
  const file = await readPart(store, manifest, part);
  await finished(chain(file, checked(manifest.id, part)).resume());
}

async function readPart(store: BackupStore, { id }: Manifest, part: BackupPart): Promise<Readable> {
  try {
    return await store.target.read(store.pathOf(id, part));
  } catch (cause) {
    // Any other error says nothing of the backup: its place cannot be reached, or read.
    if (!(cause instanceof MissingFileError)) throw cause;
    throw new DamagedError(`Backup ${id} is damaged: ${part.file} is missing.`, { cause });
  }
}

function checked(id: string, { file, bytes, sha256 }: BackupPart): Transform {
  const hash = createHash('sha256');
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      seen += chunk.length;
      if (seen > bytes)
        done(new DamagedError(`Backup ${id} is damaged: ${file} is longer than the ${bytes} bytes it had.`));
      else done(null, chunk);
    },
    flush(done) {
      if (seen < bytes) {
        done(new DamagedError(`Backup ${id} is damaged: ${file} breaks off after ${seen} of ${bytes} bytes.`));
        return;
      }
      const found = hash.digest('hex');
      if (found === sha256) done();
      else {
        const sums = `SHA-256 ${found.slice(0, SHOWN)}… instead of ${sha256.slice(0, SHOWN)}…`;
        done(new DamagedError(`Backup ${id} is damaged: ${file} was changed (${sums}).`));
      }
    },
  });
}
