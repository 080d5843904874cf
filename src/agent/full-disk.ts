import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';

type Data = string | NodeJS.ArrayBufferView;

/** What a disk says that has no room, or is broken. */
const DISK_ERRORS: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS']);
const STDOUT = 1;
const STDERR = 2;

/**
 * The bot's output goes to files here, where a pipe would be under another supervisor: a full disk may cost lines of it,
 * but not the process, in which Node throws out of `console.log` (SyncWriteStream).
 */
export function outlastFullDisk(streams: readonly Writable[] = [process.stdout, process.stderr]): void {
  for (const stream of streams) forgive(stream);
  forgiveDescriptors();
}

function forgive(stream: Writable): void {
  const write = stream._write.bind(stream);
  stream._write = (chunk, encoding, done) => {
    try {
      write(chunk, encoding, (error) => done(isDiskError(error) ? null : error));
    } catch (error) {
      if (!isDiskError(error)) throw error;
      done();
    }
  };
}

/** Loggers write to the descriptors themselves (pino by sonic-boom). */
function forgiveDescriptors(): void {
  const { write, writeSync } = fs;
  const writeSyncForgiving = (fd: number, data: Data, ...rest: unknown[]): number => {
    try {
      return Reflect.apply(writeSync, fs, [fd, data, ...rest]) as number;
    } catch (error) {
      if (!isOutput(fd) || !isDiskError(error)) throw error;
      return lengthOf(data, rest);
    }
  };
  const writeForgiving = (fd: number, data: Data, ...rest: unknown[]): void => {
    const done = rest.at(-1);
    if (isOutput(fd) && typeof done === 'function') {
      rest[rest.length - 1] = (error: Error | null, written: number): void => {
        const settled = isDiskError(error) ? [null, lengthOf(data, rest)] : [error, written];
        Reflect.apply(done, undefined, [...settled, data]);
      };
    }
    Reflect.apply(write, fs, [fd, data, ...rest]);
  };
  // Promisified, it answers with an object: that form stays the original's.
  fs.write = Object.assign(writeForgiving as typeof fs.write, { __promisify__: write.__promisify__ });
  Object.defineProperty(fs.write, promisify.custom, { value: promisify(write) });
  fs.writeSync = writeSyncForgiving;
  syncBuiltinESMExports();
}

function isOutput(fd: number): boolean {
  return fd === STDOUT || fd === STDERR;
}

/** As if all had been written. */
function lengthOf(data: Data, [offset, length]: unknown[]): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  const skipped = typeof offset === 'number' ? offset : 0;
  return typeof length === 'number' ? length : data.byteLength - skipped;
}

function isDiskError(error: unknown): boolean {
  return DISK_ERRORS.has((error as NodeJS.ErrnoException | null | undefined)?.code);
}
