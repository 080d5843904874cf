import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TreeEntry } from './tree';

/** npm's own record of what it has installed. */
const INSTALL_RECORD = /(^|\/)node_modules\/\.(package-lock\.json|yarn-integrity|modules\.yaml)$/;

/**
 * What a tree holds, as a hash: content, names, links, and which files may be run. Of installed packages it is names and
 * sizes beside the package manager's own record: there are many, and they are replaced as a whole.
 */
export class TreeDigest {
  readonly #hash = createHash('sha256');

  constructor(private readonly root: string) {}

  /** In the order of `walkTree`. @throws Error when it cannot be read */
  add(entry: TreeEntry): void {
    this.#hash.update(`${JSON.stringify([entry.kind, entry.path, ...factsOf(this.root, entry)])}\n`);
  }

  /** Once, at the end. */
  get hex(): string {
    return this.#hash.digest('hex');
  }
}

/** @throws Error when something cannot be read */
export function digestTree(root: string, entries: readonly TreeEntry[]): string {
  const digest = new TreeDigest(root);
  for (const entry of entries) digest.add(entry);
  return digest.hex;
}

function factsOf(root: string, entry: TreeEntry): (string | number | boolean)[] {
  switch (entry.kind) {
    case 'folder':
      return [];
    case 'link':
      return [entry.target];
    case 'file': {
      if (entry.installed && !INSTALL_RECORD.test(entry.path)) return [entry.stats.size];
      const content = createHash('sha256')
        .update(readFileSync(join(root, entry.path)))
        .digest('hex');
      return [content, (entry.stats.mode & 0o100) !== 0];
    }
  }
}
