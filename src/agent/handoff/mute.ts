import type { Client } from 'discord.js';

type Emitter = { emit: (...args: unknown[]) => boolean };

/**
 * Keeps a client's events from the bot while its caches are filled from another process, which has told its own bot of
 * them already.
 * @returns lets them through again
 */
export function mute(client: Client): () => void {
  const undo = [client, client.ws].map((emitter) => silence(emitter as unknown as Emitter));
  return () => undo.forEach((unmute) => unmute());
}

function silence(emitter: Emitter): () => void {
  const own = Object.getOwnPropertyDescriptor(emitter, 'emit');
  emitter.emit = () => false;
  return () => {
    if (own === undefined) Reflect.deleteProperty(emitter, 'emit');
    else Object.defineProperty(emitter, 'emit', own);
  };
}
