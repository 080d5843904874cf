import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { CacheReceiver } from '../../../../src/agent/handoff/cache-receiver';
import { CacheSender } from '../../../../src/agent/handoff/cache-sender';
import { readRecords, RecordStream, type FromPredecessor } from '../../../../src/agent/handoff/wire';
import type { HeaderRecord, SnapshotMeta } from '../../../../src/agent/snapshot';
import type { OfflineClient } from '../../snapshot/support/offline-client';

export interface Source {
  from: OfflineClient;
  /** Of its shards, those that go over. */
  meta: SnapshotMeta;
}

const sockets: Socket[] = [];

/** To be called after each test. */
export function closeConnections(): void {
  for (const socket of sockets.splice(0)) socket.destroy();
}

/** Two ends of one real connection. */
async function connection(): Promise<[Socket, Socket]> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const one = createConnection((server.address() as AddressInfo).port, '127.0.0.1');
  const [other] = (await once(server, 'connection')) as [Socket];
  server.close();
  sockets.push(one, other);
  return [one, other];
}

/**
 * Copies shards of one or more clients into a fresh one while `meanwhile` happens, turn by turn, and once more after the
 * copy.
 * @returns the events that the fresh client has told its bot
 */
export async function copyInto(
  to: OfflineClient,
  expected: SnapshotMeta,
  sources: readonly Source[],
  meanwhile: (turnNumber: number) => void = () => undefined,
): Promise<string[]> {
  const heard: string[] = [];
  const emitter = to.client as unknown as { emit(event: string, ...args: unknown[]): boolean };
  const emit = emitter.emit.bind(emitter);
  emitter.emit = (event, ...args) => {
    if (event !== 'debug') heard.push(event);
    return emit(event, ...args);
  };

  const receiver = new CacheReceiver(to.manager, to.client, expected);
  const headers: HeaderRecord[] = [];
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve)).then(() => receiver.begin(headers));
  const state = { copied: false };
  const ends = await Promise.all(
    sources.map(async ({ from, meta }) => {
      const [near, far] = await connection();
      const stream = new RecordStream(near);
      const sender = new CacheSender(from.client, meta, stream, { messagesPerChannel: 100 });
      const manager = from.manager as unknown as {
        prependListener(
          event: 'dispatch',
          listener: (payload: { data: { t: string; d: unknown }; shardId: number }) => void,
        ): void;
      };
      manager.prependListener('dispatch', ({ data, shardId }) => {
        if (meta.shardIds.includes(shardId)) sender.dispatched(shardId, data.t, data.d);
      });
      const receive = async (): Promise<void> => {
        for await (const record of readRecords<FromPredecessor>(far)) {
          if (record.k === 'copied' || record.k === 'mark' || record.k === 'cut') continue;
          if (record.k === 'header') {
            if (headers.push(record) === sources.length) begin();
            await begun;
          } else await receiver.take(record);
        }
      };
      const received = receive();
      received.catch(() => undefined); // what fails first is told
      return { near, stream, received, copied: sender.copy() };
    }),
  );
  const copying = Promise.all(ends.map(({ copied }) => copied)).then(() => (state.copied = true));
  for (let number = 0; !state.copied; number++) {
    meanwhile(number);
    await turn();
  }
  await copying;
  for (let number = 0; number < 20; number++) meanwhile(number);
  for (const { near, stream } of ends) {
    stream.write();
    near.end();
  }
  await Promise.all(ends.map(({ received }) => received));
  expect(heard).toEqual([]);
  await receiver.release();
  return heard;
}
