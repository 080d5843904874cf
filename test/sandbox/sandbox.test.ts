import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { Client, Events, GatewayIntentBits } from 'discord.js';
import { Sandbox, SandboxClient, SandboxClientError } from '../../src/sandbox';
import { until } from '../support/until';

const MAIN = resolve(__dirname, '../../dist/src/sandbox/main.js');

describe('the sandbox', () => {
  let sandbox: Sandbox;
  let apiUrl: string;

  afterEach(() => sandbox.close());

  async function start(options: ConstructorParameters<typeof Sandbox>[0] = {}): Promise<void> {
    sandbox = new Sandbox({ guilds: 20, shards: 2, maxConcurrency: 2, ...options });
    ({ apiUrl } = await sandbox.listen());
  }

  it('serves discord.js: guilds, interactions, messages, changes, every event accounted for', async () => {
    await start();
    const client = new Client({
      intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
      shards: [0, 1],
      shardCount: 2,
      rest: { api: apiUrl },
    });
    const failures: unknown[] = [];
    let doubles = 1;
    client.on(Events.InteractionCreate, (interaction) => {
      if (!interaction.isChatInputCommand()) return;
      interaction.reply({ content: 'pong', withResponse: true }).catch((error: unknown) => failures.push(error));
    });
    client.on(Events.MessageCreate, (message) => {
      const answers = message.content === '!ping' ? [message.reply('pong')] : [];
      if (doubles-- > 0) answers.push(message.reply('pong again'));
      Promise.all(answers).catch((error: unknown) => failures.push(error));
    });
    try {
      await client.login('any-token');
      await until(() => client.isReady());
      expect(client.guilds.cache.size).toBe(20);
      const guild = client.guilds.cache.first();
      expect(guild?.memberCount).toBe(6);
      expect(guild?.channels.cache.size).toBe(3);
      sandbox.setRate(40);
      await until(() => sandbox.report().answered >= 40);
      sandbox.setRate(0);
      await until(() => sandbox.report().outstanding === 0);
      expect(failures).toEqual([]);
      const report = sandbox.report();
      expect(report).toMatchObject({ lost: 0, doubled: 1, missed: 0, restUnknownRoutes: 0 });
      expect(report.sent).toBe(report.answered);
      expect(report.latencyMs?.p50).toBeLessThan(5_000);
    } finally {
      await client.destroy();
    }
  });

  it('counts what nobody could get as missed, and what a dead session held as lost', async () => {
    await start({ resumeWindowMs: 200 });
    sandbox.setRate(200);
    await until(() => sandbox.report().missed > 5);
    sandbox.setRate(0);
    expect(sandbox.report().sent).toBe(0);
  });

  it('answers REST: token, gateway, limits, unknown routes', async () => {
    await start({ token: 'the-token', restPerSecond: 3 });
    const get = (path: string, token?: string): Promise<Response> =>
      fetch(`${apiUrl}${path}`, token === undefined ? {} : { headers: { authorization: `Bot ${token}` } });
    expect((await get('/v10/gateway/bot')).status).toBe(401);
    expect((await get('/v10/gateway/bot', 'another')).status).toBe(401);
    expect(await (await get('/v10/gateway/bot', 'the-token')).json()).toMatchObject({
      shards: 2,
      session_start_limit: { total: 1_000, remaining: 1_000, max_concurrency: 2 },
    });
    const limited = await get('/v10/users/@me', 'the-token');
    expect(limited.status).toBe(429);
    expect(Number(limited.headers.get('retry-after'))).toBeLessThanOrEqual(1);
    await until(async () => (await get('/no/such/route')).status === 404);
    expect(sandbox.report()).toMatchObject({ restUnauthorised: 2, restUnknownRoutes: 1 });
  });

  it('takes orders over HTTP, and says what is wrong with them', async () => {
    await start();
    const orders = new SandboxClient(apiUrl);
    await orders.rate(5);
    expect((await orders.report()).rate).toBe(5);
    await orders.fault('deaf', { seconds: 0 });
    await orders.resetCounters();
    await expect(orders.fault('drop', { code: 1 })).rejects.toThrow(
      'code: expected 1000, or a number from 3000 to 4999',
    );
    await expect(orders.rate(-1)).rejects.toThrow('perSecond: expected a number from 0 to 100000');
    const answer = await fetch(new URL('/_sandbox/faults/none', apiUrl), { method: 'POST' });
    expect(answer.status).toBe(404);
  });

  it('has a client that says when nobody is there', async () => {
    await start();
    await expect(new SandboxClient('http://127.0.0.1:1/api').report()).rejects.toThrow(SandboxClientError);
  });

  it('holds 50,000 guilds without building them', async () => {
    const before = process.memoryUsage().heapUsed;
    await start({ guilds: 50_000, shards: 50 });
    expect(sandbox.report().sessions).toBe(0);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20 * 1024 ** 2);
  });
});

describe("the sandbox's process", () => {
  let child: ChildProcess | null = null;
  afterEach(() => child?.kill('SIGKILL'));

  function run(options: object): { ended: Promise<number | null>; line: Promise<string>; errors: () => string } {
    const started = spawn(process.execPath, [MAIN], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], BOTCTL_SANDBOX_OPTIONS: JSON.stringify(options) },
    });
    child = started;
    let errors = '';
    started.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    return {
      ended: once(started, 'exit').then(([code]) => code as number | null),
      line: once(started.stdout, 'data').then(([chunk]) => (chunk as Buffer).toString()),
      errors: () => errors,
    };
  }

  it('prints its address in one line, and ends with 0 on SIGTERM', async () => {
    const { ended, line } = run({ guilds: 3 });
    const { port, apiUrl, pid } = JSON.parse(await line) as { port: number; apiUrl: string; pid: number };
    expect(pid).toBe(child?.pid);
    expect(apiUrl).toBe(`http://127.0.0.1:${port}/api`);
    child?.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('ends by itself when nobody needs it', async () => {
    const { ended, line } = run({ lingerMs: 200 });
    await line;
    expect(await ended).toBe(0);
  });

  it('says in one line that its port is taken', async () => {
    const first = new Sandbox();
    const { port } = await first.listen();
    const { ended, errors } = run({ port });
    expect(await ended).toBe(1);
    expect(errors()).toMatch(new RegExp(`^the sandbox cannot listen on port ${port}: .*EADDRINUSE.*\n$`));
    await first.close();
  });
});
