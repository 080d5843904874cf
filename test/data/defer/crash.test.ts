import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../support/until';
import { Databases, SHARDS } from './databases';
import type { WriterSettings } from './writer';
import type { Writer } from './writers';
import { Writers } from './writers';

jest.setTimeout(300_000);

let databases: Databases;
let writers: Writers;
beforeEach(async () => {
  databases = new Databases();
  await databases.start();
  writers = new Writers(databases.server.base);
});
afterEach(async () => {
  writers.end();
  await databases.end();
});

function settings(mode: WriterSettings['mode'], owner: string, guilds: number[], from = 0): WriterSettings {
  const { dir, flags, urls } = databases;
  return { mode, dir, flags, owner, urls, guilds: guilds.map(String), from };
}

/** Whole numbers below `max` from a seed, so that a failing schedule can be had again. */
function dice(seed: number): (max: number) => number {
  let state = seed;
  return (max) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * max);
  };
}

/** Everything acknowledged has landed once and in order, and nothing else twice. */
async function check(acknowledging: readonly Writer[]): Promise<{ landed: number; acknowledged: number }> {
  const landed = new Map<string, number[]>();
  for (let shard = 0; shard < SHARDS; shard += 1) {
    for (const { guild_id, n } of await databases.target.query(shard, 'SELECT guild_id, n FROM landed ORDER BY seq')) {
      const guild = guild_id as string;
      landed.set(guild, [...(landed.get(guild) ?? []), n as number]);
    }
  }
  let rows = 0;
  for (const numbers of landed.values()) {
    rows += numbers.length;
    const wrong = numbers.findIndex((n, at) => at > 0 && n <= numbers[at - 1]!);
    expect(numbers.slice(Math.max(0, wrong - 3), wrong + 3)).toEqual(wrong === -1 ? numbers.slice(0, 2) : 'in order');
  }
  const sets = new Map(Array.from(landed, ([guild, numbers]) => [guild, new Set(numbers)]));
  const acknowledged = acknowledging.flatMap((writer) => writer.acknowledged);
  expect(acknowledged.filter(({ guild, n }) => sets.get(guild)?.has(n) !== true)).toEqual([]);
  return { landed: rows, acknowledged: acknowledged.length };
}

async function killServer(signal: NodeJS.Signals): Promise<void> {
  await databases.kill(signal);
  await databases.restart();
}

test('writers and servers that are killed at any time: what was acknowledged lands once and in order', async () => {
  const seed = Date.now() >>> 0;
  console.log(`schedule of seed ${seed}`);
  const roll = dice(seed);
  const guilds = Array.from({ length: 10 }, (_, guild) => guild + 1);
  let kills = 0;
  for (let round = 0; round < 26; round += 1) {
    for (let shard = 0; shard < SHARDS; shard += 1) databases.flag(shard, roll(3) === 0);
    const writer = writers.start(settings('write', 'cluster-0', guilds, (round + 1) * 1_000_000));
    if (roll(5) > 0) await writer.until('open');
    const restart =
      round % 6 === 3 ? killServer((['SIGQUIT', 'SIGINT', 'SIGKILL'] as const)[roll(3)]!) : Promise.resolve();
    await delay(roll(500));
    databases.flag(roll(SHARDS), roll(2) === 0);
    await delay(roll(200));
    await writer.kill();
    kills += 1;
    await restart;
  }
  for (let shard = 0; shard < SHARDS; shard += 1) databases.flag(shard, false);
  await writers.start(settings('drain', 'cluster-0', guilds)).until('drained');
  const { landed, acknowledged } = await check(writers.all);
  const all = writers.all.flatMap((writer) => writer.acknowledged);
  const queued = all.filter(({ outcome }) => outcome === 'queued').length;
  const said = writers.all.flatMap(({ lines }) => lines);
  const count = (text: string): number => said.filter((line) => line.includes(text)).length;
  const figures = `${acknowledged} acknowledged (${queued} of them queued), ${landed} landed`;
  console.log(`${kills} kills: ${figures}, ${count('QUEUE_FULL')} refused, ${count('cut off')} torn`);
  expect(said.filter((line) => /^refused (?!.*QUEUE_FULL)|damaged|cannot/.test(line))).toEqual([]);
  expect(queued).toBeGreaterThan(0);
  expect(readdirSync(databases.dir)).toEqual([]);
});

test('several that take over at the same time, some killed half-way: nothing is lost or doubled', async () => {
  const roll = dice(Date.now() >>> 0);
  for (let shard = 0; shard < SHARDS; shard += 1) databases.flag(shard, true);
  const dead = Array.from({ length: 6 }, (_, n) => {
    const guilds = [2 * n, 2 * n + 1];
    return writers.start(settings('write', n < 3 ? 'same' : `other-${n}`, guilds));
  });
  await until(() => dead.every(({ acknowledged }) => acknowledged.length > 60), { timeoutMs: 30_000 });
  await Promise.all(dead.map((writer) => writer.kill()));

  for (let round = 0; round < 3; round += 1) {
    const adopters = Array.from({ length: 4 }, (_, n) => writers.start(settings('adopt', n < 2 ? 'same' : 'boss', [])));
    await Promise.race(adopters.map((adopter) => adopter.until('open')));
    await Promise.all(
      adopters.map(async (adopter) => {
        await delay(roll(40));
        await adopter.kill();
      }),
    );
  }
  for (let shard = 0; shard < SHARDS; shard += 1) databases.flag(shard, false);
  const last = Array.from({ length: 3 }, () => writers.start(settings('adopt', 'boss', [])));
  await Promise.all(last.map((adopter) => adopter.until('drained')));
  const { landed, acknowledged } = await check(dead);
  expect(landed).toBeGreaterThan(300);
  expect(acknowledged).toBeGreaterThan(300);
  expect(readdirSync(databases.dir)).toEqual([]);
});
