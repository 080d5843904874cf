import { readFileSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { isRunning, sendSignal } from '../../../src/data/embedded/process-identity';
import { EmbeddedRedis } from '../../../src/data/embedded/redis';
import { until } from '../../support/until';
import { Scene } from './scene';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.end());

function redis(port = 0): EmbeddedRedis {
  const found = EmbeddedRedis.find({ dir: scene.dir, port, log: scene.log });
  if (found === null) throw new Error('these tests need redis-server (Debian: apt install redis-server)');
  return found;
}

async function ask(url: string, ...command: [string, ...string[]]): Promise<unknown> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await client.call(...command);
  } finally {
    client.disconnect();
  }
}

async function pingWithoutPassword(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.write('PING\r\n');
  for await (const answer of socket) return String(answer);
  return 'no answer';
}

test('serves a bounded cache behind a password that stands in files of ours alone', async () => {
  const first = redis();
  const { url, version } = await first.start(scene.signal);
  expect(version).toMatch(/^\d+\.\d+/);
  const { password, port } = new URL(url);
  await expect(ask(url, 'CONFIG', 'GET', 'maxmemory-policy')).resolves.toEqual(['maxmemory-policy', 'allkeys-lru']);
  await expect(pingWithoutPassword(Number(port))).resolves.toMatch(/^-NOAUTH/);
  for (const name of ['password', 'redis.conf']) {
    expect(statSync(join(scene.dir, name)).mode & 0o777).toBe(0o600);
  }
  expect(scene.commandLine()).not.toContain(password);
  expect(readFileSync(scene.folder.log.file, 'utf8')).not.toContain(password);
  const { server } = scene;
  await first.stop();
  expect(isRunning(server)).toBe(false);
  await expect(redis().start(scene.signal)).resolves.toEqual({ url, version });
});

test('takes over the server of a supervisor that was killed, and says when it dies', async () => {
  const { child, said } = await scene.otherSupervisor('redis');
  const before = scene.server;
  await expect(redis().start(scene.signal)).rejects.toMatchObject({ code: 'EMBEDDED_IN_USE' });
  child.kill('SIGKILL');
  await until(() => child.signalCode !== null);
  const mine = redis();
  const exits: string[] = [];
  mine.onExit((reason) => exits.push(reason));
  expect((await mine.start(scene.signal)).url).toBe(said.url);
  expect(scene.server).toEqual(before);
  sendSignal(before, 'SIGKILL');
  await until(() => exits.length > 0);
  expect(exits[0]).toMatch(/^Redis \(process \d+\) is gone/);
  expect((await mine.start(scene.signal)).url).toBe(said.url);
});

test('a server that hangs is replaced', async () => {
  const { child } = await scene.otherSupervisor('redis');
  const before = scene.server;
  sendSignal(before, 'SIGSTOP');
  child.kill('SIGKILL');
  await until(() => child.signalCode !== null);
  const { url } = await redis().start(scene.signal);
  expect(isRunning(before)).toBe(false);
  await expect(ask(url, 'PING')).resolves.toBe('PONG');
}, 30_000);

test('a server whose supervisor does not come back is stopped by its guard', async () => {
  const { child } = await scene.otherSupervisor('redis', { orphanMs: 1_000 });
  const { server } = scene;
  child.kill('SIGKILL');
  await until(() => !isRunning(server));
});

test('comes back where its clients look for it, however long another program is in its place', async () => {
  const server = redis();
  const { url } = await server.start(scene.signal);
  const port = Number(new URL(url).port);
  await server.stop();
  const squatter = createServer().listen(port, '127.0.0.1');
  await new Promise((resolve) => squatter.once('listening', resolve));
  try {
    await expect(server.start(scene.signal)).rejects.toMatchObject({ code: 'EMBEDDED_PORT_TAKEN' });
  } finally {
    squatter.close();
  }
  await expect(server.start(scene.signal)).resolves.toMatchObject({ url });
  await expect(ask(url, 'PING')).resolves.toBe('PONG');
});

test('is not given a port that the system gives to outgoing connections', async () => {
  const { url } = await redis().start(scene.signal);
  expect(Number(new URL(url).port)).toBeLessThan(32_000);
});

test('names the setting when its port is taken', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => squatter.once('listening', resolve));
  try {
    const { port } = squatter.address() as AddressInfo;
    await expect(redis(port).start(scene.signal)).rejects.toMatchObject({
      code: 'EMBEDDED_PORT_TAKEN',
      hint: expect.stringContaining('redis.embedded.port') as string,
    });
  } finally {
    squatter.close();
  }
});
