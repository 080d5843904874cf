import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type BackupPart, MANIFEST, type Manifest, readManifest, timeOfId, VERIFIED, writeManifest } from './manifest';
import { BackupError, type BackupTarget, DamagedError, MissingFileError, type StoredFile } from './target';

export interface BackupSummary {
  id: string;
  at: Date;
  bytes: number;
  /** null: it cannot be read. */
  manifest: Manifest | null;
  /** Why it is of no use; null: nothing is known against it. */
  problem: string | null;
  /** It can never be restored. A backup that only cannot be read here and now is not damaged. */
  damaged: boolean;
  /** When it was last restored for a trial, and how that went; null: never. */
  verified: Verification | null;
}

export interface Verification {
  at: string;
  ok: boolean;
  message: string | null;
}

const SMALL_FILE_MS = 120_000;

/** The backups in a target. One is there when its manifest is: that is written last. */
export class BackupStore {
  constructor(readonly target: BackupTarget) {}

  /** Newest first. */
  async list(): Promise<BackupSummary[]> {
    const byId = groupById(await this.target.list());
    const whole = [...byId].filter(([, files]) => files.some(({ path }) => path.endsWith(`/${MANIFEST}`)));
    const found = await Promise.all(whole.map(([id, files]) => this.#summary(id, files)));
    return found.sort((a, b) => b.at.getTime() - a.at.getTime());
  }

  /** @throws BackupError when there is none, or it is damaged or of another version */
  async manifest(id: string): Promise<Manifest> {
    if (timeOfId(id) === null) throw unknown(id, this.target.address);
    const stream = await this.target.read(`${id}/${MANIFEST}`).catch((cause: unknown) => {
      throw cause instanceof MissingFileError ? unknown(id, this.target.address) : cause;
    });
    return readManifest(await text(stream), id);
  }

  async finish(manifest: Manifest): Promise<void> {
    await this.#put(`${manifest.id}/${MANIFEST}`, writeManifest(manifest));
  }

  async noteVerified(id: string, verification: Verification): Promise<void> {
    await this.#put(`${id}/${VERIFIED}`, `${JSON.stringify(verification)}\n`);
  }

  /** The manifest goes first: what is left by a crash is no backup. */
  async remove(id: string): Promise<void> {
    const files = groupById(await this.target.list()).get(id) ?? [];
    const rank = ({ path }: StoredFile): number => (path.endsWith(`/${MANIFEST}`) ? 0 : 1);
    await this.target.remove([...files].sort((a, b) => rank(a) - rank(b)).map(({ path }) => path));
  }

  /** Removes what backups that did not come to their end left. Nobody may be making one. @returns how many there were */
  async removeUnfinished(): Promise<number> {
    const byId = groupById(await this.target.list());
    const left = [...byId].filter(([, files]) => files.every(({ path }) => !path.endsWith(`/${MANIFEST}`)));
    for (const [, files] of left) await this.target.remove(files.map(({ path }) => path));
    return left.length;
  }

  pathOf(id: string, { file }: Pick<BackupPart, 'file'>): string {
    return `${id}/${file}`;
  }

  async #summary(id: string, files: StoredFile[]): Promise<BackupSummary> {
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const at = timeOfId(id) ?? new Date(0);
    const verified = files.some(({ path }) => path.endsWith(`/${VERIFIED}`)) ? await this.#verified(id) : null;
    try {
      const manifest = await this.manifest(id);
      const problem = sizeProblem(manifest, files) ?? (verified?.ok === false ? verified.message : null);
      return { id, at, bytes, manifest, problem, damaged: problem !== null, verified };
    } catch (error) {
      const damaged = error instanceof DamagedError;
      return { id, at, bytes, manifest: null, problem: (error as Error).message, damaged, verified };
    }
  }

  async #verified(id: string): Promise<Verification | null> {
    try {
      return JSON.parse(await text(await this.target.read(`${id}/${VERIFIED}`))) as Verification;
    } catch {
      return null; // only a note: it is verified again
    }
  }

  #put(path: string, content: string): Promise<void> {
    return this.target.write(path, Readable.from([Buffer.from(content)]), AbortSignal.timeout(SMALL_FILE_MS));
  }
}

function sizeProblem({ id, parts }: Manifest, files: readonly StoredFile[]): string | null {
  for (const { file, bytes } of parts) {
    const found = files.find(({ path }) => path === `${id}/${file}`);
    if (found === undefined) return `${file} is missing`;
    if (found.bytes !== bytes) return `${file} has ${found.bytes} bytes instead of ${bytes}`;
  }
  return null;
}

/** Only what looks like a backup: the folder may hold other things, too. */
function groupById(files: readonly StoredFile[]): Map<string, StoredFile[]> {
  const byId = new Map<string, StoredFile[]>();
  for (const file of files) {
    const [id = '', name, more] = file.path.split('/');
    if (name === undefined || more !== undefined || timeOfId(id) === null) continue;
    byId.set(id, [...(byId.get(id) ?? []), file]);
  }
  return byId;
}

function unknown(id: string, address: string): BackupError {
  return new BackupError(`There is no backup ${id} in ${address}.`, 'See: botctl backup list');
}
