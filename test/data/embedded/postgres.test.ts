import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { EmbeddedPostgres } from '../../../src/data/embedded/postgres';
import { identify, isRunning, sendSignal } from '../../../src/data/embedded/process-identity';
import { until } from '../../support/until';
import { Scene } from './scene';

const NOBODY = 65_534;
const asRoot = process.getuid?.() === 0;

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.end());

function postgres(change: { shards?: number; port?: number } = {}): EmbeddedPostgres {
  return new EmbeddedPostgres({ dir: scene.dir, shards: 1, port: 0, log: scene.log, ...change });
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function passwordOf(url: string): string {
  return new URL(url).password;
}

test('serves one database per shard on the loopback, and keeps data, port and password', async () => {
  const first = postgres({ shards: 2 });
  const up = await first.start(scene.signal);
  expect(up.urls.map((url) => new URL(url).pathname)).toEqual(['/botctl_shard_0', '/botctl_shard_1']);
  const [url = ''] = up.urls;
  await query(url, 'CREATE TABLE kept AS SELECT 7 AS n');
  const [settings] = await query(
    url,
    `SELECT current_setting('listen_addresses') AS host, current_setting('fsync') AS fsync,
            current_setting('server_encoding') AS encoding, current_setting('unix_socket_directories') AS sockets`,
  );
  expect(settings).toEqual({ host: '127.0.0.1', fsync: 'on', encoding: 'UTF8', sockets: '' });
  await first.stop();
  expect(scene.folder.server).toBeNull();

  const again = await postgres({ shards: 3 }).start(scene.signal);
  expect(again.port).toBe(up.port);
  expect(again.urls.slice(0, 2)).toEqual(up.urls);
  await expect(query(again.urls[2]!, 'SELECT 1 AS n')).resolves.toEqual([{ n: 1 }]);
  await expect(query(url, 'SELECT n FROM kept')).resolves.toEqual([{ n: 7 }]);
});

test('the password is asked for and stands in one file of ours alone', async () => {
  process.env['DISCORD_TOKEN'] = 'not-for-the-server';
  try {
    const { urls } = await postgres().start(scene.signal);
    const [url = ''] = urls;
    const password = passwordOf(url);
    await expect(query(url.replace(password, 'wrong'), 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect(statSync(join(scene.dir, 'password')).mode & 0o777).toBe(0o600);
    expect(statSync(scene.dir).mode & 0o777).toBe(0o700);
    expect(scene.commandLine()).not.toContain(password);
    const environment = readFileSync(`/proc/${scene.server.pid}/environ`, 'utf8');
    expect(environment).not.toContain(password);
    expect(environment).not.toContain('not-for-the-server');
    expect(readFileSync(scene.folder.log.file, 'utf8') + scene.lines.join('\n')).not.toContain(password);
    expect(readdirSync(dirname(scene.data)).filter((name) => name.includes('init'))).toEqual([]);
  } finally {
    delete process.env['DISCORD_TOKEN'];
  }
});

test('takes over the server of a supervisor that was killed', async () => {
  const { child, said } = await scene.otherSupervisor('postgres');
  expect(said.url).toBeDefined();
  const before = scene.server;
  await expect(postgres().start(scene.signal)).rejects.toMatchObject({ code: 'EMBEDDED_IN_USE' });
  child.kill('SIGKILL');
  await until(() => child.signalCode !== null);

  const mine = postgres();
  const exits: string[] = [];
  mine.onExit((reason) => exits.push(reason));
  expect((await mine.start(scene.signal)).urls[0]).toBe(said.url);
  expect(scene.server).toEqual(before);
  sendSignal(before, 'SIGINT');
  await until(() => exits.length > 0);
  expect(exits[0]).toMatch(/^Postgres \(process \d+\) is gone/);
});

test('a server whose supervisor does not come back is stopped by its guard', async () => {
  const { child } = await scene.otherSupervisor('postgres', { orphanMs: 1_000 });
  const { server } = scene;
  const { guard } = scene.folder;
  expect(guard !== null && isRunning(guard)).toBe(true);
  child.kill('SIGKILL');
  await until(() => !isRunning(server));
  await until(() => guard !== null && !isRunning(guard));
  expect(readFileSync(scene.folder.log.file, 'utf8')).toContain('database system is shut down');
});

test('says that the server was killed, and recovers what was committed', async () => {
  const server = postgres();
  const exits: string[] = [];
  server.onExit((reason) => exits.push(reason));
  const [url = ''] = (await server.start(scene.signal)).urls;
  await query(url, 'CREATE TABLE kept AS SELECT 7 AS n');
  const killed = scene.server;
  sendSignal(killed, 'SIGKILL');
  await until(() => exits.length > 0);
  expect(exits).toEqual([expect.stringMatching(/was ended by SIGKILL/)]);

  // The pid it left has gone to another process meanwhile.
  const file = join(scene.data, 'postmaster.pid');
  const [, ...rest] = readFileSync(file, 'utf8').split('\n');
  writeFileSync(file, [String(process.pid), ...rest].join('\n'));
  await server.start(scene.signal);
  expect(scene.server).not.toEqual(killed);
  const guardLine = readFileSync(`/proc/${scene.folder.guard?.pid ?? 0}/cmdline`, 'utf8');
  expect(guardLine.split('\0')).toContain(String(scene.server.pid));
  await expect(query(url, 'SELECT n FROM kept')).resolves.toEqual([{ n: 7 }]);
});

test('starts again although a hung process of the dead server holds its memory', async () => {
  const { urls } = await postgres().start(scene.signal);
  const [url = ''] = urls;
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const hung = identify(rows[0]?.pid ?? 0)!;
  sendSignal(hung, 'SIGSTOP');
  const { server } = scene;
  sendSignal(server, 'SIGKILL');
  await until(() => !isRunning(server));

  const again = await postgres().start(scene.signal);
  await expect(query(again.urls[0]!, 'SELECT 1 AS n')).resolves.toEqual([{ n: 1 }]);
  expect(isRunning(hung)).toBe(false);
  await client.end().catch(() => undefined);
});

test('two starts at once end with one server', async () => {
  const ups = await Promise.all([postgres().start(scene.signal), postgres().start(scene.signal)]);
  expect(ups[0]).toEqual(ups[1]);
  expect(scene.lines.filter((line) => line.includes('took over'))).toHaveLength(1);
});

test('names the setting when its port is taken', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => squatter.once('listening', resolve));
  try {
    const { port } = squatter.address() as AddressInfo;
    await expect(postgres({ port }).start(scene.signal)).rejects.toMatchObject({
      code: 'EMBEDDED_PORT_TAKEN',
      message: expect.stringContaining(String(port)) as string,
      hint: expect.stringContaining('postgres.embedded.port') as string,
    });
  } finally {
    squatter.close();
  }
});

test('refuses data that its binaries cannot read, or whose password is lost', async () => {
  const server = postgres();
  await server.start(scene.signal);
  await server.stop();
  const version = join(scene.data, 'PG_VERSION');
  const own = readFileSync(version, 'utf8');
  writeFileSync(version, '99\n');
  await expect(server.start(scene.signal)).rejects.toMatchObject({ code: 'EMBEDDED_VERSION' });
  writeFileSync(version, own);
  const password = readFileSync(join(scene.dir, 'password'), 'utf8');
  rmSync(join(scene.dir, 'password'));
  await expect(server.start(scene.signal)).rejects.toMatchObject({ code: 'EMBEDDED_PASSWORD' });
  writeFileSync(join(scene.dir, 'password'), password, { mode: 0o600 });

  rmSync(join(scene.data, 'global', 'pg_control'));
  await expect(server.start(scene.signal)).rejects.toMatchObject({
    code: 'EMBEDDED_START_FAILED',
    message: expect.stringContaining('pg_control') as string,
  });
  expect(scene.folder.server).toBeNull();
});

test('a start that is called off leaves nothing behind, and the next one succeeds', async () => {
  const abort = new AbortController();
  const server = postgres();
  const start = server.start(abort.signal);
  const base = asRoot ? join(scene.base, 'system') : scene.dir;
  const isMaking = (): boolean =>
    existsSync(base) && readdirSync(base, { recursive: true }).some((name) => String(name).includes('data.init-'));
  const outcome = expect(start).rejects.toMatchObject({ code: 'EMBEDDED_ABORTED' });
  await until(isMaking);
  abort.abort();
  await outcome;
  expect(isMaking()).toBe(false);
  await expect(server.start(scene.signal)).resolves.toMatchObject({ host: '127.0.0.1' });
});

test('a stop calls a start under way off', async () => {
  const server = postgres();
  const start = expect(server.start(scene.signal)).rejects.toMatchObject({ code: 'EMBEDDED_ABORTED' });
  await server.stop();
  await start;
  expect(scene.folder.server).toBeNull();
});

test('runs as the user himself when that is not root, and root goes on with his data', async () => {
  if (!asRoot) {
    await postgres().start(scene.signal);
    expect(statSync(scene.data).uid).toBe(process.getuid?.());
    return;
  }
  mkdirSync(scene.dir, { mode: 0o700 });
  chownSync(scene.dir, NOBODY, NOBODY);
  const { child, said } = await scene.otherSupervisor('postgres', { uid: NOBODY });
  expect(said).toEqual({ url: expect.stringMatching(/^postgres:/) as string });
  expect(statSync(join(scene.dir, 'data')).uid).toBe(NOBODY);
  const { server } = scene;
  sendSignal(server, 'SIGINT');
  await until(() => !isRunning(server));
  child.kill('SIGKILL');
  await until(() => child.signalCode !== null);

  const up = await postgres().start(scene.signal);
  expect(new URL(up.urls[0]!).password).toBe(new URL(said.url!).password);
  expect(statSync(`/proc/${scene.server.pid}`).uid).toBe(NOBODY);
  expect(identify(scene.server.pid)).toEqual(scene.server);
});

const rootTest = asRoot ? test : test.skip;
rootTest('a deleted state folder means new databases; the old data stays where it was', async () => {
  const old = join(scene.base, 'system');
  const first = postgres();
  const { urls } = await first.start(scene.signal);
  await first.stop();
  const before = readdirSync(old);
  rmSync(scene.dir, { recursive: true });
  const again = await postgres().start(scene.signal);
  expect(passwordOf(again.urls[0]!)).not.toBe(passwordOf(urls[0]!));
  expect(readdirSync(old)).toHaveLength(2);
  expect(scene.lines).toContainEqual(expect.stringMatching(`^warn .*${before[0]}`));
});

rootTest('a system folder that the server may not enter is said as such', async () => {
  mkdirSync(join(scene.base, 'system'), { mode: 0o700 });
  await expect(postgres().start(scene.signal)).rejects.toMatchObject({
    code: 'EMBEDDED_DENIED',
    hint: expect.stringContaining('BOTCTL_SYSTEM_DIR') as string,
  });
  expect(statSync(join(scene.base, 'system')).mode & 0o777).toBe(0o700);
});
