import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ControlClient, ControlUnreachable } from '../../src/control/client';
import { ControlError, type ControlHandlers, type Progress } from '../../src/control/contract';
import type { IncidentHandlers } from '../../src/control/incidents';
import { ControlServer } from '../../src/control/server';
import { aRecoveryOverview, aStatus } from './status.fixture';

let dir: string;
let path: string;
let log: { warn: jest.Mock };
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'botctl-control-'));
  path = join(dir, 'run', 'control.sock');
  log = { warn: jest.fn() };
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(dir, { recursive: true, force: true });
});

async function serve(handlers: Partial<ControlHandlers> = {}, options: object = {}): Promise<ControlServer> {
  const server = new ControlServer({
    path,
    handlers: {
      incidents: {} as IncidentHandlers,
      status: () => aStatus(),
      stop: () => Promise.resolve(),
      restart: () => Promise.resolve(),
      metrics: () => ({ retentionSeconds: 86_400, metrics: [] }),
      capacity: () => Promise.reject(new ControlError(409, 'starting')),
      dbOverview: () => Promise.resolve({ moves: [], migrations: [] }),
      moveGuild: () => Promise.resolve(),
      abortMove: () => Promise.resolve(),
      rebalance: () => Promise.resolve(),
      migrate: () => Promise.resolve(),
      deploy: () => Promise.resolve(),
      rollback: () => Promise.resolve(),
      followRollout: () => Promise.resolve(),
      orderRollout: () => Promise.resolve(),
      scale: () => Promise.resolve(),
      reload: () => Promise.resolve(),
      recovery: () => aRecoveryOverview(),
      recover: () => Promise.resolve(),
      endOutage: () => undefined,
      maintenance: () => Promise.reject(new Error('nobody asks')),
      maintain: () => Promise.resolve(),
      ...handlers,
    },
    log,
    heartbeatMs: 30,
    ...options,
  });
  await server.listen();
  cleanups.push(() => server.close(50));
  return server;
}

/** Something else than a supervisor behind the socket. */
async function serveRaw(onConnection: (socket: Socket) => void, at = path): Promise<Server> {
  mkdirSync(join(dir, 'run'), { recursive: true, mode: 0o700 });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(at, resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return server;
}

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

async function call(method: string, url: string, body?: string): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath: path, method, path: url, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'no failure',
    (error: unknown) => (error instanceof ControlUnreachable ? error.failure : String(error)),
  );
}

