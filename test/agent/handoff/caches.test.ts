import { Partials, type ClientOptions } from 'discord.js';
import { Changes } from '../snapshot/support/changes';
import { differences } from '../snapshot/support/compare';
import { BOT_ID, offlineClient, whenReady, type OfflineClient } from '../snapshot/support/offline-client';
import { Payloads } from '../snapshot/support/payloads';
import { Random } from '../snapshot/support/random';
import { closeConnections, copyInto } from './support/copy';

const SHARDS = 2;
const GUILDS = 12;
const META = { totalShards: SHARDS, shardIds: [0, 1], discordJs: '14.28.1' };

const clients: OfflineClient[] = [];

afterEach(async () => {
  closeConnections();
  for (const { client } of clients.splice(0)) await client.destroy();
});

async function newClient(options: Partial<ClientOptions>, shardIds = META.shardIds): Promise<OfflineClient> {
  const made = await offlineClient(options, SHARDS, shardIds);
  clients.push(made);
  return made;
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

const VARIANTS: [string, Partial<ClientOptions>][] = [
  ['discord.js defaults', {}],
  ['all partials', { partials: Object.values(Partials).filter((value) => typeof value === 'number') }],
];

describe.each(VARIANTS)('the successor of a client with %s', (name, options) => {
  const seeds = Array.from({ length: Number(process.env['SEEDS'] ?? 4) }, (_, index) => name.length * 1_000 + index);
  test.each(seeds)('has the same caches, whatever happened meanwhile (seed %i)', async (seed) => {
    const random = new Random(seed);
    const [before, changes] = await livedClient(random, options);
    const to = await newClient(options);
    const heard = await copyInto(to, META, [{ from: before, meta: META }], () => changes.run(3));
    expect(to.client.isReady()).toBe(true);
    // What comes during the copy comes in another order: before what is copied later, not after it.
    expect(differences(before.client, to.client, { ordered: false })).toEqual([]);
    // The bot hears of its shards and of itself being ready, and of nothing that its predecessor has handled.
    expect(new Set(heard)).toEqual(new Set(['shardReady', 'ready', 'clientReady']));
  });
});

describe('clusters that are grouped anew', () => {
  const seeds = Array.from({ length: Number(process.env['SEEDS'] ?? 3) }, (_, index) => 7_000 + index);
  test.each(seeds)('have the same caches after a split and a merger (seed %i)', async (seed) => {
    const random = new Random(seed);
    const [before] = await livedClient(random, {});
    const halves = await Promise.all(
      META.shardIds.map(async (shardId) => {
        const meta = { ...META, shardIds: [shardId] };
        return { from: await newClient({}, [shardId]), meta };
      }),
    );
    for (const { from, meta } of halves) await copyInto(from, meta, [{ from: before, meta }]);
    for (const { from, meta } of halves) {
      const shards = new Set(from.client.guilds.cache.map(({ shardId }) => shardId));
      expect(shards).toEqual(new Set(meta.shardIds));
    }
    const to = await newClient({});
    await copyInto(to, META, halves);
    expect(to.client.isReady()).toBe(true);
    expect(differences(before.client, to.client, { ordered: false })).toEqual([]);
  });
});
