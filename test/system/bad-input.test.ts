import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { controlSocketPath, ensurePrivateDir, socketDir } from '../../src/control/socket-path';
import { Sandbox } from '../../src/sandbox';
import { Botctl, type BotctlOptions } from './support/botctl';

describe('bad input', () => {
  let sandbox: Sandbox;
  let api: string;
  let botctl: Botctl;

  beforeAll(async () => {
    sandbox = new Sandbox({ guilds: 4, shards: 2, maxConcurrency: 16, identifyIntervalMs: 50 });
    ({ apiUrl: api } = await sandbox.listen());
  });
  afterEach(async () => {
    await botctl.dispose();
  });
  afterAll(() => sandbox.close());

  function make(options: Partial<BotctlOptions> = {}): Botctl {
    const { config, ...rest } = options;
    botctl = new Botctl({
      bot: 'plain.cjs',
      api,
      config: {
        identify: { interval: '50ms' },
        sharding: { restart: { backoffMin: '100ms', backoffMax: '200ms', maxRestarts: 2 } },
        ...config,
      },
      ...rest,
    });
    return botctl;
  }

  it('a wrong token: one sentence, exit 1, nothing left running', async () => {
    const { ended } = make({ env: { DISCORD_TOKEN: 'a-wrong-token-for-the-sandbox' } }).start();
    const { code, stderr, stdout } = await ended;
    expect(code).toBe(1);
    expect(stderr).toContain('Discord refused the token');
    expect(stderr).toContain('bot.token');
    expect(stderr + stdout).not.toContain('a-wrong-token-for-the-sandbox');
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(botctl.processes()).toEqual([]);
  });

  it('no token: the variable is named, exit 2', async () => {
    make();
    delete botctl.env['DISCORD_TOKEN'];
    const { code, stderr } = await botctl.start().ended;
    expect(code).toBe(2);
    expect(stderr).toContain('DISCORD_TOKEN');
    expect(stderr).toContain('bot.token');
  });

  it('an entry that does not exist: exit 2 with file, line and key', async () => {
    const { code, stderr } = await make({ bot: '/no/such/bot.js' }).start().ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/botctl\.yaml:\d+:\d+/);
    expect(stderr).toContain('bot.entry');
    expect(stderr).toContain('/no/such/bot.js');
  });

  it('an entry with a syntax error: crash loop, whose reason is in status and logs', async () => {
    make({ bot: 'syntax-error.cjs' }).start();
    const status = await botctl.untilStatus(({ clusters }) => clusters[0]?.state === 'crash-loop');
    expect(status.clusters[0]?.lastExit).toBe('exit code 1');
    expect((await botctl.cli('logs', '--cluster', '0')).stdout).toContain('SyntaxError');
  });

  it('a port that is taken: the key is named, exit 1', async () => {
    const other: Server = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    try {
      const { port } = other.address() as AddressInfo;
      const { code, stderr } = await make({ config: { http: { enabled: true, port } } }).start().ended;
      expect(code).toBe(1);
      expect(stderr).toContain(`port ${port}`);
      expect(stderr).toContain('http.port');
      expect(botctl.processes()).toEqual([]);
    } finally {
      other.close();
    }
  });

  it('a control socket that somebody else holds: exit 1, and it is left alone', async () => {
    make();
    ensurePrivateDir(socketDir(botctl.stateDir));
    const path = controlSocketPath(botctl.stateDir);
    let calls = 0;
    const other = createServer((socket) => {
      calls++;
      socket.end();
    }).listen(path);
    await once(other, 'listening');
    try {
      const { code, stderr } = await botctl.start().ended;
      expect(code).toBe(1);
      expect(stderr).toContain(path);
      expect(calls).toBeGreaterThan(0);
      expect(botctl.processes()).toEqual([]);
    } finally {
      other.close();
    }
  });

  it('a file for a state folder: exit 2 with file, line and key', async () => {
    make();
    writeFileSync(botctl.stateDir, 'a file, not a folder');
    const { code, stderr } = await botctl.start().ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/botctl\.yaml:\d+:1: stateDir: is a file, not a folder/);
  });

  it('a state folder that cannot be made: exit 1 with its path and the key', async () => {
    make();
    writeFileSync(botctl.stateDir, 'a file, not a folder');
    const below = join(botctl.stateDir, 'below');
    writeFileSync(botctl.configFile, readFileSync(botctl.configFile, 'utf8').replace(botctl.stateDir, below));
    const { code, stderr } = await botctl.start().ended;
    expect(code).toBe(1);
    expect(stderr).toContain(below);
    expect(stderr).toContain('stateDir');
  });

  it('a state folder that others can read is refused or closed to them', async () => {
    make();
    mkdirSync(botctl.stateDir);
    chmodSync(botctl.stateDir, 0o777);
    botctl.start();
    await botctl.untilReady();
    expect(statSync(botctl.stateDir).mode & 0o777).toBe(0o700);
  });

  it('a second supervisor on the same folder: exit 1 with the pid of the first, which goes on', async () => {
    const first = make().start();
    await botctl.untilReady();
    const { code, stderr } = await botctl.start().ended;
    expect(code).toBe(1);
    expect(stderr).toContain(String(first.child.pid));
    expect((await botctl.cli('status')).code).toBe(0);
  });

  it('`status` without a supervisor: exit 3, also as JSON, and nothing is started', async () => {
    make();
    const text = await botctl.cli('status');
    expect(text.code).toBe(3);
    const json = await botctl.cli('status', '--json');
    expect(json.code).toBe(3);
    expect(JSON.parse(json.stdout)).toMatchObject({
      verdict: 'down',
      supervisor: { state: 'dead', pid: null },
      clusters: [],
    });
    expect(botctl.processes()).toEqual([]);
  });

  it('an unknown key: exit 2, the nearest valid key is named', async () => {
    const { code, stderr } = await make({ config: { sharding: { totalShard: 4 } } }).start().ended;
    expect(code).toBe(2);
    expect(stderr).toContain('sharding.totalShard');
    expect(stderr).toContain('totalShards');
  });

  it("discord.js's ShardingManager as the entry: refused, with what to set instead", async () => {
    make({ bot: 'manager-entry.cjs' }).start();
    const status = await botctl.untilStatus(({ clusters }) => (clusters[0]?.notices.length ?? 0) > 0);
    expect(status.clusters[0]?.notices[0]).toMatch(/bot\.entry starts discord\.js's ShardingManager/);
  });
});