describe('status', () => {
  test('comes back as it was given', async () => {
    await serve();
    expect(await new ControlClient(path).status()).toEqual(aStatus());
  });

  test('with nobody there: not running, with and without a left-over socket', async () => {
    expect(await failureOf(new ControlClient(path).status())).toBe('not-running');
    await leaveStaleSocket();
    expect(await failureOf(new ControlClient(path).status())).toBe('not-running');
  });

  test('from one who accepts and stays silent: deaf', async () => {
    await serveRaw(() => undefined);
    expect(await failureOf(new ControlClient(path).status({ timeoutMs: 50 }))).toBe('deaf');
  });

  test('from one who begins an answer and never ends it: deaf', async () => {
    await serveRaw((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a":'));
    expect(await failureOf(new ControlClient(path).status({ timeoutMs: 50 }))).toBe('deaf');
  });

  test.each([
    ['breaks off', (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a":')],
    ['hangs up', (socket: Socket) => socket.destroy()],
    ['speaks nonsense', (socket: Socket) => socket.end('hello\r\n\r\n')],
    ['does not speak JSON', (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi')],
  ])('from one who %s: broken', async (_, behave) => {
    await serveRaw((socket) => socket.once('data', () => behave(socket)));
    expect(await failureOf(new ControlClient(path).status({ timeoutMs: 2000 }))).toBe('broken');
  });

  test('a handler that throws is a 500 without its reason, which is in the log', async () => {
    await serve({
      status: () => {
        throw new Error('secret in a stack');
      },
    });
    const answer = await call('GET', '/v1/status');
    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.body)).toEqual({ error: 'the supervisor failed to answer', hint: 'see botctl logs' });
    expect(log.warn).toHaveBeenCalledTimes(1);
  });
});

describe('progress', () => {
  test('arrives line by line, and the last one is the answer', async () => {
    await serve({
      stop: (onProgress) => {
        onProgress({ done: false, text: 'cluster 3 stopped' });
        onProgress({ done: true, ok: true, text: 'all stopped' });
        return Promise.resolve();
      },
    });
    const lines: Progress[] = [];
    expect(await new ControlClient(path).stop((line) => lines.push(line))).toEqual({
      done: true,
      ok: true,
      text: 'all stopped',
    });
    expect(lines.map((line) => line.text)).toEqual(['cluster 3 stopped', 'all stopped']);
  });

  test('a quiet but living supervisor is waited for', async () => {
    await serve({ restart: () => new Promise((resolve) => setTimeout(resolve, 400)) });
    const client = new ControlClient(path, { silenceMs: 200 });
    expect(await client.restart({ cluster: 3 }, jest.fn())).toEqual({ done: true, ok: true, text: 'done' });
  });

  test('one that goes silent in the middle is deaf, one that goes away is broken', async () => {
    const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
    const line = '{"done":false,"text":"x"}\n';
    let end = false;
    await serveRaw((socket) => {
      socket.once('data', () => {
        socket.write(`${head}${line.length.toString(16)}\r\n${line}\r\n`);
        if (end) socket.end('0\r\n\r\n');
      });
    });
    const client = new ControlClient(path, { silenceMs: 100 });
    expect(await failureOf(client.stop(jest.fn()))).toBe('deaf');
    end = true;
    expect(await failureOf(client.stop(jest.fn()))).toBe('broken');
  });

  test('a refusal before the first word is an error answer with its hint', async () => {
    await serve({ restart: () => Promise.reject(new ControlError(404, 'there is no cluster 9', 'there are 0 to 3')) });
    await expect(new ControlClient(path).restart({ cluster: 9 }, jest.fn())).rejects.toMatchObject({
      name: 'ControlError',
      status: 404,
      message: 'there is no cluster 9',
      hint: 'there are 0 to 3',
    });
  });

  test('a failure after it is the last line, without inner reasons', async () => {
    await serve({
      restart: (_, onProgress) => {
        onProgress({ done: false, text: 'begun' });
        return Promise.reject(new Error('secret'));
      },
    });
    expect(await new ControlClient(path).restart({}, jest.fn())).toEqual({
      done: true,
      ok: false,
      text: 'the supervisor failed to answer (see botctl logs)',
    });
  });

  test('a client that leaves does not stop the work', async () => {
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const socketClosed = new Promise<void>((resolve) => {
      void serve({
        stop: async (onProgress) => {
          onProgress({ done: false, text: 'begun' });
          await socketClosed;
          onProgress({ done: true, ok: true, text: 'to nobody' });
          finish();
        },
      }).then(() => {
        const socket = connect(path, () =>
          socket.write('POST /v1/stop HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n'),
        );
        socket.once('data', () => socket.destroy());
        socket.once('close', () => resolve());
      });
    });
    await finished;
    expect(await new ControlClient(path).status()).toEqual(aStatus());
  });
});

describe('requests', () => {
  test.each([
    ['GET', '/', undefined, 404, /no such route/],
    ['GET', '/v1/nothing', undefined, 404, /no such route/],
    ['POST', '/v1/status', '', 405, /only GET/],
    ['GET', '/v1/stop', undefined, 405, /only POST/],
    ['POST', '/v1/restart', '{"cluster":', 400, /not JSON/],
    ['POST', '/v1/restart', '[]', 400, /must be an object/],
    ['POST', '/v1/restart', 'null', 400, /must be an object/],
    ['POST', '/v1/restart', '{"cluster":"3"}', 400, /cluster must be a number/],
    ['POST', '/v1/restart', '{"shard":-1}', 400, /shard must be a number/],
    ['POST', '/v1/restart', '{"shard":1,"cluster":1}', 400, /not both/],
    ['POST', '/v1/restart', '{"clusters":1}', 400, /unknown key: clusters/],
    ['POST', '/v1/restart', 'x'.repeat(70_000), 413, /longer than 65536 bytes/],
  ])('%s %s: case %# is refused', async (method, url, body, status, message) => {
    const restart = jest.fn();
    await serve({ restart });
    const answer = await call(method, url, body);
    expect(answer.status).toBe(status);
    expect((JSON.parse(answer.body) as { error: string }).error).toMatch(message);
    expect(restart).not.toHaveBeenCalled();
  });

  test('a body without an announced length is limited too', async () => {
    await serve();
    const status = await new Promise((resolve, reject) => {
      const request = httpRequest(
        { socketPath: path, method: 'POST', path: '/v1/restart', agent: false },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      request.on('error', reject);
      for (let i = 0; i < 80; i++) request.write('x'.repeat(1000));
    });
    expect(status).toBe(413);
  });

  test('who sends its request drop by drop is cut off, and others are served meanwhile', async () => {
    await serve({}, { requestTimeoutMs: 200 });
    const slow = connect(path, () => slow.write('POST /v1/restart HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{'));
    slow.on('error', () => undefined);
    const cut = new Promise((resolve) => slow.once('close', resolve));
    slow.resume();
    expect(await new ControlClient(path).status()).toEqual(aStatus());
    await cut;
    expect(slow.destroyed).toBe(true);
  });

  test('nonsense is answered with 400', async () => {
    await serve();
    const socket = connect(path, () => socket.write('\u0000\u0001 nonsense\r\n\r\n'));
    const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });
});

async function leaveStaleSocket(): Promise<void> {
  const program = `require('node:fs').mkdirSync(${JSON.stringify(join(dir, 'run'))}, { recursive: true, mode: 0o700 });
    require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'));`;
  const child = spawn(process.execPath, ['-e', program], { stdio: 'ignore' });
  await new Promise((resolve) => child.once('exit', resolve));
  expect(statSync(path).isSocket()).toBe(true);
}

describe('the socket', () => {
  test('is for the owner alone, and gone after close', async () => {
    const server = await serve();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, 'run')).mode & 0o777).toBe(0o700);
    await server.close();
    expect(existsSync(path)).toBe(false);
    await server.close();
  });

  test('of a killed supervisor is replaced', async () => {
    await leaveStaleSocket();
    await serve();
    expect((await new ControlClient(path).status()).bot.name).toBe('my-bot');
  });

  test('of a living one is not, and it goes on answering', async () => {
    await serve();
    const second = new ControlServer({ path, handlers: {} as ControlHandlers, log });
    await expect(second.listen()).rejects.toThrow(`another supervisor answers on ${path}`);
    expect((await new ControlClient(path).status()).bot.name).toBe('my-bot');
  });

  test('of a hanging one is not either', async () => {
    await serveRaw((socket) => socket.pause());
    const second = new ControlServer({ path, handlers: {} as ControlHandlers, log });
    await expect(second.listen()).rejects.toThrow('another supervisor answers');
  });

  test('is not put where something else stands, nor into an open folder, nor at a path that is too long', async () => {
    await expect(
      new ControlServer({ path: `/tmp/${'x'.repeat(100)}`, handlers: {} as ControlHandlers, log }).listen(),
    ).rejects.toThrow('longer than 100 bytes');
    const server = await serve();
    await server.close();
    writeFileSync(path, 'precious');
    await expect(serve()).rejects.toThrow('is not a socket: move it away');
    rmSync(path);
    chmodSync(join(dir, 'run'), 0o755);
    await expect(serve()).rejects.toThrow('is open to other users');
  });
});
