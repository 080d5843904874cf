import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig, redactConfig, type LoadedConfig, type LoadOptions } from '../../src/config';
import { BROKEN } from './broken-configs';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'botctl-config-'));
  mkdirSync(join(dir, 'folder'));
  writeFileSync(join(dir, 'notes.txt'), '');
  writeFileSync(join(dir, 'bot.js'), '');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function load(yaml: string, options: Partial<LoadOptions> = {}): Promise<LoadedConfig> {
  writeFileSync(join(dir, 'botctl.yaml'), yaml);
  return loadConfig({ cwd: dir, file: 'botctl.yaml', env: {}, ...options });
}

async function problemsOf(loading: Promise<unknown>): Promise<string[]> {
  const error: unknown = await loading.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConfigError)) throw new Error(`expected a ConfigError, got ${String(error)}`);
  expect(error.exitCode).toBe(2);
  return error.message.replaceAll(`${dir}/`, '').split('\n');
}

describe('a broken config', () => {
  it('has a table of at least 45', () => {
    expect(BROKEN.length).toBeGreaterThanOrEqual(45);
  });

  it.each(BROKEN)('$name', async ({ yaml, env = {}, withoutBot, expected }) => {
    if (withoutBot) rmSync(join(dir, 'bot.js'));
    expect(await problemsOf(load(yaml, { env }))).toEqual(expected);
  });

  it('never shows a value from the environment, a token or an address with a password', async () => {
    const all = await Promise.all(
      BROKEN.map(async ({ yaml, env = {} }, index) => {
        const own = join(dir, String(index));
        mkdirSync(own);
        writeFileSync(join(own, 'botctl.yaml'), yaml);
        return loadConfig({ cwd: own, file: 'botctl.yaml', env }).then(
          () => '',
          (error: unknown) => (error as Error).message,
        );
      }),
    );
    expect(all.join('\n')).toContain('(not shown)');
    expect(all.join('\n')).not.toMatch(/secret-(one|two|three|four)|abcdefgh/);
  });

  it('that does not exist is named', async () => {
    const missing = problemsOf(loadConfig({ cwd: dir, file: 'nope.yaml', env: {} }));
    expect(await missing).toEqual(['nope.yaml: there is no such file. Check --config, or make one with `botctl init`']);
    const folder = problemsOf(loadConfig({ cwd: dir, file: 'folder', env: {} }));
    expect(await folder).toEqual([
      'folder: this is a folder, not a file. Check --config, or make one with `botctl init`',
    ]);
  });

  it('with an alias bomb is refused, not expanded', async () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]', 'b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]'];
    for (const [from, to] of ['bc', 'cd', 'de', 'ef', 'fg']) {
      bomb.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join()}]`);
    }
    expect(await problemsOf(load(bomb.join('\n')))).toEqual([
      'botctl.yaml:4:8: d[0][0]: more than 100 aliases. Write the values out, or use fewer of them',
    ]);
  });

  it('with an alias of nothing is refused where it stands', async () => {
    expect(await problemsOf(load('bot: { entry: ./bot.js, token: abcdefgh }\nhttp: *nope\n'))).toEqual([
      'botctl.yaml:2:1: http: there is no anchor &nope. Define it above',
    ]);
  });

  it('does not show what came from the environment, also when it is a path or a number', async () => {
    const yaml =
      'bot: { entry: "${SECRET}", cwd: "${SECRET}", token: abcdefgh }\nsharding: { shards: ["${NUMBER}"] }\n';
    const problems = await problemsOf(load(yaml, { env: { SECRET: 'secret-path', NUMBER: '987654321' } }));
    expect(problems).toHaveLength(3);
    expect(problems.join()).toContain('(not shown: from the environment)');
    expect(problems.join()).not.toMatch(/secret-path|987654321/);
  });

  it('with a password in discord.api is refused without showing it', async () => {
    for (const scheme of ['https', 'ftp']) {
      const yaml = `bot: { entry: ./bot.js, token: abcdefgh }\ndiscord: { api: "${scheme}://u:hidden-one@h" }\n`;
      const problems = await problemsOf(load(yaml));
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatch(/^botctl\.yaml:2:12: discord\.api: /);
      expect(problems[0]).not.toContain('hidden-one');
    }
  });

  it('with a range beyond all bounds is refused at once', async () => {
    const BOT = 'bot: { entry: ./bot.js, token: abcdefgh }\n';
    expect(await problemsOf(load(`${BOT}sharding: { shards: ["0-99999999999"] }\n`))).toEqual([
      'botctl.yaml:2:22: sharding.shards[0]: there is no shard 99999999999: the largest possible is 99999. Shards are counted from 0',
    ]);
  });

  it('with environment variables that cannot be, or a file for a state folder, is refused', async () => {
    const yaml = 'bot: { entry: ./bot.js, token: abcdefgh, env: { "A=B": x, C: "a\\0b" } }\nstateDir: ./bot.js\n';
    expect(await problemsOf(load(yaml))).toEqual([
      'botctl.yaml:1:49: bot.env.A=B: is no name for a variable. Leave out "="',
      'botctl.yaml:1:59: bot.env.C: has a NUL character in it. Remove it',
      'botctl.yaml:2:1: stateDir: is a file, not a folder. Name a folder of this user',
    ]);
  });

  it('with an address that is none shows neither its password nor its query', async () => {
    for (const api of ['u:hidden-one@h', 'ftp://h?password=hidden-one', 'ftp://u:hid/hidden-one@h']) {
      const problems = await problemsOf(
        load(`bot: { entry: ./bot.js, token: abcdefgh }\ndiscord: { api: "${api}" }\n`),
      );
      expect(problems.join()).toContain('got another value (not shown)');
      expect(problems.join()).not.toContain('hidden-one');
    }
  });

  it('with a variable that JavaScript would lose is refused', async () => {
    expect(await problemsOf(load('bot: { entry: ./bot.js, token: abcdefgh, env: { __proto__: x, A: b } }\n'))).toEqual([
      'botctl.yaml:1:49: bot.env.__proto__: cannot be given to the bot. Use another name',
    ]);
  });

  it('with a number that is none names it', async () => {
    const BOT = 'bot: { entry: ./bot.js, token: abcdefgh }\n';
    expect(await problemsOf(load(`${BOT}http: { port: .inf }\nsharding: { hangTimeout: .nan }\n`))).toEqual([
      'botctl.yaml:2:9: http.port: expected a whole number from 0 to 65535, got Infinity',
      'botctl.yaml:3:13: sharding.hangTimeout: expected a duration from 1s to 1h, such as 500ms, 30s or 5m, got NaN',
    ]);
  });
});

describe('a config', () => {
  const BOT = 'bot: { entry: ./bot.js, token: abcdefgh }\n';

  it('needs a bot file and a token; everything else has a default', async () => {
    const { config, stateDir } = await load(BOT);
    expect(config.bot).toMatchObject({ name: 'bot', entry: join(dir, 'bot.js'), token: 'abcdefgh', cwd: dir });
    expect(config.sharding).toMatchObject({
      totalShards: 'auto',
      shardsPerCluster: 8,
      graceTime: 60_000,
      hangTimeout: 30_000,
      restart: { backoffMin: 1_000, backoffMax: 60_000, maxRestarts: 5, jitter: 0.2 },
    });
    expect(config.identify).toEqual({ reserve: 0.1, interval: 5_000, margin: 50 });
    expect(config.discord.api).toBe('https://discord.com/api');
    expect(config.http).toEqual({ enabled: true, host: '127.0.0.1', port: 9_090 });
    expect(config.logging).toEqual({ level: 'info', format: 'auto', maxBytes: 64 * 1024 ** 2 });
    expect(stateDir).toBe(join(dir, '.botctl'));
  });

  it('finds the bot and takes the token from the environment', async () => {
    const { config } = await load('http: { port: 0 }\n', { env: { DISCORD_TOKEN: 'from-the-environment' } });
    expect(config.bot).toMatchObject({ entry: join(dir, 'bot.js'), token: 'from-the-environment' });
  });

  it('takes values from variables, defaults and files, and escapes', async () => {
    writeFileSync(join(dir, 'token.secret'), 'from-a-file\n');
    const yaml = [
      'bot:',
      '  entry: ${ENTRY}',
      '  token: ${MY_TOKEN}',
      '  name: ${NAME:-fallback}',
      '  env: { LITERAL: "$${HOME}", MIXED: "a ${WORD} b", NUMBER: 5, SWITCH: true }',
      'http: { port: "${PORT}", enabled: "${ON}" }',
      'sharding: { totalShards: "${SHARDS}", hangTimeout: "${HANG}" }',
    ].join('\n');
    const env = {
      ENTRY: './bot.js',
      MY_TOKEN_FILE: './token.secret',
      WORD: 'word',
      PORT: '8080',
      ON: 'false',
      SHARDS: '32',
      HANG: '45s',
    };
    const { config, secrets } = await load(yaml, { env });
    expect(config.bot).toMatchObject({ token: 'from-a-file', name: 'fallback' });
    expect(config.bot.env).toEqual({ LITERAL: '${HOME}', MIXED: 'a word b', NUMBER: '5', SWITCH: 'true' });
    expect(config.http).toMatchObject({ port: 8_080, enabled: false });
    expect(config.sharding).toMatchObject({ totalShards: 32, hangTimeout: 45_000 });
    expect(secrets).toEqual(['from-a-file']);
  });

  it('keeps text that looks like a number where text is expected', async () => {
    const { config } = await load(BOT.replace('}', ', name: "${NUMBER}" }'), { env: { NUMBER: '42' } });
    expect(config.bot.name).toBe('42');
  });

  it('reads shard lists and ranges', async () => {
    const { config } = await load(`${BOT}sharding: { totalShards: 16, shards: [15, "0-3", 2] }\n`);
    expect(config.sharding.shards).toEqual([0, 1, 2, 3, 15]);
  });

  it('takes a section without content as absent', async () => {
    const { config } = await load(`${BOT}postgres:\n  # shards: []\nredis:\n`);
    expect(config.postgres.embedded).toEqual({ enabled: true, shards: 4, port: 0 });
  });

  it('needs no token for the sandbox', async () => {
    expect((await load('{}\n'.replace('{}', 'stateDir: x'), { sandbox: true })).config.bot.token).toBe('sandbox-token');
    expect((await load('bot: { token: "${NOT_SET}" }\n', { sandbox: true })).config.bot.token).toBe('sandbox-token');
    expect((await load('sandbox: { enabled: true }\n')).config.bot.token).toBe('sandbox-token');
    const both = 'bot: { token: "${DISCORD_TOKEN}" }\nsandbox: { enabled: true }\n';
    expect((await load(both)).config.bot.token).toBe('sandbox-token');
  });

  it('lets BOTCTL_DISCORD_API override the API, without its last slash', async () => {
    const { config } = await load(BOT, { env: { BOTCTL_DISCORD_API: 'http://127.0.0.1:4900/api/' } });
    expect(config.discord.api).toBe('http://127.0.0.1:4900/api');
  });

  it('is found from a folder below, in each of its places', async () => {
    const below = join(dir, 'folder');
    writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'x', botctl: { bot: { token: 'in-package' } } }));
    expect((await loadConfig({ cwd: below, env: {} })).config.bot.token).toBe('in-package');
    writeFileSync(join(dir, 'botctl.json'), JSON.stringify({ bot: { token: 'in-json' } }));
    expect((await loadConfig({ cwd: below, env: {} })).config.bot.token).toBe('in-json');
    writeFileSync(join(dir, 'botctl.yaml'), 'bot: { token: in-yaml }');
    expect((await loadConfig({ cwd: below, env: {} })).config.bot.token).toBe('in-yaml');
  });

  it('tells where a mistake in package.json stands', async () => {
    writeFileSync(join(dir, 'package.json'), '{\n  "name": "x",\n  "botctl": {\n    "htp": {}\n  }\n}\n');
    expect(await problemsOf(loadConfig({ cwd: dir, env: { DISCORD_TOKEN: 'x' } }))).toEqual([
      'package.json:4:5: htp: unknown key. Did you mean http?',
    ]);
  });

  it('hides what is secret, and keeps what helps', async () => {
    const yaml = [
      'bot: { entry: ./bot.js, token: token-value, env: { API_KEY: key-value, PORT: "80" } }',
      'postgres: { shards: ["postgres://bot:p%40ssword@db.example:5432/one"] }',
      'redis: { url: "redis://:redis-pass@cache.example:6379" }',
    ].join('\n');
    const { config, secrets } = await load(yaml);
    expect(secrets).toEqual(
      expect.arrayContaining(['token-value', 'key-value', 'p%40ssword', 'p@ssword', 'redis-pass']),
    );
    const shown = JSON.stringify(redactConfig(config));
    for (const secret of ['token-value', 'key-value', 'p%40ssword', 'redis-pass']) expect(shown).not.toContain(secret);
    expect(redactConfig(config).postgres.shards).toEqual(['postgres://bot:[hidden]@db.example:5432/one']);
    expect(redactConfig(config).bot.env).toEqual({ API_KEY: '[hidden]', PORT: '80' });
  });

  it('hides secrets in queries, and what came from a file under any name', async () => {
    writeFileSync(join(dir, 'some.secret'), 'from-a-secret-file');
    const yaml = [
      'bot: { entry: ./bot.js, token: token-value, env: { HARMLESS: "${SOME}" } }',
      'postgres: { shards: ["postgres://db.example/one?user=bot&password=query-pass"] }',
    ].join('\n');
    const { config, secrets } = await load(yaml, { env: { SOME_FILE: './some.secret' } });
    expect(secrets).toEqual(expect.arrayContaining(['from-a-secret-file', 'query-pass']));
    const shown = JSON.stringify(redactConfig(config, secrets));
    expect(shown).not.toMatch(/from-a-secret-file|query-pass/);
    expect(shown).toContain('postgres://db.example/one?user=bot&password=[hidden]');
  });

  it('needs no token when a variable switches the sandbox on', async () => {
    const yaml = 'bot: { token: "${DISCORD_TOKEN}" }\nsandbox: { enabled: "${ON}" }\n';
    expect((await load(yaml, { env: { ON: 'true' } })).config.bot.token).toBe('sandbox-token');
    expect((await problemsOf(load(yaml, { env: { ON: 'false' } }))).join()).toContain('DISCORD_TOKEN is not set');
  });

  it('hides a secret in a query also when its name is written in another way', async () => {
    const { config, secrets } = await load(`${BOT}redis: { url: "redis://cache.example/?p%61ssword=query-pass" }\n`);
    expect(secrets).toContain('query-pass');
    expect(JSON.stringify(redactConfig(config, secrets))).not.toContain('query-pass');
  });

  it('has whole milliseconds and bytes', async () => {
    const yaml = `${BOT}sharding: { hangTimeout: 1500.5, stopTimeout: 1.0005s }\nlogging: { maxBytes: 1048576.7 }\n`;
    const { config } = await load(yaml);
    expect(config.sharding).toMatchObject({ hangTimeout: 1_501, stopTimeout: 1_001 });
    expect(config.logging.maxBytes).toBe(1_048_577);
  });
});
