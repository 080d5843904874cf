import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Account } from './account';
import { canReach, giveTo, postgresAccount } from './account';
import type { EmbeddedLog } from './embedded-server-error';
import { EmbeddedServerError } from './embedded-server-error';
import type { ServerFolder } from './server-folder';

/** Where the data lies and whose it is. */
export interface DataPlace {
  /** The folder that holds `data` and, if need be, a copy of the binaries. */
  root: string;
  data: string;
  /** Whom the server runs as; null for ourselves. */
  account: Account | null;
}

/** Name of the file in `dir` that says where the data went. */
const POINTER = 'location';
const SYSTEM_DIR = '/var/lib/botctl';

/**
 * Decides where the data lies. Run by root the server is another user's, who must be able to pass through every folder
 * above the data; the state folder is closed to others and stays so, hence the data then goes to a system folder
 * (BOTCTL_SYSTEM_DIR, default /var/lib/botctl), and a file in `dir` remembers where.
 *
 * @throws EmbeddedServerError EMBEDDED_DENIED
 */
export function placeData(folder: ServerFolder, log: EmbeddedLog): DataPlace {
  const account = postgresAccount();
  if (account === null) return { root: folder.dir, data: join(folder.dir, 'data'), account };
  // Data of an earlier run by another user than root: its owner goes on running it.
  const here = existingPlace(folder.dir, account);
  if (here === null) return relocated(folder, account, log);
  if (canReach(here.account ?? account, folder.dir)) return here;
  throw denied(`The data in ${here.data} is out of reach for ${here.account?.name ?? account.name}, who must run it.`);
}

/** Major version of the data, or null when there is none. */
export function dataMajor(data: string): number | null {
  try {
    return Number(readFileSync(join(data, 'PG_VERSION'), 'utf8').trim()) || null;
  } catch {
    return null;
  }
}

function relocated(folder: ServerFolder, account: Account, log: EmbeddedLog): DataPlace {
  const kept = folder.read(POINTER);
  const root = kept ?? freshRoot(folder.dir, log);
  try {
    for (const dir of [dirname(root), root]) makeOpen(dir);
  } catch (cause) {
    throw denied(`The folder ${root} cannot be made (${(cause as NodeJS.ErrnoException).code ?? 'unknown'}).`, cause);
  }
  if (!canReach(account, root)) throw denied(`User ${account.name} cannot enter ${root}, where its data must lie.`);
  const place = existingPlace(root, account);
  if (kept === null) {
    folder.write(POINTER, root);
    log('info', `Postgres runs as user ${account.name} with its data in ${root}: ${folder.dir} is closed to others`);
  } else if (place === null) {
    log('warn', `the Postgres data in ${root} is gone: beginning with empty databases`);
  }
  return place ?? own({ root, data: join(root, 'data'), account });
}

/** A place for new data. Data of a state folder that was deleted since is neither used, as its password is lost, nor removed. */
function freshRoot(dir: string, log: EmbeddedLog): string {
  const hash = createHash('sha256').update(realpathSync(dir)).digest('hex').slice(0, 16);
  const root = join(process.env['BOTCTL_SYSTEM_DIR'] ?? SYSTEM_DIR, hash);
  if (!existsSync(join(root, 'data'))) return root;
  log(
    'warn',
    `${root} holds the Postgres data of a state folder that was here before: delete it if you do not need it`,
  );
  return `${root}-${randomBytes(4).toString('hex')}`;
}

/** A folder that every user can enter, whatever our umask; one that exists stays as it is. */
function makeOpen(dir: string): void {
  if (existsSync(dir)) return;
  mkdirSync(dir, { recursive: true });
  chmodSync(dir, 0o755);
}

/** Existing data is run by the user it belongs to; root's own (a restored copy) is given to the account. */
function existingPlace(root: string, account: Account): DataPlace | null {
  const data = join(root, 'data');
  if (!existsSync(join(data, 'PG_VERSION'))) return null;
  const { uid, gid } = statSync(data);
  if (uid !== 0) return { root, data, account: uid === account.uid ? account : { name: `uid ${uid}`, uid, gid } };
  return own({ root, data, account });
}

function own(place: DataPlace): DataPlace {
  const { data, account } = place;
  if (account === null || !existsSync(data)) return place;
  giveTo(account, data);
  return place;
}

function denied(message: string, cause?: unknown): EmbeddedServerError {
  const hint = 'Run botctl as a user other than root, or set BOTCTL_SYSTEM_DIR to a folder that others can enter.';
  return new EmbeddedServerError('EMBEDDED_DENIED', message, hint, { cause });
}
