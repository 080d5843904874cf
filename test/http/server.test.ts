import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { HealthView } from '../../src/health';
import { HttpListenError, HttpRequestError, HttpServer } from '../../src/http';
import { aStatus } from '../control/status.fixture';
import { SCRIPTS } from './support/stage';

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

describe('HttpServer', () => {
  let server: HttpServer;
  let url: string;
  let warnings: string[];
  let ready: boolean;
  let view: HealthView | null;
  let fails: boolean;

  beforeEach(async () => {
    warnings = [];
    ready = true;
    view = null;
    fails = false;
    server = make(0);
    url = await server.listen();
  });
  afterEach(() => server.close());

  function make(port: number, host = '127.0.0.1', token: string | null = null): HttpServer {
    return new HttpServer({
      host,
      port,
      status: () => {
        if (fails) throw new Error('broken inside');
        return aStatus(2, 2, ready ? {} : { verdict: 'degraded', problems: ['Cluster 1 is starting.'] });
      },
      health: () => view,
      metrics: {
        contentType: 'text/plain; version=0.0.4; charset=utf-8',
        text: () => (fails ? Promise.reject(new Error('broken inside')) : Promise.resolve('botctl_up 1\n')),
        answer: (params) => {
          if (params.get('name') === 'nothing') throw new HttpRequestError(400, 'there is no metric nothing', 'look');
          return { asked: params.get('name') };
        },
      },
      token,
      scripts: SCRIPTS,
      log: { warn: (_fields, message) => warnings.push(message) },
    });
  }

  function get(
    path: string,
    options: { method?: string; host?: string; authorization?: string } = {},
  ): Promise<Answer> {
    const { method = 'GET', ...headers } = options;
    return new Promise((resolve, reject) => {
      const asked = request(new URL(path, url), { method, headers }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
      asked.on('error', reject).end();
    });
  }

  it('serves the status as JSON, uncached', async () => {
    const { status, headers, body } = await get('/status.json');
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    expect(JSON.parse(body)).toEqual(JSON.parse(JSON.stringify(aStatus(2, 2))));
  });

  it('serves a page whose policy lets nothing but its own files run', async () => {
    const { headers, body } = await get('/');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toMatch(/default-src 'none'; script-src 'self'; style-src 'self';/);
    const named = [...body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    const files = named.filter((path) => path.startsWith('/page/'));
    expect(files).toContain('/page/main.mjs');
    for (const path of files) {
      const file = await get(path);
      expect([path, file.status, file.headers['content-type']]).toEqual([
        path,
        200,
        expect.stringMatching(path.endsWith('.mjs') ? /^text\/javascript/ : /^text\/css/),
      ]);
    }
    // Nothing comes from elsewhere, nothing is inline.
    expect(named.filter((path) => /^https?:/.test(path))).toEqual([]);
    expect(body).not.toMatch(/<style|<script(?![^>]* src=)| on\w+=/);
  });

  it('says whether the bot is ready and why not', async () => {
    expect((await get('/readyz')).status).toBe(200);
    ready = false;
    const { status, headers, body } = await get('/readyz');
    expect(status).toBe(503);
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    expect(JSON.parse(body)).toMatchObject({ ready: false, verdict: 'degraded', reasons: ['Cluster 1 is starting.'] });
    expect(await get('/readyz', { method: 'HEAD' })).toMatchObject({ status: 503, body: '' });
  });

  it('lives, whatever is unhealthy, and shows each scope when asked', async () => {
    ready = false;
    view = {
      state: 'unhealthy',
      roundAt: 1,
      intervalMs: 30_000,
      results: [
        {
          check: 'postgres',
          scope: { kind: 'database-shard', id: 3 },
          state: 'unhealthy',
          since: 1,
          ok: false,
          answered: false,
          failures: 3,
          message: 'no answer within 10s',
          lookedAt: 2,
          tookMs: 1,
        },
      ],
    };
    const plain = await get('/healthz');
    expect(plain.status).toBe(200);
    expect(JSON.parse(plain.body)).toMatchObject({ alive: true, supervisor: 'running' });
    expect(JSON.parse(plain.body)).not.toHaveProperty('results');
    const verbose = JSON.parse((await get('/healthz?verbose')).body) as object;
    expect(verbose).toMatchObject({ results: [{ check: 'postgres', scope: 'database shard 3', state: 'unhealthy' }] });
    expect(JSON.parse((await get('/readyz?verbose=1')).body)).toHaveProperty('results');
  });

  it('answers HEAD without a body, other methods with 405, other paths with 404', async () => {
    expect(await get('/status.json', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
    const post = await get('/', { method: 'POST' });
    expect(post).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    expect((await get('/status')).status).toBe(404);
    expect((await get('/?query=1')).status).toBe(200);
  });

  it('is not served under a foreign name, so that no web page elsewhere can read it', async () => {
    const { port } = new URL(url);
    expect((await get('/status.json', { host: `evil.example:${port}` })).status).toBe(403);
    expect((await get('/status.json', { host: '127.0.0.1.evil.example' })).status).toBe(403);
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      expect((await get('/status.json', { host })).status).toBe(200);
    }
  });

  it('serves the metrics for Prometheus, and answers questions about them', async () => {
    const scrape = await get('/metrics');
    expect(scrape).toMatchObject({ status: 200, body: 'botctl_up 1\n' });
    expect(scrape.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const answer = await get('/api/metrics?name=interactions_total&since=1h');
    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { asked: 'interactions_total' }]);
    const refused = await get('/api/metrics?name=nothing');
    expect([refused.status, JSON.parse(refused.body)]).toEqual([
      400,
      { error: 'there is no metric nothing', hint: 'look' },
    ]);
    fails = true;
    expect((await get('/metrics')).status).toBe(500);
  });

  describe('with a token', () => {
    const TOKEN = 'correct-horse-battery';
    const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

    beforeEach(async () => {
      await server.close();
      server = make(0, '127.0.0.1', TOKEN);
      url = await server.listen();
    });

    it.each(['/', '/page/main.mjs', '/status.json', '/events', '/metrics', '/api/metrics', '/nothing'])(
      'asks for it: %s',
      async (path) => {
        const { status, headers, body } = await get(path);
        expect(status).toBe(401);
        expect(headers['www-authenticate']).toMatch(/^Basic realm=/);
        expect(body).not.toContain('my-bot');
      },
    );

    it.each([
      ['as a bearer', `Bearer ${TOKEN}`, 200],
      ['as a password, whatever the name', basic(`operator:${TOKEN}`), 200],
      ['without a name', basic(`:${TOKEN}`), 200],
      ['a wrong one', 'Bearer correct-horse-batterz', 401],
      ['a part of it', `Bearer ${TOKEN.slice(0, -1)}`, 401],
      ['a longer one', `Bearer ${TOKEN}x`, 401],
      ['an empty one', 'Bearer ', 401],
      ['as a name', basic(`${TOKEN}:`), 401],
      ['nonsense', 'Basic ????', 401],
      ['another scheme', `Digest ${TOKEN}`, 401],
    ])('takes it or leaves it: %s', async (_, authorization, expected) => {
      expect((await get('/status.json', { authorization })).status).toBe(expected);
    });

    it('tells orchestrators, who send none, yes or no', async () => {
      expect(JSON.parse((await get('/healthz?verbose')).body)).toEqual({ alive: true });
      ready = false;
      const { status, body } = await get('/readyz?verbose');
      expect([status, JSON.parse(body)]).toEqual([503, { ready: false }]);
      expect(JSON.parse((await get('/readyz', { authorization: `Bearer ${TOKEN}` })).body)).toHaveProperty('reasons');
    });
  });

  it('warns when it is open to others and asks for no token', async () => {
    const open = make(0, '0.0.0.0');
    await open.listen();
    await open.close();
    expect(warnings).toEqual([expect.stringContaining('http.token')]);
    const guarded = make(0, '0.0.0.0', 'correct-horse-battery');
    await guarded.listen();
    await guarded.close();
    expect(warnings).toHaveLength(1);
  });

  it('answers 500 when the supervisor cannot tell, and goes on', async () => {
    fails = true;
    const { status, body } = await get('/status.json');
    expect(status).toBe(500);
    expect(body).not.toContain('broken inside');
    expect(warnings).toHaveLength(1);
    fails = false;
    expect((await get('/status.json')).status).toBe(200);
  });

  it('answers nonsense with 400', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('NONSENSE\r\n\r\n');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    expect(chunk.toString()).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  });

  it('closes although connections are open and a client is slow', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\n');
    socket.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
    await server.close();
    await closed;
    await server.close();
  });

  it.each([
    ['a port that is taken', () => make(Number(new URL(url).port)), /port \d+ on 127\.0\.0\.1 is taken/, 'http.port'],
    ['an address of another machine', () => make(0, '203.0.113.1'), /203\.0\.113\.1 is not an address/, 'http.host'],
  ])('says which key is wrong: %s', async (_, other, message, key) => {
    const error: unknown = await other()
      .listen()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HttpListenError);
    expect((error as HttpListenError).message).toMatch(message);
    expect((error as HttpListenError).hint).toContain(key);
  });
});
