import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { connectClient } from '../../../src/data/pool/connect';
import { PostgresLog } from '../../../src/incidents/log/postgres-log';
import type { Incident } from '../../../src/incidents/types';
import { Shards } from '../../data/support/shards';
import { until } from '../../support/until';
import { Scene, START } from '../support/scene';

let shards: Shards;
let isUp: boolean;

beforeAll(async () => (shards = await new Shards(1).start()));
afterAll(() => shards.end());
beforeEach(() => (isUp = true));

const open = (id: string, over: Partial<Incident> = {}): Incident => ({
  ...new Scene({ 'database-down': {} }).set('database-down', 'db:0').look().only(),
  id,
  ...over,
});

function aLog(errors: unknown[] = []): PostgresLog {
  return new PostgresLog({
    connect: () => (isUp ? shards.connect(0) : Promise.reject(new Error('ECONNREFUSED'))),
    onError: (error) => errors.push(error),
    retryMs: 20,
  });
}

const saved = (log: PostgresLog) => until(() => log.waiting === 0);

it('keeps the latest state of each incident, whatever order they come in', async () => {
  const log = aLog();
  log.save(open('260101-aaaa', { updatedAt: START + 1_000, state: 'resolved', resolvedAt: START + 1_000 }));
  await saved(log);
  log.save(open('260101-aaaa'));
  log.save(open('260101-bbbb', { openedAt: START + 5_000, text: 'it\'s "quoted" – ✓' }));
  await saved(log);
  const all = await log.list({ since: 0, limit: 10 });
  expect(all).toMatchObject([
    { id: '260101-bbbb', state: 'open', text: 'it\'s "quoted" – ✓' },
    { id: '260101-aaaa', state: 'resolved' },
  ]);
  expect(await log.get('aaaa')).toMatchObject({ id: '260101-aaaa' });
  expect(await log.get('aaa')).toBeNull();
  await log.stop();
});

it('what it misses while it is down, it gets when it is back', async () => {
  const errors: unknown[] = [];
  const log = aLog(errors);
  isUp = false;
  for (let index = 0; index < 250; index++) log.save(open(`260102-${index}`, { openedAt: START + 86_400_000 + index }));
  await until(() => errors.length >= 2);
  expect(log.waiting).toBe(250);
  isUp = true;
  await saved(log);
  expect(await log.list({ since: START + 86_400_000, limit: 1_000 })).toHaveLength(251); // and the one that is still open
  await log.stop();
});

it('does not keep whoever asks waiting for a server that hangs', async () => {
  const sockets: Socket[] = [];
  const deaf = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  const url = `postgres://bot@127.0.0.1:${(deaf.address() as AddressInfo).port}/bot`;
  const log = new PostgresLog({
    connect: () => connectClient({ url, applicationName: 'test', timeout: 2_000 }),
    onError: () => undefined,
    answerMs: 100,
  });
  try {
    await expect(log.list({ since: 0, limit: 10 })).rejects.toThrow('no answer within 100 ms');
    await expect(log.get('aaaa')).rejects.toThrow('no answer within 100 ms');
  } finally {
    for (const socket of sockets) socket.destroy();
    deaf.close();
  }
});
