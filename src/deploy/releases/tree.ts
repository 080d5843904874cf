import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { DeployError } from '../deploy-error';

/** What makes up a release. Paths are relative to its root, with slashes. */
export type TreeEntry = { path: string } & (
  | { kind: 'folder' }
  /** `installed`: beneath node_modules, where files are replaced, not edited. */
  | { kind: 'file'; stats: Stats; installed: boolean }
  /** `leaves`: it leads out of the tree, so that it is shared by all releases. */
  | { kind: 'link'; target: string; leaves: boolean }
);

/** Names in the root that say, in gitignore's syntax, what does not belong to a release. */
export const IGNORE_FILE = '.botctlignore';

const NEVER = ['.git', '.hg', '.svn', '.botctl'];
const INSTALLED = /(^|\/)node_modules\//;

/**
 * Everything in `root`, folders before what they hold, in an order that is always the same. Links are not followed.
 * `without`: absolute paths that are left out, such as the state folder.
 * @throws DeployError when something cannot be read
 */
export function readTree(root: string, without: readonly string[] = []): TreeEntry[] {
  return [...walkTree(root, without)];
}

/** As `readTree`, one after the other. */
export function* walkTree(root: string, without: readonly string[] = []): Generator<TreeEntry> {
  const rules = rulesOf(root, without);
  function* visit(folder: string): Generator<TreeEntry> {
    for (const name of namesIn(join(root, folder))) {
      const path = folder === '' ? name : `${folder}/${name}`;
      const entry = entryOf(root, path, rules);
      if (entry === null) continue;
      yield entry;
      if (entry.kind === 'folder') yield* visit(path);
    }
  }
  yield* visit('');
}

function rulesOf(root: string, without: readonly string[]): Ignore {
  const rules = ignore().add(NEVER);
  for (const path of without) {
    const inside = relative(root, path);
    if (inside !== '' && !inside.startsWith('..') && !isAbsolute(inside)) rules.add(`/${inside.split(sep).join('/')}`);
  }
  try {
    rules.add(readFileSync(join(root, IGNORE_FILE), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unreadable(IGNORE_FILE, error);
  }
  return rules;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw unreadable(folder, error);
  }
}

/** null: it is left out, gone meanwhile, or something that cannot be copied, such as a socket. */
function entryOf(root: string, path: string, rules: Ignore): TreeEntry | null {
  const file = join(root, path);
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (stats === undefined || rules.ignores(stats.isDirectory() ? `${path}/` : path)) return null;
  if (stats.isDirectory()) return { kind: 'folder', path };
  if (stats.isFile()) return { kind: 'file', path, stats, installed: INSTALLED.test(path) };
  if (!stats.isSymbolicLink()) return null;
  const target = readlinkSync(file);
  const leads = resolve(dirname(file), target);
  const leaves = leads !== root && !leads.startsWith(root + sep);
  // An absolute link into the tree would lead from the release back to the folder that it was made of.
  const kept = leaves ? leads : isAbsolute(target) ? relative(dirname(file), leads) || '.' : target;
  return { kind: 'link', path, target: kept, leaves };
}

function unreadable(what: string, error: unknown): DeployError {
  const hint = 'Make it readable for this user, or leave it out with a line in .botctlignore';
  return new DeployError(`${what} cannot be read: ${(error as Error).message}`, hint, { cause: error });
}
