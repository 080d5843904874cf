import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Channel } from '../../src/agent/channel';
import { encodeFrame } from '../../src/ipc/frames';
import { PROTOCOL_VERSION, type AgentToSupervisor, type Hello, type SupervisorToAgent } from '../../src/ipc/messages';
import { AgentServer, type AgentLink } from '../../src/sharding/agent-server';
import { until } from '../support/until';

const HELLO: Hello = {
  t: 'hello',
  protocol: PROTOCOL_VERSION,
  clusterId: 0,
  incarnation: 'c0-test',
  pid: process.pid,
  startTime: '1',
  shardIds: [0],
  totalShards: 1,
  release: 'live',
  node: process.version,
  discordJs: null,
  reattached: false,
  shards: [],
  sessions: [],
};

describe('Channel', () => {
  let dir: string;
  let path: string;
  let server: AgentServer;
  let links: AgentLink[];
  let received: AgentToSupervisor[];
  let events: string[];
  let frames: SupervisorToAgent[];
  let channel: Channel;

  async function listen(): Promise<void> {
    server = new AgentServer({
      path,
      accept: (link) => {
        links.push(link);
        link.send({
          t: 'welcome',
          supervisorPid: 1,
          timings: { sampleIntervalMs: 5_000, graceMs: 0, checkpointMs: 0 },
        });
        return { onFrame: (frame) => received.push(frame), onClose: () => events.push('server saw close') };
      },
      onRefused: () => undefined,
    });
    await server.listen();
  }

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'botctl-channel-'));
    path = join(dir, 'agents.sock');
    links = [];
    received = [];
    events = [];
    frames = [];
    // A channel never gives up: those of earlier tests go on trying, and must not write into these arrays.
    const [ownFrames, ownEvents] = [frames, events];
    channel = new Channel({
      path,
      hello: () => HELLO,
      onFrame: (frame) => ownFrames.push(frame),
      onAttached: () => ownEvents.push('attached'),
      onDetached: () => ownEvents.push('detached'),
    });
    // Keeps this test's event loop busy with the socket, as a bot that listens for messages does.
    channel.keepAlive(true);
  });

  afterEach(async () => {
    channel.keepAlive(false);
    await server.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('says hello, then sends and receives', async () => {
    await listen();
    channel.start();
    await until(() => channel.attached);
    expect(links[0]?.hello).toEqual(HELLO);
    channel.send({ t: 'pong', id: 7 });
    links[0]?.send({ t: 'ping', id: 7 });
    await until(() => received.length === 1 && frames.length === 2);
    expect(received).toEqual([{ t: 'pong', id: 7 }]);
    expect(frames[1]).toEqual({ t: 'ping', id: 7 });
  });

  it('is waited for while its process loads modules, however long that takes', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    const sockets: Socket[] = [];
    const connected = async (): Promise<Socket> => {
      const socket = createConnection(path);
      sockets.push(socket);
      await once(socket, 'connect');
      return socket;
    };
    try {
      await listen();
      const slow = await connected();
      const quick = await connected();
      quick.write(encodeFrame(HELLO));
      await once(quick, 'data'); // the server has taken the slow one before
      jest.advanceTimersByTime(10 * 60 * 1_000);
      await new Promise((resolve) => void setImmediate(resolve));
      slow.write(encodeFrame(HELLO));
      await Promise.race([once(slow, 'data'), once(slow, 'close')]);
      expect(links).toHaveLength(2);
    } finally {
      for (const socket of sockets) socket.destroy();
      jest.useRealTimers();
    }
  });

  it('keeps messages of the bot until there is a supervisor, in order, and drops other frames', async () => {
    channel.start();
    channel.send({ t: 'pong', id: 1 });
    expect(channel.sendBot({ n: 1 })).toBe(true);
    expect(channel.sendBot({ n: 2 })).toBe(true);
    await until(() => events.includes('detached'));
    await listen();
    await until(() => received.length === 2);
    expect(received).toEqual([
      { t: 'bot', message: { n: 1 } },
      { t: 'bot', message: { n: 2 } },
    ]);
  });

  it('comes back with a new hello when the supervisor is replaced, and tells each change once', async () => {
    await listen();
    channel.start();
    await until(() => channel.attached);
    await server.close();
    await until(() => events.includes('detached'));
    await listen();
    await until(() => links.length === 2 && channel.attached);
    expect(events.filter((event) => event !== 'server saw close')).toEqual(['attached', 'detached', 'attached']);
  });

  it('refuses messages of the bot beyond the bound, and says so', () => {
    const big = 'x'.repeat(1024 * 1024);
    const accepted = Array.from({ length: 20 }, () => channel.sendBot(big)).filter(Boolean).length;
    expect(accepted).toBe(15);
    server = new AgentServer({ path, accept: () => null, onRefused: () => undefined });
    return server.listen();
  });

  it('throws for what JSON cannot carry, like process.send', async () => {
    await listen();
    expect(() => channel.sendBot({ n: 1n })).toThrow(TypeError);
  });
});
