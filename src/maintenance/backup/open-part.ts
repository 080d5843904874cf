import { createHash } from 'node:crypto';
import { type Readable, Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { finished } from 'node:stream/promises';
import type { BackupPart, Manifest } from './manifest';
import { chain } from './pipe';
import { unseal } from './seal';
import type { BackupStore } from './store';
import { BackupError } from './target';

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
  const file = await store.target.read(store.pathOf(manifest.id, part)).catch((cause: unknown) => {
    throw new BackupError(`Backup ${manifest.id}: ${part.file} cannot be read.`, undefined, { cause });
  });
  const transforms = [checked(manifest.id, part)];
  if (manifest.encrypted && key !== null) transforms.push(unseal(key));
  if (part.kind === 'physical') transforms.push(createGunzip());
  return chain(file, ...transforms);
}

/** Reads a part to its end. @throws BackupError when it is damaged */
export async function checkPart(store: BackupStore, manifest: Manifest, part: BackupPart): Promise<void> {
  const file = await store.target.read(store.pathOf(manifest.id, part)).catch((cause: unknown) => {
    throw new BackupError(`Backup ${manifest.id}: ${part.file} cannot be read.`, undefined, { cause });
  });
  await finished(chain(file, checked(manifest.id, part)).resume());
}

function checked(id: string, { file, bytes, sha256 }: BackupPart): Transform {
  const hash = createHash('sha256');
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      seen += chunk.length;
      if (seen > bytes) done(new BackupError(`Backup ${id} is damaged: ${file} is longer than it was.`));
      else done(null, chunk);
    },
    flush(done) {
      if (seen < bytes) {
        done(new BackupError(`Backup ${id} is damaged: ${file} breaks off after ${seen} of ${bytes} bytes.`));
      } else if (hash.digest('hex') !== sha256) {
        done(new BackupError(`Backup ${id} is damaged: ${file} was changed.`));
      } else done();
    },
  });
}
