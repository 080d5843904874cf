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
export function digestTree(root: string, entries: readonly TreeEntry[]): string {
  const hash = createHash('sha256');
  for (const entry of entries) hash.update(`${JSON.stringify([entry.kind, entry.path, ...factsOf(root, entry)])}\n`);
  return hash.digest('hex');
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
