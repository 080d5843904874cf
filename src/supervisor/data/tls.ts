import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { Config } from '../../config';

/** The files of a `tls` section, read. What it holds is PEM text, so it can go on as JSON. */
export function readTls({
  ca,
  cert,
  key,
  rejectUnauthorized,
}: NonNullable<Config['postgres']['tls']>): ConnectionOptions {
  return {
    rejectUnauthorized,
    ...(ca !== undefined && { ca: readFileSync(ca, 'utf8') }),
    ...(cert !== undefined && { cert: readFileSync(cert, 'utf8') }),
    ...(key !== undefined && { key: readFileSync(key, 'utf8') }),
  };
}
