import { createServer } from 'node:net';
import { EmbeddedServerError } from './embedded-server-error';

export const LOOPBACK = '127.0.0.1';

/**
 * The port to listen on: the wanted one, or for 0 the last one while it is still free, else any free one.
 *
 * @param key name of the setting, for the error
 * @throws EmbeddedServerError EMBEDDED_PORT_TAKEN
 */
export async function choosePort(wanted: number, last: number | null, key: string): Promise<number> {
  if (wanted === 0) return (last !== null ? await tryPort(last) : null) ?? (await tryPort(0)) ?? 0;
  const port = await tryPort(wanted);
  if (port === null) throw portTaken(wanted, key);
  return port;
}

export function portTaken(port: number, key: string): EmbeddedServerError {
  const message = `Port ${port} on ${LOOPBACK} is taken by another program.`;
  return new EmbeddedServerError('EMBEDDED_PORT_TAKEN', message, `Set ${key} to a free port, or to 0 for any.`);
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
