import { accessSync, chmodSync, constants, mkdirSync, statSync } from 'node:fs';

/** The state folder cannot be used; the message says which and what to do. */
export class StateDirError extends Error {
  override readonly name = 'StateDirError';
  constructor(
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Creates the state folder for its owner alone (0700), or makes an existing one so. @throws StateDirError */
export function prepareStateDir(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why =
      code === 'EEXIST' || code === 'ENOTDIR'
        ? 'is in the way of a folder'
        : `cannot be created (${code ?? 'unknown'})`;
    throw new StateDirError(
      `The state folder ${dir} ${why}.`,
      'Set stateDir to a folder that this user can write to.',
      { cause },
    );
  }
  const { uid, mode } = statSync(dir);
  const self = process.getuid?.();
  if (self !== undefined && uid !== self) {
    throw new StateDirError(
      `The state folder ${dir} belongs to another user (uid ${uid}).`,
      `Run botctl as that user, or set stateDir to a folder of your own.`,
    );
  }
  try {
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
    if ((mode & 0o077) !== 0) chmodSync(dir, 0o700);
  } catch (cause) {
    throw new StateDirError(`The state folder ${dir} is not writable.`, `Run: chmod 700 ${dir}`, { cause });
  }
}
