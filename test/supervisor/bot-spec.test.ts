import { botSpec, type BotSpecOptions } from '../../src/supervisor/bot-spec';

const BASE: BotSpecOptions = {
  entry: '/srv/bot/bot.js',
  args: ['--flag'],
  nodeArgs: ['--max-old-space-size=512'],
  cwd: '/srv/bot',
  env: { PATH: '/bin', DISCORD_TOKEN: 'the-bot-token', OTHER: 'see the-bot-token here', NOTIFY_SOCKET: '/run/x' },
  botEnv: { MODE: 'production', API_KEY: 'the-api-key' },
  token: 'the-bot-token',
  databaseUrls: ['postgres://bot:the-password@h/d'],
  redisUrl: 'redis://:the-password@h',
  data: {
    name: 'bot',
    databaseUrls: ['postgres://bot:the-password@h/d'],
    pool: {
      acquireTimeout: 1,
      idleTimeout: 1,
      maxLifetime: 1,
      statementTimeout: 1,
      idleInTransactionTimeout: 1,
      pgbouncer: false,
      preparedStatements: true,
      share: { min: 0, max: 1 },
    },
    redis: null,
    cache: { maxEntries: 1, maxBytes: 1 },
    defer: { dir: '/srv/bot/.botctl/deferred', maxEntries: 1, maxBytes: 1 },
    placementFile: '/srv/bot/.botctl/placement.json',
  },
  secrets: ['the-bot-token', 'the-api-key', 'the-password'],
  discordApi: 'https://discord.com/api',
  restGuard: true,
  version: '0.1.0',
};

describe('botSpec', () => {
  it('runs node, its options, the agent, the entry, its arguments', () => {
    const { args, execPath, cwd } = botSpec(BASE);
    expect(execPath).toBe(process.execPath);
    expect(cwd).toBe('/srv/bot');
    expect(args[0]).toBe('--max-old-space-size=512');
    expect(args[1]).toBe('--require');
    expect(args[2]).toMatch(/agent\/preload\.js$/);
    expect(args.slice(3)).toEqual(['/srv/bot/bot.js', '--flag']);
  });

  it.each(['.ts', '.mts', '.cts'])('runs %s with tsx', (extension) => {
    const { args } = botSpec({ ...BASE, entry: `/srv/bot/bot${extension}` });
    const at = args.indexOf('--import');
    expect(args[at + 1]).toMatch(/^file:.*tsx/);
    // The agent is there before the loader.
    expect(args.indexOf('--require')).toBeLessThan(at);
  });

  it('keeps secrets out of everything that others can see', () => {
    const { args, env, secretEnv } = botSpec(BASE);
    const visible = JSON.stringify([args, env]);
    for (const secret of BASE.secrets) expect(visible).not.toContain(secret);
    expect(env).toEqual({ PATH: '/bin' });
    const { BOTCTL_DATA: data, ...others } = secretEnv;
    expect(JSON.parse(data ?? '')).toEqual(BASE.data);
    expect(others).toEqual({
      MODE: 'production',
      API_KEY: 'the-api-key',
      DISCORD_TOKEN: 'the-bot-token',
      BOTCTL_DATABASE_URLS: '["postgres://bot:the-password@h/d"]',
      BOTCTL_REDIS_URL: 'redis://:the-password@h',
    });
  });

  it('has a fingerprint that changes with whatever would start another bot', () => {
    const { fingerprint } = botSpec(BASE);
    expect(botSpec({ ...BASE }).fingerprint).toBe(fingerprint);
    const changes: Partial<BotSpecOptions>[] = [
      { entry: '/srv/bot/other.js' },
      { args: [] },
      { nodeArgs: [] },
      { cwd: '/srv' },
      { token: 'another' },
      { botEnv: {} },
      { restGuard: false },
      { discordApi: 'http://127.0.0.1:1/api' },
      { version: '0.2.0' },
    ];
    for (const change of changes) expect(botSpec({ ...BASE, ...change }).fingerprint).not.toBe(fingerprint);
    // Ports of embedded servers may differ from run to run: the clusters are still the same.
    expect(botSpec({ ...BASE, databaseUrls: [] }).fingerprint).toBe(fingerprint);
  });
});
