import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl, TOKEN } from './support/botctl';

const SHARDS = 4;
const BOT = join(__dirname, 'bots/parity.cjs');

type Answers = Record<string, unknown>;

function answersIn(output: string): Answers | null {
  const line = /PARITY (\{.*\})/.exec(output)?.[1];
  return line === undefined ? null : (JSON.parse(line) as Answers);
}

/** The same unmodified bot, asked the same questions, under discord.js's ShardingManager and under botctl. */
describe('client.shard', () => {
  let sandbox: Sandbox;
  let api: string;
  let expected: Answers;

  beforeAll(async () => {
    sandbox = new Sandbox({ guilds: 12, shards: SHARDS, maxConcurrency: 16, identifyIntervalMs: 50 });
    ({ apiUrl: api } = await sandbox.listen());
    expected = await underShardingManager(api);
  });
  afterAll(() => sandbox.close());

  it('answers under ShardingManager at all', () => {
    expect(Object.keys(expected).length).toBeGreaterThan(20);
    expect(expected['fetchAll']).toEqual({ value: expect.arrayContaining([expect.any(Number)]) as unknown });
  });

  it('answers the same under botctl, one shard per cluster', async () => {
    const botctl = new Botctl({
      bot: BOT,
      api,
      config: {
        sharding: { totalShards: SHARDS, shardsPerCluster: 1 },
        identify: { interval: '50ms', margin: '20ms' },
      },
    });
    try {
      botctl.start();
      await until(() => botctl.logs().includes('PARITY'), {
        what: () => botctl.logs().slice(-4_000),
      });
      const lines = botctl
        .logs()
        .split('\n')
        .filter((line) => line.includes('PARITY'));
      const { msg } = JSON.parse(lines[0] ?? '{}') as { msg: string };
      expect(answersIn(msg)).toEqual(expected);
    } finally {
      await botctl.dispose();
    }
  });
});

async function underShardingManager(api: string): Promise<Answers> {
  const child = spawn(process.execPath, [join(__dirname, 'support/sharding-manager.cjs'), BOT, String(SHARDS)], {
    env: { PATH: process.env['PATH'], DISCORD_TOKEN: TOKEN, TEST_DISCORD_API: api },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const closed = once(child, 'close');
  try {
    await until(() => answersIn(output) !== null, { what: () => output });
    return answersIn(output) ?? {};
  } finally {
    // The manager and its shards are one process group.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    await closed;
  }
}
