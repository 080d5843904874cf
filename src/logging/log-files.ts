import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

const NAME = /^botctl\.(\d{6,})\.log$/;

/** One of the numbered files in the log folder; a higher number is newer. */
export interface LogFile {
  number: number;
  path: string;
}

export function logFilePath(dir: string, number: number): string {
  return join(dir, `botctl.${String(number).padStart(6, '0')}.log`);
}

/** Oldest first; empty when the folder does not exist. */
export async function listLogFiles(dir: string): Promise<LogFile[]> {
  let names: string[];
  try {
    names = await readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names
    .flatMap((name) => {
      const match = NAME.exec(name);
      return match === null ? [] : [{ number: Number(match[1]), path: join(dir, name) }];
    })
    .sort((a, b) => a.number - b.number);
}
