import { Client, GatewayIntentBits } from 'discord.js';
import type { ClientOptions } from 'discord.js';
import type { GatewayStream } from '../../../../src/agent/snapshot';
import type { Json } from './payloads';

export const BOT_ID = '800000000000000001';

/** A real discord.js client, set up by a real login(), whose shards never open a socket. */
export interface OfflineClient {
  client: Client;
  /** The manager of @discordjs/ws; what is emitted on it is what the client takes for the gateway. */
  manager: GatewayStream;
  dispatch(t: string, d: Json, shardId?: number): void;
  ready(guildsByShard: string[][], application?: Json): void;
}

export const ALL_INTENTS = Object.values(GatewayIntentBits).reduce<number>(
  (all, bit) => (typeof bit === 'number' ? all | bit : all),
  0,
);

export async function offlineClient(
  options: Partial<ClientOptions> = {},
  totalShards = 1,
  shardIds = Array.from({ length: totalShards }, (_, id) => id),
): Promise<OfflineClient> {
  let manager: GatewayStream | undefined;
  const client = new Client({
    intents: ALL_INTENTS,
    waitGuildTimeout: 20,
    ...options,
    shards: shardIds,
    shardCount: totalShards,
    rest: { makeRequest: gatewayInformation },
    ws: {
      buildStrategy: (built: GatewayStream) => {
        manager = built;
        return new NoStrategy();
      },
    } as never,
  });
  await client.login('offline');
  const stream = manager!;
  const dispatch = (t: string, d: Json, shardId = 0) => {
    stream.emit('dispatch', { data: { op: 0, t, s: 1, d: structuredClone(d) }, shardId });
  };
  return {
    client,
    manager: stream,
    dispatch,
    ready(guildsByShard, application = {}) {
      guildsByShard.forEach((guilds, shardId) => {
        const data = {
          v: 10,
          user: {
            id: BOT_ID,
            username: 'bot',
            discriminator: '0',
            avatar: null,
            bot: true,
            verified: true,
            mfa_enabled: true,
          },
          guilds: guilds.map((id) => ({ id, unavailable: true })),
          session_id: 's',
          resume_gateway_url: 'wss://x',
          application: { id: BOT_ID, flags: 565_248, ...application },
        };
        stream.emit('ready', { data: structuredClone(data), shardId });
        dispatch('READY', data, shardId);
      });
    },
  };
}

export function whenReady(client: Client): Promise<void> {
  if (client.isReady()) return Promise.resolve();
  return new Promise((resolve) => client.once('clientReady', () => resolve()));
}

function gatewayInformation(): Promise<Response> {
  const limit = { total: 1000, remaining: 1000, reset_after: 0, max_concurrency: 1 };
  return Promise.resolve(Response.json({ url: 'wss://offline.invalid', shards: 1, session_start_limit: limit }));
}

class NoStrategy {
  spawn(): Promise<void> {
    return Promise.resolve();
  }

  connect(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    return Promise.resolve();
  }

  send(): Promise<void> {
    return Promise.resolve();
  }

  fetchStatus(): Promise<Map<number, number>> {
    return Promise.resolve(new Map<number, number>());
  }
}
