import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { EmbeddedServerError } from './embedded-server-error';
import { pause } from './pause';

export const LOOPBACK = '127.0.0.1';

/** Systems give outgoing connections ports from 32,768 on; one of those could hold the port of a server that is down. */
const FREE = { from: 20_000, to: 32_000 };
const FREE_TRIES = 50;
/** What a process listened on can be taken for a moment after its end, ms. */
const PATIENCE_MS = 3_000;
const AGAIN_MS = 50;

export interface PortWish {
  /** By the config; 0: any. */
  wanted: number;
  /** Clients know the server by it: no other will do. */
  known?: number | null;
  /** Of an earlier run: preferred. */
  last?: number | null;
  /** Name of the setting, for the error. */
  key: string;
}

/**
 * A free port of those that were wished for.
 * @throws EmbeddedServerError EMBEDDED_PORT_TAKEN, EMBEDDED_ABORTED
 */
export async function choosePort({ wanted, known, last, key }: PortWish, signal: AbortSignal): Promise<number> {
  const only = wanted === 0 ? (known ?? null) : wanted;
  const preferred = only ?? last ?? null;
  if (preferred !== null && (await isSoonFree(preferred, signal))) return preferred;
  if (only !== null) throw portTaken(only, key);
  for (let tries = 0; tries < FREE_TRIES; tries++) {
    const port = randomInt(FREE.from, FREE.to);
    if ((await tryPort(port)) !== null) return port;
  }
  return (await tryPort(0)) ?? 0;
}

export function portTaken(port: number, key: string): EmbeddedServerError {
  const message = `Port ${port} on ${LOOPBACK} is taken by another program.`;
  return new EmbeddedServerError('EMBEDDED_PORT_TAKEN', message, `Set ${key} to a free port, or to 0 for any.`);
}

async function isSoonFree(port: number, signal: AbortSignal): Promise<boolean> {
  for (const until = performance.now() + PATIENCE_MS; ;) {
    if ((await tryPort(port)) !== null) return true;
    if (performance.now() > until) return false;
    await pause(AGAIN_MS, signal);
  }
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(null));
    probe.listen({ port, host: LOOPBACK, exclusive: true }, () => {
      const address = probe.address();
      const found = typeof address === 'object' && address !== null ? address.port : null;
      probe.close(() => resolve(found));
    });
  });
}
