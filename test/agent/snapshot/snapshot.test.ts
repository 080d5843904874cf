import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayIntentBits, Options, Partials } from 'discord.js';
import type { ClientOptions } from 'discord.js';
import { openSnapshots, writeSnapshot } from '../../../src/agent/snapshot';
import { Changes } from './support/changes';
import { differences } from './support/compare';
import { ALL_INTENTS, BOT_ID, offlineClient, whenReady } from './support/offline-client';
import type { OfflineClient } from './support/offline-client';
import { Payloads } from './support/payloads';
import { Random } from './support/random';

const SHARDS = 2;
const GUILDS = 10;
const META = { totalShards: SHARDS, shardIds: [0, 1], discordJs: '14.28.1' };
const MESSAGES = { messagesPerChannel: 100 };

let folder: string;
const clients: OfflineClient[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'snapshot-'));
});

afterEach(async () => {
  for (const { client } of clients.splice(0)) await client.destroy();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function newClient(options: Partial<ClientOptions>): Promise<OfflineClient> {
  const made = await offlineClient(options, SHARDS);
  clients.push(made);
  return made;
}

/** A client after a start and a run of events, all of it random. Some guilds stay unavailable. */
async function livedClient(seed: number, options: Partial<ClientOptions>): Promise<OfflineClient> {
  const random = new Random(seed);
  const make = new Payloads(random, BOT_ID, SHARDS);
  const lived = await newClient(options);
  const shards = META.shardIds.map((id) => Array.from({ length: GUILDS / SHARDS }, () => make.guildId(id)));
  lived.ready(shards);
  shards.forEach((guilds, shardId) => {
    for (const id of guilds) {
      if (random.chance(0.1)) continue;
      lived.dispatch('GUILD_CREATE', make.guild(id, { members: 20, channels: 12 }), shardId);
    }
  });
  await whenReady(lived.client);
  new Changes(random, make, lived).run(300);
  return lived;
}

async function restored(file: string, options: Partial<ClientOptions>): Promise<OfflineClient> {
  const fresh = await newClient(options);
  const snapshot = await openSnapshots([file], META);
  const { skipped } = await snapshot.hydrate(fresh.manager, fresh.client);
  expect(skipped).toBe(0);
  return fresh;
}

/** The records of a file, without the time it was made at and the checksum. */
function records(file: string): string[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(0, -1);
  return lines.map((line) => line.replace(/"createdAt":\d+/, '"createdAt":0'));
}

const VARIANTS: [string, Partial<ClientOptions>][] = [
  ['discord.js defaults', {}],
  ['all partials', { partials: Object.values(Partials).filter((value) => typeof value === 'number') }],
  [
    'no privileged intents',
    { intents: ALL_INTENTS & ~(GatewayIntentBits.GuildMembers | GatewayIntentBits.GuildPresences) },
  ],
  [
    'sweepers',
    { sweepers: { ...Options.DefaultSweeperSettings, users: { interval: 3600, filter: () => () => true } } },
  ],
];

describe.each(VARIANTS)('a client with %s', (name, options) => {
  const seeds = Array.from({ length: 10 }, (_, index) => name.length * 100 + index);
  test.each(seeds)('is the same after a restore (seed %i)', async (seed) => {
    const file = join(folder, 'state');
    const before = await livedClient(seed, options);
    const written = await writeSnapshot(before.client, file, META, MESSAGES);
    expect(written.guilds).toBeGreaterThan(0);

    const after = await restored(file, options);
    expect(after.client.isReady()).toBe(true);
    expect(differences(before.client, after.client)).toEqual([]);

    const again = join(folder, 'again');
    await writeSnapshot(after.client, again, META, MESSAGES);
    expect(records(again)).toEqual(records(file));
  });
});
