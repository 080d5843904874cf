/** Configs that cannot be used, each with all that is said about it. Files beside them: bot.js, notes.txt, folder/. */
export interface BrokenConfig {
  name: string;
  yaml: string;
  env?: Record<string, string>;
  /** The folder has no bot.js. */
  withoutBot?: true;
  expected: string[];
}

/** The least that works. */
const BOT = 'bot: { entry: ./bot.js, token: abcdefgh }\n';

export const BROKEN: BrokenConfig[] = [
  {
    name: 'an empty file',
    yaml: '',
    expected: ['botctl.yaml:1:1: the file is empty. Write at least bot.entry; `botctl init` makes a config for you'],
  },
  {
    name: 'only comments',
    yaml: '# nothing\n',
    expected: ['botctl.yaml:1:1: the file is empty. Write at least bot.entry; `botctl init` makes a config for you'],
  },
  {
    name: 'a list instead of a mapping',
    yaml: '- bot\n',
    expected: [
      'botctl.yaml:1:1: expected keys and values, such as `bot:`. See `botctl config schema` and REFERENCE.md',
    ],
  },
  {
    name: 'a word instead of a mapping',
    yaml: 'bot\n',
    expected: [
      'botctl.yaml:1:1: expected keys and values, such as `bot:`. See `botctl config schema` and REFERENCE.md',
    ],
  },
  {
    name: 'two documents',
    yaml: 'bot: { entry: ./bot.js, token: abcdefgh }\n---\nbot: { entry: ./bot.js, token: abcdefgh }\n',
    expected: ['botctl.yaml:2:1: a second document begins here; one file holds one config. Remove what follows `---`'],
  },
  {
    name: 'a duplicate key',
    yaml: BOT + 'http: { port: 1 }\nhttp: { port: 2 }\n',
    expected: ['botctl.yaml:3:1: not valid YAML: Map keys must be unique. Keep one of the two'],
  },
  {
    name: 'a tab as indentation',
    yaml: 'bot:\n\tentry: ./bot.js\n',
    expected: ['botctl.yaml:2:1: not valid YAML: Tabs are not allowed as indentation. Indent with spaces'],
  },
  {
    name: 'a missing bracket',
    yaml: 'bot: { entry: ./bot.js\n',
    expected: [
      'botctl.yaml:2:1: not valid YAML: Flow map in block collection must be sufficiently indented and end with a }',
    ],
  },
  {
    name: 'a missing quote',
    yaml: 'bot:\n  name: "x\n  entry: ./bot.js\n',
    expected: ['botctl.yaml:4:1: not valid YAML: Missing closing "quote'],
  },
  {
    name: 'an unknown key at the top',
    yaml: BOT + 'shardng: {}\n',
    expected: ['botctl.yaml:2:1: shardng: unknown key. Did you mean sharding?'],
  },
  {
    name: 'an unknown key in a section',
    yaml: BOT + 'sharding:\n  totalShard: 4\n',
    expected: ['botctl.yaml:3:3: sharding.totalShard: unknown key. Did you mean sharding.totalShards?'],
  },
  {
    name: 'an unknown key deeper',
    yaml: BOT + 'sharding:\n  restart:\n    maxRestart: 3\n',
    expected: ['botctl.yaml:4:5: sharding.restart.maxRestart: unknown key. Did you mean sharding.restart.maxRestarts?'],
  },
  {
    name: 'a key in the wrong section',
    yaml: BOT + 'bot2: 1\nhttp:\n  shardsPerCluster: 4\n',
    expected: [
      'botctl.yaml:2:1: bot2: unknown key. Did you mean bot?',
      'botctl.yaml:4:3: http.shardsPerCluster: unknown key. Did you mean sharding.shardsPerCluster?',
    ],
  },
  {
    name: 'an unknown key that resembles none',
    yaml: BOT + 'http:\n  xyzzy: 4\n',
    expected: ['botctl.yaml:3:3: http.xyzzy: unknown key. Known keys here: enabled, host, port, token'],
  },
  {
    name: 'two mistakes, in order',
    yaml: BOT + 'http:\n  port: no\nlogging:\n  level: loud\n',
    expected: [
      'botctl.yaml:3:3: http.port: expected a whole number from 0 to 65535, got "no"',
      'botctl.yaml:5:3: logging.level: expected one of: trace, debug, info, warn, error, fatal, silent, got "loud"',
    ],
  },
  {
    name: 'an entry that does not exist',
    yaml: 'bot: { entry: ./nope.js, token: abcdefgh }\n',
    expected: ['botctl.yaml:1:8: bot.entry: there is no file nope.js. Paths are relative to the config file'],
  },
  {
    name: 'an entry that is a folder',
    yaml: 'bot: { entry: ./folder, token: abcdefgh }\n',
    expected: ['botctl.yaml:1:8: bot.entry: folder is a folder. Name the file that calls client.login()'],
  },
  {
    name: 'an entry that is no program',
    yaml: 'bot: { entry: ./notes.txt, token: abcdefgh }\n',
    expected: [
      'botctl.yaml:1:8: bot.entry: notes.txt is neither JavaScript nor TypeScript. Expected .js, .mjs, .cjs, .ts, .mts or .cts',
    ],
  },
  {
    name: 'no entry, and none to be found',
    yaml: 'bot: { token: abcdefgh, cwd: . }\n',
    withoutBot: true,
    expected: [
      'botctl.yaml:1:1: bot.entry: is missing, and no bot.js, index.js or the like is here. Set bot.entry to the file that calls client.login()',
    ],
  },
  {
    name: 'an entry that is no text',
    yaml: 'bot: { entry: [a], token: abcdefgh }\n',
    expected: ['botctl.yaml:1:8: bot.entry: expected the path of a file, got a list'],
  },
  {
    name: 'a cwd that does not exist',
    yaml: 'bot: { entry: ./bot.js, token: abcdefgh, cwd: ./nowhere }\n',
    expected: ['botctl.yaml:1:42: bot.cwd: there is no folder nowhere. Paths are relative to the config file'],
  },
  {
    name: 'no token',
    yaml: 'bot: { entry: ./bot.js }\n',
    expected: [
      'botctl.yaml:1:1: bot.token: the environment variable DISCORD_TOKEN is not set. Set DISCORD_TOKEN, or DISCORD_TOKEN_FILE to the path of a file that holds it, or write ${DISCORD_TOKEN:-default}',
    ],
  },
  {
    name: 'a token variable that is not set',
    yaml: 'bot:\n  entry: ./bot.js\n  token: ${MY_TOKEN}\n',
    expected: [
      'botctl.yaml:3:3: bot.token: the environment variable MY_TOKEN is not set. Set MY_TOKEN, or MY_TOKEN_FILE to the path of a file that holds it, or write ${MY_TOKEN:-default}',
    ],
  },
  {
    name: 'a token file that cannot be read',
    yaml: 'bot:\n  entry: ./bot.js\n  token: ${MY_TOKEN}\n',
    env: { MY_TOKEN_FILE: './no-secret' },
    expected: [
      'botctl.yaml:3:3: bot.token: the file in MY_TOKEN_FILE cannot be read: no-secret (ENOENT). Check the path and who may read it',
    ],
  },
  {
    name: 'an empty token',
    yaml: 'bot: { entry: ./bot.js, token: "" }\n',
    expected: ['botctl.yaml:1:25: bot.token: expected a bot token, got an empty text'],
  },
  {
    name: 'an empty token from the environment',
    yaml: 'bot: { entry: ./bot.js }\n',
    env: { DISCORD_TOKEN: '' },
    expected: ['botctl.yaml:1:1: bot.token: is empty. Copy the token from the Discord developer portal'],
  },
  {
    name: 'a token with "Bot " before it',
    yaml: 'bot: { entry: ./bot.js, token: "Bot abcdefgh" }\n',
    expected: ['botctl.yaml:1:25: bot.token: begins with "Bot ". Give the token alone'],
  },
  {
    name: 'a token with a line break',
    yaml: 'bot: { entry: ./bot.js }\n',
    env: { DISCORD_TOKEN: 'abc\ndef' },
    expected: ['botctl.yaml:1:1: bot.token: has a space or line break in it. Give the token alone'],
  },
  {
    name: 'a token that is a list',
    yaml: 'bot: { entry: ./bot.js, token: [secret-one] }\n',
    expected: ['botctl.yaml:1:25: bot.token: expected a bot token, got a list'],
  },
  {
    name: 'args that are no list',
    yaml: 'bot: { entry: ./bot.js, token: abcdefgh, args: --flag }\n',
    expected: ['botctl.yaml:1:42: bot.args: expected a list of arguments, got "--flag"'],
  },
  {
    name: 'env values that are no text',
    yaml: 'bot:\n  entry: ./bot.js\n  token: abcdefgh\n  env: { A: [1] }\n',
    expected: ['botctl.yaml:4:10: bot.env.A: expected text, a number, true or false, got a list'],
  },
  {
    name: 'env that is a list',
    yaml: 'bot:\n  entry: ./bot.js\n  token: abcdefgh\n  env: [A=1]\n',
    expected: ['botctl.yaml:4:3: bot.env: expected names and values, got a list'],
  },
  {
    name: 'a section that is a word',
    yaml: BOT + 'sharding: auto\n',
    expected: ['botctl.yaml:2:1: sharding: expected a mapping, got "auto"'],
  },
  {
    name: 'a section that is a list',
    yaml: BOT + 'http: [1]\n',
    expected: ['botctl.yaml:2:1: http: expected a mapping, got a list'],
  },
  {
    name: 'totalShards of zero',
    yaml: BOT + 'sharding: { totalShards: 0 }\n',
    expected: ['botctl.yaml:2:13: sharding.totalShards: expected auto, or a whole number from 1 to 100000, got 0'],
  },
  {
    name: 'totalShards as text',
    yaml: BOT + 'sharding: { totalShards: many }\n',
    expected: ['botctl.yaml:2:13: sharding.totalShards: expected auto, or a whole number from 1 to 100000, got "many"'],
  },
  {
    name: 'totalShards with a fraction',
    yaml: BOT + 'sharding: { totalShards: 2.5 }\n',
    expected: ['botctl.yaml:2:13: sharding.totalShards: expected auto, or a whole number from 1 to 100000, got 2.5'],
  },
  {
    name: 'shardsPerCluster of zero',
    yaml: BOT + 'sharding: { shardsPerCluster: 0 }\n',
    expected: ['botctl.yaml:2:13: sharding.shardsPerCluster: expected a whole number from 1 to 1000, got 0'],
  },
  {
    name: 'shardsPerCluster as text',
    yaml: BOT + 'sharding: { shardsPerCluster: "8" }\n',
    expected: ['botctl.yaml:2:13: sharding.shardsPerCluster: expected a whole number from 1 to 1000, got "8"'],
  },
  {
    name: 'a shard beyond the last',
    yaml: BOT + 'sharding:\n  totalShards: 4\n  shards: [0, 9]\n',
    expected: [
      'botctl.yaml:4:15: sharding.shards[1]: there is no shard 9: totalShards is 4. Shards are counted from 0',
    ],
  },
  {
    name: 'a range that runs backwards',
    yaml: BOT + 'sharding:\n  totalShards: 16\n  shards: ["7-0"]\n',
    expected: ['botctl.yaml:4:12: sharding.shards[0]: the range 7-0 runs backwards. Write the smaller number first'],
  },
  {
    name: 'a shard that is no number',
    yaml: BOT + 'sharding:\n  shards: [first]\n',
    expected: ['botctl.yaml:3:12: sharding.shards[0]: expected a shard number or a range such as 0-7, got "first"'],
  },
  {
    name: 'no shards at all',
    yaml: BOT + 'sharding: { shards: [] }\n',
    expected: ['botctl.yaml:2:13: sharding.shards: expected at least one shard, got an empty list'],
  },
  {
    name: 'a duration without a unit',
    yaml: BOT + 'sharding: { hangTimeout: "30" }\n',
    expected: [
      'botctl.yaml:2:13: sharding.hangTimeout: expected a duration from 1s to 1h, such as 500ms, 30s or 5m, got "30"',
    ],
  },
  {
    name: 'a duration in words',
    yaml: BOT + 'sharding: { hangTimeout: half a minute }\n',
    expected: [
      'botctl.yaml:2:13: sharding.hangTimeout: expected a duration from 1s to 1h, such as 500ms, 30s or 5m, got "half a minute"',
    ],
  },
  {
    name: 'a duration that is too short',
    yaml: BOT + 'sharding: { hangTimeout: 10ms }\n',
    expected: [
      'botctl.yaml:2:13: sharding.hangTimeout: expected a duration from 1s to 1h, such as 500ms, 30s or 5m, got "10ms"',
    ],
  },
  {
    name: 'a duration that is too long',
    yaml: BOT + 'sharding: { graceTime: 2d }\n',
    expected: [
      'botctl.yaml:2:13: sharding.graceTime: expected a duration from 0s to 1h, such as 500ms, 30s or 5m, got "2d"',
    ],
  },
  {
    name: 'a negative duration',
    yaml: BOT + 'sharding: { stopTimeout: -5s }\n',
    expected: [
      'botctl.yaml:2:13: sharding.stopTimeout: expected a duration from 1s to 1h, such as 500ms, 30s or 5m, got "-5s"',
    ],
  },
  {
    name: 'backoffs in the wrong order',
    yaml: BOT + 'sharding:\n  restart: { backoffMin: 10m, backoffMax: 1m }\n',
    expected: [
      'botctl.yaml:3:14: sharding.restart.backoffMin: is longer than sharding.restart.backoffMax. Make it at most sharding.restart.backoffMax',
    ],
  },
  {
    name: 'gateway backoffs in the wrong order',
    yaml: BOT + 'gateway: { backoffMin: 5m, backoffMax: 1m }\n',
    expected: [
      'botctl.yaml:2:12: gateway.backoffMin: is longer than gateway.backoffMax. Make it at most gateway.backoffMax',
    ],
  },
  {
    name: 'jitter beyond one',
    yaml: BOT + 'sharding: { restart: { jitter: 20 } }\n',
    expected: ['botctl.yaml:2:24: sharding.restart.jitter: expected a number from 0 to 1, got 20'],
  },
  {
    name: 'a reserve of all',
    yaml: BOT + 'identify: { reserve: 1 }\n',
    expected: ['botctl.yaml:2:13: identify.reserve: expected a number from 0 to 0.9, got 1'],
  },
  {
    name: 'an identify interval of zero',
    yaml: BOT + 'identify: { interval: 0s }\n',
    expected: [
      'botctl.yaml:2:13: identify.interval: expected a duration from 10ms to 1m, such as 500ms, 30s or 5m, got "0s"',
    ],
  },
  {
    name: 'an api without a scheme',
    yaml: BOT + 'discord: { api: discord.com/api }\n',
    expected: ['botctl.yaml:2:12: discord.api: expected a URL such as https://discord.com/api, got "discord.com/api"'],
  },
  {
    name: 'an api with another scheme',
    yaml: BOT + 'discord: { api: ws://discord.com }\n',
    expected: ['botctl.yaml:2:12: discord.api: expected a URL such as https://discord.com/api, got "ws://discord.com"'],
  },
  {
    name: 'an override that is no URL',
    yaml: BOT,
    env: { BOTCTL_DISCORD_API: 'localhost' },
    expected: [
      'botctl.yaml:1:1: discord.api: BOTCTL_DISCORD_API is not an http(s) URL. Set it to an address such as https://discord.com/api',
    ],
  },
  {
    name: 'Postgres as one address',
    yaml: BOT + 'postgres: { shards: "postgres://u:secret-two@h/d" }\n',
    expected: ['botctl.yaml:2:13: postgres.shards: expected a list of postgres:// URLs, got another value (not shown)'],
  },
  {
    name: 'Postgres with another scheme',
    yaml: BOT + 'postgres:\n  shards: ["mysql://u:secret-three@h/d"]\n',
    expected: [
      'botctl.yaml:3:12: postgres.shards[0]: expected a URL such as postgres://user:password@host:5432/database, got another value (not shown)',
    ],
  },
  {
    name: 'no Postgres addresses',
    yaml: BOT + 'postgres: { shards: [] }\n',
    expected: ['botctl.yaml:2:13: postgres.shards: expected at least one postgres:// URL, got an empty list'],
  },
  {
    name: 'embedded databases beyond the limit',
    yaml: BOT + 'postgres: { embedded: { shards: 1000 } }\n',
    expected: ['botctl.yaml:2:25: postgres.embedded.shards: expected a whole number from 1 to 64, got 1000'],
  },
  {
    name: 'a Redis address without a scheme',
    yaml: BOT + 'redis: { url: "localhost:6379" }\n',
    expected: [
      'botctl.yaml:2:10: redis.url: expected a URL such as redis://:password@host:6379/0, got another value (not shown)',
    ],
  },
  {
    name: 'a Redis port beyond the last',
    yaml: BOT + 'redis: { embedded: { port: 70000 } }\n',
    expected: ['botctl.yaml:2:22: redis.embedded.port: expected a whole number from 0 to 65535, got 70000'],
  },
  {
    name: 'two ways to Redis',
    yaml: BOT + 'redis:\n  url: redis://h:6379\n  cluster: ["a:1"]\n',
    expected: [
      'botctl.yaml:4:3: redis.cluster: stands beside redis.url. Name one way to Redis: url, sentinel or cluster',
    ],
  },
  {
    name: 'a sentinel without a port',
    yaml: BOT + 'redis: { sentinel: { name: main, hosts: ["h"] } }\n',
    expected: ['botctl.yaml:2:42: redis.sentinel.hosts[0]: expected host:port, got "h"'],
  },
  {
    name: 'a sentinel without a name',
    yaml: BOT + 'redis: { sentinel: { hosts: ["h:1"] } }\n',
    expected: ['botctl.yaml:2:10: redis.sentinel.name: expected the name of a master, got nothing'],
  },
  {
    name: 'a cluster of no nodes',
    yaml: BOT + 'redis: { cluster: [] }\n',
    expected: ['botctl.yaml:2:10: redis.cluster: expected at least one of the nodes, got an empty list'],
  },
  {
    name: 'a Redis password that is a list',
    yaml: BOT + 'redis: { cluster: ["h:1"], password: [secret-four] }\n',
    expected: ['botctl.yaml:2:28: redis.password: expected a password, got a list'],
  },
  {
    name: 'a certificate without its key',
    yaml: BOT + 'postgres: { tls: { cert: ./notes.txt } }\n',
    expected: [
      'botctl.yaml:2:13: postgres.tls.key: is missing. A certificate needs its key, and a key its certificate',
    ],
  },
  {
    name: 'a certificate authority that is not there',
    yaml: BOT + 'redis: { url: "redis://h:1", tls: { ca: ./no-ca.pem } }\n',
    expected: ['botctl.yaml:2:37: redis.tls.ca: there is no file no-ca.pem. Paths are relative to the config file'],
  },
  {
    name: 'a folder of migrations that is not there',
    yaml: BOT + 'postgres: { migrations: ./nowhere }\n',
    expected: [
      'botctl.yaml:2:13: postgres.migrations: there is no folder nowhere. Paths are relative to the config file',
    ],
  },
  {
    name: 'a folder of migrations that is a file',
    yaml: BOT + 'postgres: { migrations: ./notes.txt }\n',
    expected: [
      'botctl.yaml:2:13: postgres.migrations: there is no folder notes.txt. Paths are relative to the config file',
    ],
  },
  {
    name: 'tables that are a list',
    yaml: BOT + 'postgres: { tables: [member] }\n',
    expected: ['botctl.yaml:2:13: postgres.tables: expected names of tables with their guild-id column, got a list'],
  },
  {
    name: 'a table without its column',
    yaml: BOT + 'postgres: { tables: { member: } }\n',
    expected: ['botctl.yaml:2:23: postgres.tables.member: expected the name of a column, got nothing'],
  },
  {
    name: 'fewer connections at most than at least',
    yaml: BOT + 'postgres: { pool: { min: 20, max: 10 } }\n',
    expected: ['botctl.yaml:2:21: postgres.pool.min: is more than postgres.pool.max. Make it at most that'],
  },
  {
    name: 'no connections',
    yaml: BOT + 'postgres: { pool: { max: 0 } }\n',
    expected: ['botctl.yaml:2:21: postgres.pool.max: expected a whole number from 1 to 100000, got 0'],
  },
  {
    name: 'an acquire time-out in words',
    yaml: BOT + 'postgres: { pool: { acquireTimeout: soon } }\n',
    expected: [
      'botctl.yaml:2:21: postgres.pool.acquireTimeout: expected a duration from 10ms to 10m, such as 500ms, 30s or 5m, got "soon"',
    ],
  },
  {
    name: 'a queue of no length',
    yaml: BOT + 'postgres: { defer: { maxEntries: 0 } }\n',
    expected: ['botctl.yaml:2:22: postgres.defer.maxEntries: expected a whole number from 1 to 100000000, got 0'],
  },
  {
    name: 'a cache without a unit',
    yaml: BOT + 'cache: { maxBytes: lots }\n',
    expected: ['botctl.yaml:2:10: cache.maxBytes: expected a size from 1MB to 1TB, such as 64MB or 1GB, got "lots"'],
  },
  {
    name: 'a port as text',
    yaml: BOT + 'http:\n  port: http\n',
    expected: ['botctl.yaml:3:3: http.port: expected a whole number from 0 to 65535, got "http"'],
  },
  {
    name: 'a negative port',
    yaml: BOT + 'http:\n  port: -1\n',
    expected: ['botctl.yaml:3:3: http.port: expected a whole number from 0 to 65535, got -1'],
  },
  {
    name: 'a port variable that is not set',
    yaml: BOT + 'http:\n  port: ${PORT}\n',
    expected: [
      'botctl.yaml:3:3: http.port: the environment variable PORT is not set. Set PORT, or PORT_FILE to the path of a file that holds it, or write ${PORT:-default}',
    ],
  },
  {
    name: 'a port from the environment that is no number',
    yaml: BOT + 'http:\n  port: ${PORT}\n',
    env: { PORT: 'secret-four' },
    expected: [
      'botctl.yaml:3:3: http.port: expected a whole number from 0 to 65535, got another value from the environment (not shown)',
    ],
  },
  {
    name: 'an empty host',
    yaml: BOT + 'http: { host: "" }\n',
    expected: ['botctl.yaml:2:9: http.host: expected an address of this machine, got an empty text'],
  },
  {
    name: 'a switch that is no switch',
    yaml: BOT + 'http: { enabled: "yes" }\n',
    expected: ['botctl.yaml:2:9: http.enabled: expected true or false, got "yes"'],
  },
  {
    name: 'a level that is none',
    yaml: BOT + 'logging: { level: verbose }\n',
    expected: [
      'botctl.yaml:2:12: logging.level: expected one of: trace, debug, info, warn, error, fatal, silent, got "verbose"',
    ],
  },
  {
    name: 'a format that is none',
    yaml: BOT + 'logging: { format: xml }\n',
    expected: ['botctl.yaml:2:12: logging.format: expected one of: auto, json, pretty, got "xml"'],
  },
  {
    name: 'a size without a unit',
    yaml: BOT + 'logging: { maxBytes: "64" }\n',
    expected: ['botctl.yaml:2:12: logging.maxBytes: expected a size from 1MB to 1TB, such as 64MB or 1GB, got "64"'],
  },
  {
    name: 'a size that is too small',
    yaml: BOT + 'logging: { maxBytes: 1KB }\n',
    expected: ['botctl.yaml:2:12: logging.maxBytes: expected a size from 1MB to 1TB, such as 64MB or 1GB, got "1KB"'],
  },
  {
    name: 'a state folder that is a number',
    yaml: BOT + 'stateDir: 5\n',
    expected: ['botctl.yaml:2:1: stateDir: expected the path of a folder, got 5'],
  },
  {
    name: 'a key without a value',
    yaml: BOT + 'stateDir:\n',
    expected: ['botctl.yaml:2:1: stateDir: expected the path of a folder, got nothing'],
  },
  {
    name: 'an open variable',
    yaml: BOT + 'stateDir: ${HOME\n',
    env: { HOME: '/x' },
    expected: ['botctl.yaml:2:1: stateDir: `${` without a closing `}`. Write $${ for a literal ${'],
  },
  {
    name: 'a variable without a name',
    yaml: BOT + 'stateDir: ${}\n',
    expected: ['botctl.yaml:2:1: stateDir: `${}` is not the name of a variable. Write ${NAME} or ${NAME:-default}'],
  },
  {
    name: 'a variable with a strange name',
    yaml: BOT + 'stateDir: ${MY-DIR}\n',
    expected: [
      'botctl.yaml:2:1: stateDir: `${MY-DIR}` is not the name of a variable. Write ${NAME} or ${NAME:-default}',
    ],
  },
  {
    name: 'a sandbox rate below zero',
    yaml: BOT + 'sandbox: { rate: -1 }\n',
    expected: ['botctl.yaml:2:12: sandbox.rate: expected a number from 0 to 100000, got -1'],
  },
  {
    name: 'a health check that looks at nothing',
    yaml: BOT + 'health:\n  checks:\n    - name: mine\n',
    expected: ['botctl.yaml:4:7: health.checks[0]: says nothing to look at. Add http, tcp or command'],
  },
  {
    name: 'a health check that looks at two things',
    yaml: BOT + 'health:\n  checks:\n    - name: mine\n      tcp: a:1\n      command: x\n',
    expected: ['botctl.yaml:6:7: health.checks[0].command: stands beside tcp. Make a check of its own for each'],
  },
  {
    name: 'health checks with names that are taken',
    yaml:
      BOT +
      'health:\n  checks:\n    - { name: Memory, tcp: "a:1" }\n    - { name: b, tcp: "a:1" }\n    - { name: b, tcp: "a:1" }\n',
    expected: [
      "botctl.yaml:4:9: health.checks[0].name: is that of one of botctl's own checks. Choose another",
      'botctl.yaml:6:9: health.checks[2].name: is taken by a check above. Choose another',
    ],
  },
  {
    name: 'a health check without a port, one without a name, one with a key that is unknown',
    yaml:
      BOT + 'health:\n  checks:\n    - { name: a, tcp: host }\n    - { tcp: "a:1" }\n    - { name: c, tpc: "a:1" }\n',
    expected: [
      'botctl.yaml:4:18: health.checks[0].tcp: expected host:port, got "host"',
      'botctl.yaml:5:7: health.checks[1].name: expected a name of letters, digits and dashes, got nothing',
      'botctl.yaml:6:18: health.checks[2].tpc: unknown key. Did you mean health.checks[2].tcp?',
    ],
  },
  {
    name: 'a health check of an address with a password',
    yaml: BOT + 'health:\n  checks:\n    - { name: a, http: "ftp://user:secret-one@host/" }\n',
    expected: [
      'botctl.yaml:4:18: health.checks[0].http: expected a URL such as https://service.example/health, got another value (not shown)',
    ],
  },
  {
    name: 'a health check that may take longer than a round',
    yaml: BOT + 'health:\n  interval: 5s\n  memory: { timeout: 6s }\n',
    expected: ['botctl.yaml:4:13: health.memory.timeout: is longer than health.interval. Make it at most that'],
  },
];
