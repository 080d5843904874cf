import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A user of the machine that a server runs as. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/**
 * Who Postgres must run as: null for ourselves. Root is refused by Postgres, so root runs it as `postgres`, or `nobody`
 * where there is no such user.
 */
export function postgresAccount(): Account | null {
  if (process.getuid?.() !== 0) return null;
  return lookUp('postgres') ?? lookUp('nobody') ?? { name: 'nobody', uid: 65_534, gid: 65_534 };
}

/** True when the account can pass through the folder and all above it. Reads permission bits, not ACLs. */
export function canReach(account: Account, folder: string): boolean {
  for (let dir = folder; ; dir = dirname(dir)) {
    const stat = statSync(dir, { throwIfNoEntry: false });
    if (stat !== undefined) {
      const shift = stat.uid === account.uid ? 6 : stat.gid === account.gid ? 3 : 0;
      if (((stat.mode >> shift) & 0o1) === 0) return false;
    }
    if (dir === dirname(dir)) return true;
  }
}

/** Gives a folder and all in it to the account. @throws Error of chown */
export function giveTo(account: Account, folder: string): void {
  execFileSync('chown', ['-R', `${account.uid}:${account.gid}`, folder], { stdio: 'ignore' });
}

/** Our environment holds the bot's token: servers get none of it but what finds programs and libraries. */
export function cleanEnv(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { LC_ALL: 'C', LANG: 'C' };
  for (const name of ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'TZ']) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function lookUp(name: string): Account | null {
  try {
    const id = (flag: string): number =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    const [uid, gid] = [id('-u'), id('-g')];
    return uid > 0 && gid >= 0 ? { name, uid, gid } : null;
  } catch {
    return null;
  }
}
