import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HealthState, Status } from '../../src/control/contract';
import { ServerFolder } from '../../src/data/embedded/server-folder';
import { Sandbox } from '../../src/sandbox';
import { Botctl } from './support/botctl';

let sandbox: Sandbox;
let botctl: Botctl;

// One bot for all: each fault ends before the next begins, and whatever it touched must be well again.
beforeAll(async () => {
  sandbox = new Sandbox({
    guilds: 40,
    shards: 4,
    maxConcurrency: 16,
    identifyIntervalMs: 50,
    heartbeatIntervalMs: 1_000,
  });
  const { apiUrl } = await sandbox.listen();
  botctl = new Botctl({
    bot: 'health.cjs',
    api: apiUrl,
    config: {
      bot: { nodeArgs: ['--expose-gc'] },
      sharding: { shardsPerCluster: 2 },
      identify: { interval: '50ms' },
      gateway: { backoffMin: '100ms', backoffMax: '1s' },
      http: { enabled: true, port: 0 },
      postgres: { embedded: { enabled: true, shards: 2 } },
      redis: { embedded: { enabled: true } },
      health: {
        interval: '800ms',
        disk: { minFree: '1MB' },
        shards: { reconnectTime: '1s' },
        eventLoop: { maxDelay: '300ms' },
        memory: { clusterLimit: '380MB' },
        checks: [{ name: 'quorum', command: 'test ! -e broken || { echo "env: $(env)"; exit 1; }' }],
      },
    },
    env: { BOTCTL_SYSTEM_DIR: '' },
  });
  chmodSync(botctl.dir, 0o755); // for the embedded Postgres, which may have to run as another user
  botctl.env['BOTCTL_SYSTEM_DIR'] = join(botctl.dir, 'system');
  botctl.env['ORDERS'] = orders();
  botctl.start();
});
beforeEach(async () => {
  rmSync(orders(), { force: true });
  await botctl.untilStatus(({ health, verdict }) => health?.state === 'healthy' && verdict === 'well');
});
afterAll(async () => {
  await botctl.cli('stop');
  await botctl.dispose();
  await sandbox.close();
});

const orders = (): string => join(botctl.dir, 'orders');

function order(text: string): void {
  writeFileSync(orders(), text);
}

async function untilCheck(name: string, state: HealthState): Promise<Status> {
  const of = ({ health }: Status): boolean => health?.checks.find((check) => check.name === name)?.state === state;
  return botctl.untilStatus(of);
}

function checkOf({ health }: Status, name: string): NonNullable<Status['health']>['checks'][number] {
  return health!.checks.find((check) => check.name === name)!;
}

async function get(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const { http } = (await botctl.status()).supervisor;
  const response = await fetch(`${http ?? ''}${path}`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

it('a deaf shard is told by its heartbeats, on every screen, and recovers', async () => {
  expect((await botctl.cli('health')).code).toBe(0);
  expect(await get('/readyz')).toMatchObject({ status: 200, body: { ready: true, health: 'healthy' } });

  sandbox.fault('deaf', { shard: 3, seconds: 3_600 });
  const status = await untilCheck('shards', 'unhealthy');
  expect(checkOf(status, 'shards')).toMatchObject({ scopes: 4, unhealthy: 1, named: [{ scope: 'shard 3' }] });
  expect(checkOf(status, 'discord').state).toBe('healthy');
  expect(status.verdict).toBe('degraded');
  const { code, stdout } = await botctl.cli('health');
  expect(code).toBe(1);
  expect(stdout).toMatch(/is unhealthy: shards;/);
  expect((await botctl.cli('health', '--live')).code).toBe(0);
  expect(JSON.parse((await botctl.cli('health', '--json')).stdout)).toMatchObject({ state: 'unhealthy' });
  expect(await get('/readyz')).toMatchObject({ status: 503, body: { ready: false, health: 'unhealthy' } });
  expect(await get('/healthz')).toMatchObject({ status: 200, body: { alive: true, health: 'unhealthy' } });
  const { results } = (await get('/readyz?verbose')).body;
  expect((results as { check: string }[]).filter(({ check }) => check === 'shards')).toHaveLength(4);
  expect(botctl.logs()).toMatch(/health: shards is unhealthy \(shard 3\)/);

  sandbox.fault('deaf', { shard: 3, seconds: 0 });
  await untilCheck('shards', 'healthy');
  await botctl.untilReady();
});

it('a whole gateway that is deaf is a failure of Discord, and recovers', async () => {
  sandbox.fault('outage', { seconds: 3_600 });
  const status = await untilCheck('discord', 'unhealthy');
  expect(checkOf(status, 'discord').message).toMatch(/the gateway refuses connections|does not answer|no shard/);
  expect((await get('/healthz')).status).toBe(200);
  sandbox.fault('outage', { seconds: 0 });
  await untilCheck('discord', 'healthy');
});

it("a blocked event loop, and a check of the bot's own that hangs, are seen and recover; the bot lives on", async () => {
  const { clusters } = await botctl.status();
  order('block');
  // One cluster after the other: each tells of its event loop in its own time.
  await botctl.untilStatus((found) => checkOf(found, 'event-loop').unhealthy === 2);
  order('hang'); // the other ways to fail are the SDK's own tests
  const hanging = await untilCheck('bot:orders', 'unhealthy');
  expect(checkOf(hanging, 'bot:orders').message).toMatch(/^(no answer within 500 ms|still hangs)/);
  rmSync(orders());
  await untilCheck('bot:orders', 'healthy');
  const after = await untilCheck('event-loop', 'healthy');
  expect(after.clusters.map(({ pid, restarts }) => [pid, restarts])).toEqual(clusters.map(({ pid }) => [pid, 0]));
});

it('a cluster that outgrows its limit is seen, and recovers', async () => {
  order('eat');
  const status = await botctl.untilStatus((found) => checkOf(found, 'memory').unhealthy === 2);
  expect(checkOf(status, 'memory').named.map(({ scope }) => scope)).toEqual(
    expect.arrayContaining(['cluster 0', 'cluster 1']),
  );
  rmSync(orders());
  await untilCheck('memory', 'healthy');
});

it('Postgres that is paused and Redis that is paused are failures of theirs alone, and recover', async () => {
  for (const tier of ['postgres', 'redis'] as const) {
    const { pid } = new ServerFolder(join(botctl.stateDir, tier)).server!;
    process.kill(pid, 'SIGSTOP');
    try {
      const status = await untilCheck(tier, 'unhealthy');
      expect(status.health!.checks.filter(({ state }) => state === 'unhealthy').map(({ name }) => name)).toEqual([
        tier,
      ]);
      expect((await get('/healthz')).status).toBe(200);
      expect((await botctl.cli('health', '--live')).code).toBe(0);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await untilCheck(tier, 'healthy');
  }
});

it('checks from the config look at what they name; secrets do not reach the screen', async () => {
  writeFileSync(join(botctl.dir, 'broken'), '');
  const status = await untilCheck('quorum', 'unhealthy');
  expect(checkOf(status, 'quorum').message).toMatch(/^exit code 1/);
  expect(JSON.stringify(status)).not.toContain(botctl.env['DISCORD_TOKEN']);
  rmSync(join(botctl.dir, 'broken'));
  await untilCheck('quorum', 'healthy');
});
