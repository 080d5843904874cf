import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { Partials, type ClientOptions } from 'discord.js';
import { CacheReceiver } from '../../../src/agent/handoff/cache-receiver';
import { CacheSender } from '../../../src/agent/handoff/cache-sender';
import { readRecords, RecordStream, type FromPredecessor } from '../../../src/agent/handoff/wire';
import { Changes } from '../snapshot/support/changes';
import { differences } from '../snapshot/support/compare';
import { BOT_ID, offlineClient, whenReady, type OfflineClient } from '../snapshot/support/offline-client';
import { Payloads } from '../snapshot/support/payloads';
import { Random } from '../snapshot/support/random';

const SHARDS = 2;
const GUILDS = 12;
const META = { totalShards: SHARDS, shardIds: [0, 1], discordJs: '14.28.1' };

const clients: OfflineClient[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const { client } of clients.splice(0)) await client.destroy();
});

async function newClient(options: Partial<ClientOptions>): Promise<OfflineClient> {
  const made = await offlineClient(options, SHARDS);
  clients.push(made);
  return made;
}

/** Two ends of one real connection. */
async function connection(): Promise<[Socket, Socket]> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const one = createConnection((server.address() as AddressInfo).port, '127.0.0.1');
  const [other] = (await once(server, 'connection')) as [Socket];
  server.close();
  sockets.push(one, other);
  return [one, other];
}

/** A client after a start and a run of events, all of it random. Some guilds stay unavailable. */
async function livedClient(random: Random, options: Partial<ClientOptions>): Promise<[OfflineClient, Changes]> {
  const make = new Payloads(random, BOT_ID, SHARDS);
  const lived = await newClient(options);
  const shards = META.shardIds.map((id) => Array.from({ length: GUILDS / SHARDS }, () => make.guildId(id)));
  lived.ready(shards);
  shards.forEach((guilds, shardId) => {
    for (const id of guilds) {
      if (random.chance(0.1)) continue;
      lived.dispatch('GUILD_CREATE', make.guild(id, { members: random.chance(0.2) ? 400 : 20, channels: 12 }), shardId);
    }
  });
  await whenReady(lived.client);
  const changes = new Changes(random, make, lived);
  changes.run(150);
  return [lived, changes];
}

/** Copies `from` into a fresh client while `meanwhile` happens to it, turn by turn, and once more after the copy. */
async function handedOver(
  from: OfflineClient,
  options: Partial<ClientOptions>,
  meanwhile: (turnNumber: number) => void,
): Promise<{ to: OfflineClient; heard: string[] }> {
  const [near, far] = await connection();
  const to = await newClient(options);
  const heard: string[] = [];
  const emitter = to.client as unknown as { emit(event: string, ...args: unknown[]): boolean };
  const emit = emitter.emit.bind(emitter);
  emitter.emit = (event, ...args) => {
    if (event !== 'debug') heard.push(event);
    return emit(event, ...args);
  };

  const stream = new RecordStream(near);
  const sender = new CacheSender(from.client, META, stream, { messagesPerChannel: 100 });
  const manager = from.manager as unknown as {
    prependListener(
      event: 'dispatch',
      listener: (payload: { data: { t: string; d: unknown }; shardId: number }) => void,
    ): void;
  };
  manager.prependListener('dispatch', ({ data, shardId }) => sender.dispatched(shardId, data.t, data.d));

  const receiver = new CacheReceiver(to.manager, to.client, META);
  const received = (async () => {
    for await (const record of readRecords<FromPredecessor>(far)) {
      if (record.k === 'copied' || record.k === 'mark' || record.k === 'cut') continue;
      await receiver.take(record);
    }
  })();
  const state = { copied: false };
  const copying = sender.copy().then(() => (state.copied = true));
  for (let number = 0; !state.copied; number++) {
    meanwhile(number);
    await turn();
  }
  await copying;
  for (let number = 0; number < 20; number++) meanwhile(number);
  stream.write();
  near.end();
  await received;
  expect(heard).toEqual([]);
  await receiver.release();
  return { to, heard };
}

const VARIANTS: [string, Partial<ClientOptions>][] = [
  ['discord.js defaults', {}],
  ['all partials', { partials: Object.values(Partials).filter((value) => typeof value === 'number') }],
];

describe.each(VARIANTS)('the successor of a client with %s', (name, options) => {
  const seeds = Array.from({ length: Number(process.env['SEEDS'] ?? 4) }, (_, index) => name.length * 1_000 + index);
  test.each(seeds)('has the same caches, whatever happened meanwhile (seed %i)', async (seed) => {
    const random = new Random(seed);
    const [before, changes] = await livedClient(random, options);
    const { to, heard } = await handedOver(before, options, () => changes.run(3));
    expect(to.client.isReady()).toBe(true);
    // What comes during the copy comes in another order: before what is copied later, not after it.
    expect(differences(before.client, to.client, { ordered: false })).toEqual([]);
    // The bot hears of its shards and of itself being ready, and of nothing that its predecessor has handled.
    expect(new Set(heard)).toEqual(new Set(['shardReady', 'ready', 'clientReady']));
  });
});
