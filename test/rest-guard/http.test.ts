import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { request } from 'undici';
import { until } from '../support/until';
import { GuardProcess } from './support/guard-process';

describe('HTTP through the guard', () => {
  let server: Server;
  let guard: GuardProcess;

  afterEach(async () => {
    await guard.end();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  async function start(listener: RequestListener, settings: object = {}): Promise<void> {
    server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
    guard = await GuardProcess.start({ api, globalPerSecond: 10_000, ...settings });
  }

  const head = 'Host: x\r\nAuthorization: Bot t\r\n';

  it('listens where only its owner can', async () => {
    await start((_, response) => response.end());
    expect(statSync(guard.socketPath).mode & 0o777).toBe(0o600);
  });

  it('streams an upload of 25 MB untouched, without holding it', async () => {
    const seen: { hash: string; type: string | undefined }[] = [];
    await start((incoming, response) => {
      const hash = createHash('sha256');
      incoming.on('data', (chunk: Buffer) => hash.update(chunk));
      incoming.on('end', () => {
        seen.push({ hash: hash.digest('hex'), type: incoming.headers['content-type'] });
        response.end('{}');
      });
    });
    const file = randomBytes(25 * 1024 * 1024);
    const before = (await guard.report()).snapshot.rssBytes;
    const parts = { type: 'multipart/form-data; boundary=x', hash: createHash('sha256').update(file).digest('hex') };
    const { status } = await guard.call('/v10/channels/1/messages', {
      method: 'POST',
      headers: { 'content-type': parts.type },
      body: Readable.from(file, { objectMode: false }),
    });
    expect(status).toBe(200);
    expect(seen).toEqual([parts]);
    expect((await guard.report()).snapshot.rssBytes - before).toBeLessThan(60 * 1024 * 1024);
  });

  it('passes redirects, headers and errors as they are, and keeps its own to itself', async () => {
    const asked: IncomingMessage['headers'][] = [];
    await start((incoming, response) => {
      asked.push(incoming.headers);
      response.writeHead(302, {
        location: 'https://elsewhere.example/x',
        'x-ratelimit-bucket': 'abc',
        'set-cookie': ['a=1', 'b=2'],
      });
      response.end();
    });
    const answer = await guard.call('/v10/a?b=c%20d', {
      headers: { 'x-audit-log-reason': 'why', connection: 'close' },
    });
    expect(answer.status).toBe(302);
    expect(answer.headers).toMatchObject({ location: 'https://elsewhere.example/x', 'set-cookie': ['a=1', 'b=2'] });
    expect(answer.headers).toMatchObject({ 'x-ratelimit-bucket': 'abc' });
    expect(asked[0]).toMatchObject({ 'x-audit-log-reason': 'why', authorization: 'Bot token' });
    expect(Object.keys(asked[0]!).filter((name) => name.startsWith('x-botctl'))).toEqual([]);
  });

  it('passes a chunked answer as it comes, and does not make a broken one look whole', async () => {
    let answer: ServerResponse | null = null;
    await start((_, response) => {
      answer = response;
      response.write('first');
    });
    const response = await request('http://rest-guard/api/v10/x', { dispatcher: guard.agent });
    const body = response.body[Symbol.asyncIterator]();
    expect(String((await body.next()).value)).toBe('first');
    (answer as ServerResponse | null)?.destroy();
    await expect(body.next()).rejects.toThrow();
  });

  it('waits for a slow reader instead of holding the answer', async () => {
    const size = 64 * 1024 * 1024;
    let written = 0;
    await start((_, response) => {
      const chunk = Buffer.alloc(64 * 1024);
      response.writeHead(200, { 'content-length': size });
      const more = (): void => {
        while (written < size) {
          written += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    const { socket } = guard.raw(`GET /api/v10/x HTTP/1.1\r\n${head}\r\n`);
    socket.pause();
    await until(() => written > 0);
    // The buffers on the way are full when nothing more is written for a while.
    let last = -1;
    await until(async () => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const still = last === written;
      last = written;
      return still;
    });
    expect(written).toBeLessThan(size / 2);
    socket.destroy();
  });

  it('breaks off what nobody waits for any more', async () => {
    let open = 0;
    await start((_, response) => {
      open++;
      response.on('close', () => open--);
    });
    const { socket } = guard.raw(`GET /api/v10/x HTTP/1.1\r\n${head}\r\n`);
    await until(() => open === 1);
    socket.destroy();
    await until(() => open === 0);
    await until(async () => (await guard.report()).snapshot.counters.cancelled === 1);
  });

  it('answers pipelined requests in their order, and refuses a flood of them when the queue is full', async () => {
    await start(
      (incoming, response) => {
        setTimeout(() => response.end(`<${incoming.url}>`), incoming.url?.endsWith('/0') === true ? 50 : 0);
      },
      { maxQueue: 50, globalPerSecond: 100 },
    );
    const few = guard.raw([0, 1, 2].map((n) => `GET /api/v10/a${n}/${n} HTTP/1.1\r\n${head}\r\n`).join(''));
    await until(() => few.received().includes('<'));
    await until(() => (few.received().match(/<\S+>/g) ?? []).length === 3);
    expect(few.received().match(/<\S+>/g)).toEqual(['</api/v10/a0/0>', '</api/v10/a1/1>', '</api/v10/a2/2>']);
    few.socket.destroy();
    const flood = guard.raw(`GET /api/v10/x HTTP/1.1\r\n${head}\r\n`.repeat(2_000));
    await until(async () => ((await guard.report()).snapshot.counters.own['queue-full'] ?? 0) > 1_000);
    expect((await guard.report()).snapshot.gauges.queued).toBeLessThanOrEqual(50);
    flood.socket.destroy();
  });

  it.each([
    ['nonsense', 'hello\r\n\r\n'],
    ['an absolute address', `GET http://127.0.0.1:1/api/v10/x HTTP/1.1\r\n${head}\r\n`],
    ['a path beside the API', `GET /other HTTP/1.1\r\n${head}\r\n`],
    ['two lengths', `POST /api/v10/x HTTP/1.1\r\n${head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
    [
      'a length and chunks',
      `POST /api/v10/x HTTP/1.1\r\n${head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['headers without end', `GET /api/v10/x HTTP/1.1\r\n${head}X: ${'a'.repeat(40_000)}\r\n\r\n`],
    ['a tunnel', `CONNECT discord.com:443 HTTP/1.1\r\n${head}\r\n`],
    ['an upgrade', `GET /api/v10/x HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`],
  ])('answers %s with 400, asks nobody, and lives on', async (_, text) => {
    let asked = 0;
    await start((__, response) => {
      asked++;
      response.end();
    });
    const { ended, received } = guard.raw(text);
    await ended;
    expect(received()).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(asked).toBe(0);
    expect((await guard.call('/v10/x')).status).toBe(200);
  });

  it('says what it could not do, and whether it may have been done', async () => {
    await start((incoming) => {
      if (incoming.url?.endsWith('/broken') === true) incoming.socket.destroy();
    });
    const timeout = { headers: { 'x-botctl-timeout': '1000' } };
    const late = await guard.call('/v10/silent', timeout);
    expect([late.status, late.headers['x-botctl-guard']]).toEqual([504, 'timeout']);
    const broken = await guard.call('/v10/broken', { method: 'POST' });
    expect([broken.status, broken.headers['x-botctl-guard']]).toEqual([502, 'broken']);
  });
});
