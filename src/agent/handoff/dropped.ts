import type { Client } from 'discord.js';
import type { DroppedState } from '../../ipc/messages';

/** Events that discord.js's collectors listen to, and the name of their listener. */
const COLLECTED = ['interactionCreate', 'messageCreate', 'messageReactionAdd'];
const COLLECTOR_LISTENER = 'bound handleCollect';

/** Counts what runs in the client and cannot go to another process. */
export function countDropped(client: Client): DroppedState {
  const listeners = COLLECTED.flatMap((event) => client.listeners(event));
  return {
    collectors: listeners.filter(({ name }) => name === COLLECTOR_LISTENER).length,
    voiceConnections: client.voice.adapters.size,
  };
}
