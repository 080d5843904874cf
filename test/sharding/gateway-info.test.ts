import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fetchGatewayBot, TokenRefusedError } from '../../src/sharding/gateway-info';

const GOOD = {
  url: 'wss://gateway.example',
  shards: 3,
  session_start_limit: { total: 1_000, remaining: 999, reset_after: 1, max_concurrency: 1 },
};

/** A REST API that gives one answer after the other. */
describe('fetchGatewayBot', () => {
  let server: Server;
  let api: string;
  let answers: { status: number; body: unknown; headers?: Record<string, string> }[];
  let requests: IncomingMessage[];
  let retries: string[];

  beforeEach(async () => {
    answers = [];
    requests = [];
    retries = [];
    server = createServer((request, response) => {
      requests.push(request);
      const { status, body, headers = {} } = answers.shift() ?? { status: 500, body: 'no more answers' };
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    api = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const ask = (signal = new AbortController().signal): ReturnType<typeof fetchGatewayBot> =>
    fetchGatewayBot({ api, token: 'the-token', version: '1', onRetry: (reason) => retries.push(reason) }, signal);

  it('asks version 10 with the bot token', async () => {
    answers = [{ status: 200, body: GOOD }];
    expect(await ask()).toEqual(GOOD);
    expect(requests[0]?.url).toBe('/api/v10/gateway/bot');
    expect(requests[0]?.headers.authorization).toBe('Bot the-token');
  });

  it('never asks again with a token that was refused', async () => {
    answers = [{ status: 401, body: { message: '401: Unauthorized' } }];
    await expect(ask()).rejects.toThrow(TokenRefusedError);
    expect(requests).toHaveLength(1);
  });

  it.each([
    ['an error', { status: 503, body: 'down' }, /^HTTP 503 from /],
    ['no JSON', { status: 200, body: '<html>' }, /^an answer that is none of \/gateway\/bot/],
    ['no limit', { status: 200, body: { ...GOOD, session_start_limit: null } }, /^an answer that is none/],
    ['no shards', { status: 200, body: { ...GOOD, shards: 0 } }, /^an answer that is none/],
  ])('asks again after %s', async (_, bad, reason) => {
    answers = [bad, { status: 200, body: GOOD }];
    expect(await ask()).toEqual(GOOD);
    expect(retries).toHaveLength(1);
    expect(retries[0]).toMatch(reason);
    expect(retries[0]).not.toContain('the-token');
  });

  it('waits as long as a 429 asks for', async () => {
    answers = [
      { status: 429, body: {}, headers: { 'retry-after': '1.5' } },
      { status: 200, body: GOOD },
    ];
    const since = Date.now();
    await ask();
    expect(Date.now() - since).toBeGreaterThanOrEqual(1_450);
  });

  it('ends when it is no longer wanted', async () => {
    const abort = new AbortController();
    const asking = ask(abort.signal);
    abort.abort();
    await expect(asking).rejects.toThrow(/abort/i);
  });

  it('names a server that is not there', async () => {
    const abort = new AbortController();
    const port = (server.address() as AddressInfo).port;
    server.close();
    const asking = fetchGatewayBot(
      {
        api: `http://127.0.0.1:${port}/api`,
        token: 'the-token',
        version: '1',
        onRetry: (reason) => {
          retries.push(reason);
          abort.abort();
        },
      },
      abort.signal,
    );
    await expect(asking).rejects.toThrow();
    expect(retries[0]).toMatch(/ECONNREFUSED/);
  });
});
