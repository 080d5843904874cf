import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGunzip } from 'node:zlib';
import { EventStream } from '../../src/http/event-stream';
import { until } from '../support/until';

interface State {
  word: string;
  figure: number;
}

describe('EventStream', () => {
  let state: State;
  let reads: number;
  let errors: unknown[];
  let stream: EventStream<State>;
  let server: Server;
  const requests = new Set<() => void>();

  beforeEach(async () => {
    state = { word: 'well', figure: 1 };
    reads = 0;
    errors = [];
    stream = make({});
    server = createServer((request, response) => {
      if (stream.add(request, response)) return;
      response.statusCode = 503;
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    stream.close();
    for (const end of requests) end();
    requests.clear();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function make(options: { figuresMs?: number; heartbeatMs?: number; maxListeners?: number }): EventStream<State> {
    return new EventStream({
      read: () => {
        reads++;
        if (state.word === 'broken') throw new Error('broken inside');
        return { ...state };
      },
      essence: ({ word }) => word,
      onError: (error) => errors.push(error),
      intervalMs: 10,
      figuresMs: 3_600_000,
      ...options,
    });
  }

  async function listen(
    headers: Record<string, string> = {},
  ): Promise<{ answer: IncomingMessage; text: () => string }> {
    const request = get({ port: (server.address() as AddressInfo).port, headers });
    request.on('error', () => undefined);
    requests.add(() => request.destroy());
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    const body = answer.headers['content-encoding'] === 'gzip' ? answer.pipe(createGunzip()) : answer;
    body.on('data', (chunk: Buffer) => (text += chunk.toString()));
    body.on('error', () => undefined);
    answer.on('error', () => undefined);
    return { answer, text: () => text };
  }

  function statesIn(text: string): State[] {
    return [...text.matchAll(/^data: (.*)\n\n/gm)].map(([, json]) => JSON.parse(json ?? '') as State);
  }

  it.each([{}, { 'accept-encoding': 'gzip, br' }])('tells the state at once and each change: %p', async (headers) => {
    const { answer, text } = await listen(headers);
    expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    await until(() => statesIn(text()).length === 1);
    state = { word: 'degraded', figure: 2 };
    await until(() => statesIn(text()).at(-1)?.word === 'degraded');
    expect(text()).toMatch(/^retry: \d+\n\nevent: status\n/);
  });

  it('does not tell figures alone at each look, but does so from time to time', async () => {
    const { text } = await listen();
    await until(() => statesIn(text()).length >= 1);
    state.figure = 2;
    const before = reads;
    await until(() => reads > before + 5);
    expect(statesIn(text()).filter(({ figure }) => figure === 2)).toEqual([]);
    stream.close();
    stream = make({ figuresMs: 20 });
    const second = await listen();
    state.figure = 3;
    await until(() => statesIn(second.text()).some(({ figure }) => figure === 3));
  });

  it('reads once for all listeners, and not at all while there are none', async () => {
    const listeners = await Promise.all([listen(), listen(), listen()]);
    expect(stream.listeners).toBe(3);
    const before = reads;
    state.word = 'degraded';
    for (const { text } of listeners) await until(() => statesIn(text()).at(-1)?.word === 'degraded');
    expect(reads - before).toBeGreaterThan(0);
    for (const { answer } of listeners) answer.destroy();
    await until(() => stream.listeners === 0);
    const after = reads;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(reads).toBe(after);
  });

  it('beats while there is nothing to tell', async () => {
    stream.close();
    stream = make({ heartbeatMs: 20 });
    const { text } = await listen();
    await until(() => /\n:\n\n:\n\n/.test(text()));
  });

  it('refuses more listeners than it can serve, and takes new ones when others have gone', async () => {
    stream.close();
    stream = make({ maxListeners: 1 });
    const first = await listen();
    expect((await listen()).answer.statusCode).toBe(503);
    first.answer.destroy();
    await until(() => stream.listeners === 0);
    expect((await listen()).answer.statusCode).toBe(200);
  });

  it('goes on when the state cannot be read for a while', async () => {
    const { text } = await listen();
    await until(() => statesIn(text()).length >= 1);
    state.word = 'broken';
    await until(() => errors.length > 0);
    state.word = 'well again';
    await until(() => statesIn(text()).at(-1)?.word === 'well again');
  });

  it('keeps a bounded backlog for a listener who does not read', async () => {
    const { answer } = await listen();
    answer.pause();
    const fast = await listen();
    const filler = 'x'.repeat(1024 ** 2);
    for (let i = 0; i < 24; i++) {
      state.word = `${i} ${filler}`;
      await until(() => statesIn(fast.text()).at(-1)?.word === state.word);
    }
    const held = await new Promise<number>((resolve) => server.getConnections((_error, n) => resolve(n)));
    expect(held).toBe(2);
    expect(stream.backlogBytes).toBeLessThan(8 * 1024 ** 2);
  });

  it('ends the streams in good order', async () => {
    const { answer } = await listen();
    const ended = once(answer, 'end');
    stream.close();
    await ended;
    expect((await listen()).answer.statusCode).toBe(503);
  });
});
