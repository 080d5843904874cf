import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandCheck } from '../../../src/health/checks/command';
import { HttpCheck } from '../../../src/health/checks/http';
import { TcpCheck } from '../../../src/health/checks/tcp';
import { until } from '../../support/until';
import { Watch } from '../support/watch';

/** Whatever the machine has to do meanwhile. */
const PATIENT = { timeoutMs: 10_000 };

let dir: string;
let watch: Watch;
const servers: (Server | HttpServer)[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'botctl-custom-'));
});
afterEach(async () => {
  watch.stop();
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  rmSync(dir, { recursive: true, force: true });
});

async function listen(server: Server | HttpServer, port = 0): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('http', () => {
  it('wants a good status; errors, wrong ones and silence are failures', async () => {
    let status = 204;
    const port = await listen(
      createHttpServer((_, response) => {
        if (status === 0) return; // says nothing
        response.writeHead(status).end('x'.repeat(100_000));
      }),
    );
    watch = new Watch([new HttpCheck({ name: 'web', url: `http://127.0.0.1:${port}/?key=s3cret` })], {
      intervalMs: 300,
    });
    expect((await watch.until('healthy')).message).toBe('HTTP 204');
    status = 500;
    expect((await watch.until('unhealthy')).message).toBe('HTTP 500, expected 200 to 299');
    status = 200;
    await watch.until('healthy');
    status = 0;
    expect((await watch.until('unhealthy')).message).toMatch(/^no answer within 150ms$/);
    status = 200;
    await watch.until('healthy');
  });

  it('may want another status, and names no key of its address', async () => {
    const port = await listen(createHttpServer((_, response) => response.writeHead(302).end()));
    watch = new Watch([new HttpCheck({ name: 'web', url: `http://127.0.0.1:${port}`, status: 302 })], PATIENT);
    await watch.until('healthy');
    watch.stop();
    watch = new Watch([new HttpCheck({ name: 'web', url: 'http://127.0.0.1:1/?key=s3cret' })], PATIENT);
    const { message } = await watch.until('unhealthy');
    expect(message).toMatch(/ECONNREFUSED/);
    expect(message).not.toContain('s3cret');
  });
});

it('tcp wants a connection', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined));
  const port = await listen(server);
  watch = new Watch([new TcpCheck({ name: 'port', host: '127.0.0.1', port })], PATIENT);
  await watch.until('healthy');
  await new Promise((resolve) => server.close(resolve));
  expect((await watch.until('unhealthy')).message).toMatch(/ECONNREFUSED/);
  await listen(createServer(), port);
  await watch.until('healthy');
});

describe('command', () => {
  const sh = (script: string): CommandCheck =>
    new CommandCheck({ name: 'script', argv: ['/bin/sh', '-c', script], cwd: dir, env: { PATH: process.env['PATH'] } });

  it('wants exit code 0, and quotes the last line', async () => {
    watch = new Watch([sh('echo first; test -e broken && echo "no quorum" >&2 && exit 3; echo fine')], {
      intervalMs: 400,
    });
    expect((await watch.until('healthy')).message).toBe('fine');
    writeFileSync(join(dir, 'broken'), '');
    expect((await watch.until('unhealthy')).message).toBe('exit code 3: no quorum');
    rmSync(join(dir, 'broken'));
    await watch.until('healthy');
  });

  it('that hangs is killed with everything that it started, and looks again', async () => {
    writeFileSync(join(dir, 'hang'), '');
    watch = new Watch([sh('test -e hang || exit 0; sleep 300 & echo $! >> pids; echo $$ >> pids; wait')], {
      intervalMs: 800,
    });
    expect((await watch.until('unhealthy')).message).toBe('no answer within 400ms');
    rmSync(join(dir, 'hang'));
    await watch.until('healthy');
    const pids = readFileSync(join(dir, 'pids'), 'utf8').split('\n').filter(Boolean).map(Number);
    expect(pids.length).toBeGreaterThanOrEqual(6);
    await until(() => !pids.some(alive));
  });

  it('does not wait for what it leaves in the background', async () => {
    watch = new Watch([sh('setsid sleep 300 & echo $! > left; echo done')], { intervalMs: 2_000 });
    try {
      expect((await watch.until('healthy')).message).toBe('done');
    } finally {
      watch.stop();
      await until(() => existsSync(join(dir, 'left')));
      process.kill(Number(readFileSync(join(dir, 'left'), 'utf8')), 'SIGKILL');
    }
  });

  it.each([
    ['no such program', ['/nonexistent/program'] as const, /ENOENT/],
    ['a program that kills itself', ['/bin/sh', '-c', 'kill -9 $$'] as const, /^ended by SIGKILL$/],
  ])('%s is a failure with its reason', async (_, argv, message) => {
    watch = new Watch([new CommandCheck({ name: 'x', argv: [...argv], cwd: dir, env: {} })], PATIENT);
    expect((await watch.until('unhealthy')).message).toMatch(message);
  });
});
