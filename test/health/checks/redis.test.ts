import { writeProblem } from '../../../src/health/checks/redis';
import { redisCheck } from '../../../src/supervisor/health/servers';
import { RedisServer } from '../../data/cache/redis-server';
import { Watch } from '../support/watch';

const TIMEOUT_MS = 300;

let server: RedisServer;
let watch: Watch;

beforeEach(async () => {
  server = await RedisServer.start();
  watch = new Watch([redisCheck(server.source, TIMEOUT_MS)], { intervalMs: 2 * TIMEOUT_MS });
  await watch.until('healthy');
});
afterEach(async () => {
  watch.stop();
  await server.goOn();
  await server.kill();
});

it('a server that is gone is unhealthy, and recovers when it is started again', async () => {
  await server.kill();
  await watch.until('unhealthy');
  await server.start();
  await watch.until('healthy');
});

it('a server that hangs is unhealthy, and recovers when it goes on', async () => {
  await server.hang();
  expect((await watch.until('unhealthy')).message).toMatch(/no answer/);
  await server.goOn();
  await watch.until('healthy');
});

it('a server that is full and may throw nothing out is unhealthy, and recovers with more room', async () => {
  const client = server.client();
  try {
    await client.config('SET', 'maxmemory', '1mb');
    await client.config('SET', 'maxmemory-policy', 'noeviction');
    expect((await watch.until('unhealthy')).message).toBe(
      'answers, but is full (maxmemory, noeviction): it takes no writes',
    );
    await client.config('SET', 'maxmemory', '0');
    await watch.until('healthy');
  } finally {
    client.disconnect();
  }
});

it.each([
  ['', null],
  ['role:master\r\nmaxmemory:0\r\nused_memory:99\r\nmaxmemory_policy:noeviction\r\n', null],
  ['maxmemory:100\r\nused_memory:100\r\nmaxmemory_policy:allkeys-lru\r\n', null],
  ['loading:1\r\n', 'is loading its data'],
  ['role:slave\r\n', 'answers, but is a replica: it takes no writes'],
])('INFO %j: %s', (info, problem) => {
  expect(writeProblem(info)).toBe(problem);
});
