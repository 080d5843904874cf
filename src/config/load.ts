import { statSync, type Stats } from 'node:fs';
import { resolve, sep } from 'node:path';
import type { z } from 'zod';
import { AliasError, parseDocument, type ConfigDocument, type Path } from './document';
import { detectEntry, entryProblem, projectRoot } from './entry';
import { findConfig, type FoundConfig } from './find';
import { healthProblems } from './health-rules';
import { incidentProblems } from './incidents-rules';
import { interpolate, InterpolationError, type Interpolated } from './interpolate';
import { kindOf, nearestKey, schemaAt, shapeOf } from './nearest';
import { ConfigError, type Problem } from './problem';
import { MAX_SHARDS, schema, type Config, type Parsed } from './schema';
import { secretsOf } from './secrets';

export interface LoadOptions {
  /** Where the search begins, and what `file` is relative to. */
  cwd: string;
  file?: string | undefined;
  env: NodeJS.ProcessEnv;
  /** Against the sandbox any token will do. */
  sandbox?: boolean;
}

export interface LoadedConfig {
  config: Config;
  file: string;
  dir: string;
  /** Values that must not be printed. */
  secrets: string[];
  stateDir: string;
}

/** The token that the sandbox is given when there is none. */
const SANDBOX_TOKEN = 'sandbox-token';
const TOKEN_PATH: Path = ['bot', 'token'];
/** Their values are never shown, wherever they come from. */
const SECRET_PATHS = [
  /^bot\.token$/,
  /^bot\.env\./,
  /^(postgres|maintenance)\.shards/,
  /^backup\.(key|s3\.secretAccessKey)$/,
  /^redis\.(url|password|sentinel\.password)$/,
  /^http\.token$/,
  /^health\.checks\.\d+\.(http|command)/,
  /^incidents\.notify\.\d+\.(discord|slack|pagerduty|webhook|command|secret)/,
];
const MAX_SHOWN = 60;

/**
 * Finds, reads and checks the config.
 * @throws ConfigError with everything that is wrong with it
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const found = await findConfig(options);
  const document = parseDocument(found.file, found.text, found.root);
  if (Array.isArray(document)) throw new ConfigError(document);
  return new Loading(found, document, options).run();
}

/** One load: collects all problems instead of ending at the first. */
class Loading {
  readonly #problems: Problem[] = [];
  readonly #tainted = new Set<string>();
  readonly #fromFiles: string[] = [];

  constructor(
    private readonly found: FoundConfig,
    private readonly document: ConfigDocument,
    private readonly options: LoadOptions,
  ) {}

  run(): LoadedConfig {
    const raw = this.#values();
    const parsed = schema.safeParse(raw);
    if (!parsed.success) for (const issue of parsed.error.issues) this.#addIssue(issue, raw);
    this.#checkLost(raw);
    const config = parsed.success ? this.#finish(parsed.data) : null;
    if (config === null || this.#problems.length > 0) throw new ConfigError(this.#problems);
    const { file, dir } = this.found;
    return { config, file, dir, secrets: secretsOf(config, this.#fromFiles), stateDir: config.stateDir };
  }

  get #isSandbox(): boolean {
    if (this.options.sandbox === true) return true;
    const enabled = this.document.valueAt(['sandbox', 'enabled']);
    if (typeof enabled !== 'string') return enabled === true;
    try {
      const { text, whole } = interpolate(enabled, this.options.env, this.found.dir);
      return whole && text === 'true';
    } catch {
      return false; // reported where the value itself is read
    }
  }

  #values(): unknown {
    try {
      return withoutEmptySections(this.document.toValue((text, path) => this.#replace(text, path)));
    } catch (error) {
      if (!(error instanceof AliasError)) throw error;
      this.#add(error.path, error.message, error.hint);
      throw new ConfigError(this.#problems);
    }
  }

  #replace(text: string, path: Path): unknown {
    const result = this.#interpolate(text, path);
    return result === null ? undefined : result.whole ? typed(result.text, path) : result.text;
  }

  /** null: it cannot be resolved, which is a problem already noted. */
  #interpolate(text: string, path: Path): Interpolated | null {
    try {
      const result = interpolate(text, this.options.env, this.found.dir);
      if (result.fromEnvironment) this.#tainted.add(path.join('.'));
      this.#fromFiles.push(...result.fromFiles);
      return result;
    } catch (error) {
      if (!(error instanceof InterpolationError)) throw error;
      const forgiven = this.#isSandbox && path.join('.') === TOKEN_PATH.join('.') && error.unset !== null;
      if (!forgiven) this.#add(path, error.message, error.hint);
      return null;
    }
  }

  #finish(parsed: z.output<typeof schema>): Config {
    const { dir } = this.found;
    const { bot, sharding, discord, postgres, redis, deploy, stateDir, ...rest } = parsed;
    const { shards, ...shardingRest } = sharding;
    const cwd = resolve(dir, bot.cwd ?? '.');
    if (!isFolder(cwd)) {
      const shown = this.#shown(['bot', 'cwd'], cwd);
      this.#add(['bot', 'cwd'], `there is no folder ${shown}`, 'Paths are relative to the config file');
    }
    const sandbox = this.#isSandbox || rest.sandbox.enabled;
    const entry = this.#entry(bot.entry);
    const config: Config = {
      ...rest,
      bot: {
        ...bot,
        cwd,
        entry,
        token: this.#token(bot.token, sandbox),
        env: Object.fromEntries(Object.entries(bot.env).map(([name, value]) => [name, String(value)])),
      },
      discord: { api: this.#api(discord.api) },
      sharding: {
        ...shardingRest,
        ...(shards !== undefined && { shards: this.#shards(shards, sharding.totalShards) }),
      },
      postgres: this.#postgres(postgres),
      redis: this.#redis(redis),
      deploy: { ...deploy, root: this.#root(deploy.root, entry) },
      stateDir: resolve(dir, stateDir),
      backup: { ...rest.backup, ...(rest.backup.dir !== undefined && { dir: resolve(dir, rest.backup.dir) }) },
    };
    this.#checkKeeping(config);
    this.#checkOrder(config);
    const found = [...healthProblems(config.health), ...incidentProblems(config.incidents)];
    for (const { path, message, hint } of found) this.#add(path, message, hint);
    this.#checkEnvironment(config.bot.env);
    if (isFile(config.stateDir)) this.#add(['stateDir'], 'is a file, not a folder', 'Name a folder of this user');
    return config;
  }

  #entry(entry: string | undefined): string {
    const path: Path = ['bot', 'entry'];
    const chosen = entry ?? detectEntry(this.found.dir);
    if (chosen === null) {
      this.#add(
        path,
        'is missing, and no bot.js, index.js or the like is here',
        'Set bot.entry to the file that calls client.login()',
      );
      return '';
    }
    const file = resolve(this.found.dir, chosen);
    const problem = entryProblem(file, this.#shown(path, file));
    if (problem !== null) this.#add(path, problem.message, problem.hint);
    return file;
  }

  #root(root: string | undefined, entry: string): string {
    const { dir } = this.found;
    if (root === undefined) return projectRoot(entry, dir);
    const path: Path = ['deploy', 'root'];
    const folder = resolve(dir, root);
    const shown = this.#shown(path, folder);
    if (!isFolder(folder)) this.#add(path, `there is no folder ${shown}`, 'Paths are relative to the config file');
    else if (!entry.startsWith(folder + sep)) {
      this.#add(path, `${shown} does not hold bot.entry`, 'Name a folder above the entry');
    }
    return folder;
  }

  #token(token: string | undefined, sandbox: boolean): string {
    const value = token ?? (this.document.has(TOKEN_PATH) ? undefined : this.#defaultToken(sandbox));
    if (value === undefined) {
      if (sandbox) return SANDBOX_TOKEN;
      return '';
    }
    if (/^(Bot|Bearer)\s/i.test(value)) this.#add(TOKEN_PATH, 'begins with "Bot "', 'Give the token alone');
    else if (/\s/.test(value)) this.#add(TOKEN_PATH, 'has a space or line break in it', 'Give the token alone');
    else if (value === '') this.#add(TOKEN_PATH, 'is empty', 'Copy the token from the Discord developer portal');
    return value;
  }

  #defaultToken(sandbox: boolean): string | undefined {
    if (
      sandbox &&
      this.options.env['DISCORD_TOKEN'] === undefined &&
      this.options.env['DISCORD_TOKEN_FILE'] === undefined
    ) {
      return undefined;
    }
    return this.#interpolate('${DISCORD_TOKEN}', TOKEN_PATH)?.text;
  }

  #api(api: string): string {
    const override = this.options.env['BOTCTL_DISCORD_API'];
    const chosen = override === undefined || override === '' ? api : override;
    if (!URL.canParse(chosen) || !/^https?:$/.test(new URL(chosen).protocol)) {
      this.#add(
        ['discord', 'api'],
        'BOTCTL_DISCORD_API is not an http(s) URL',
        'Set it to an address such as https://discord.com/api',
      );
    } else if (/:\/\/[^/]*@/.test(chosen)) {
      this.#add(['discord', 'api'], 'has user and password in it', 'Leave them out; Discord takes the bot token alone');
    }
    return chosen.replace(/\/+$/, '');
  }

  #postgres({ migrations, tls, ...postgres }: Parsed['postgres']): Config['postgres'] {
    const path: Path = ['postgres', 'migrations'];
    const folder = migrations === undefined ? undefined : resolve(this.found.dir, migrations);
    if (folder !== undefined && !isFolder(folder)) {
      this.#add(path, `there is no folder ${this.#shown(path, folder)}`, 'Paths are relative to the config file');
    }
    const { min, max } = postgres.pool;
    if (min > max) this.#add(['postgres', 'pool', 'min'], 'is more than postgres.pool.max', 'Make it at most that');
    return {
      ...postgres,
      ...(folder !== undefined && { migrations: folder }),
      ...(tls !== undefined && { tls: this.#tls(tls, ['postgres', 'tls']) }),
    };
  }

  #redis({ tls, ...redis }: Parsed['redis']): Config['redis'] {
    const ways = (['url', 'sentinel', 'cluster'] as const).filter((key) => redis[key] !== undefined);
    const [first, second] = ways;
    if (first !== undefined && second !== undefined) {
      this.#add(['redis', second], `stands beside redis.${first}`, 'Name one way to Redis: url, sentinel or cluster');
    }
    return { ...redis, ...(tls !== undefined && { tls: this.#tls(tls, ['redis', 'tls']) }) };
  }

  /** The files' paths become whole; they are read when they are used. */
  #tls<T extends { ca?: string | undefined; cert?: string | undefined; key?: string | undefined }>(
    tls: T,
    at: Path,
  ): T {
    const whole = { ...tls };
    for (const name of ['ca', 'cert', 'key'] as const) {
      const given = tls[name];
      if (given === undefined) continue;
      const path: Path = [...at, name];
      whole[name] = resolve(this.found.dir, given);
      if (!isFile(whole[name])) {
        const shown = this.#shown(path, whole[name]);
        this.#add(path, `there is no file ${shown}`, 'Paths are relative to the config file');
      }
    }
    if ((tls.cert === undefined) !== (tls.key === undefined)) {
      const missing = tls.cert === undefined ? 'cert' : 'key';
      this.#add([...at, missing], 'is missing', 'A certificate needs its key, and a key its certificate');
    }
    return whole;
  }

  #shards(list: readonly (number | string)[], total: number | 'auto'): number[] {
    const shards = new Set<number>();
    list.forEach((item, index) => {
      const [first = 0, last = first] = typeof item === 'number' ? [item] : item.split('-').map(Number);
      const path: Path = ['sharding', 'shards', index];
      if (last < first) {
        this.#add(
          path,
          `the range ${this.#shown(path, String(item))} runs backwards`,
          'Write the smaller number first',
        );
      }
      const limit = total === 'auto' ? MAX_SHARDS : total;
      const largest = Math.max(first, last);
      if (largest >= limit) {
        const why = total === 'auto' ? `the largest possible is ${limit - 1}` : `totalShards is ${total}`;
        this.#add(path, `there is no shard ${this.#shown(path, String(largest))}: ${why}`, 'Shards are counted from 0');
        return;
      }
      for (let id = first; id <= last; id++) shards.add(id);
    });
    return [...shards].sort((a, b) => a - b);
  }

  #checkOrder({ sharding: { restart }, gateway }: Config): void {
    const check = (low: number, high: number, path: Path, other: string): void => {
      if (low > high) this.#add(path, `is longer than ${other}`, `Make it at most ${other}`);
    };
    check(restart.backoffMin, restart.backoffMax, ['sharding', 'restart', 'backoffMin'], 'sharding.restart.backoffMax');
    check(gateway.backoffMin, gateway.backoffMax, ['gateway', 'backoffMin'], 'gateway.backoffMax');
  }

  #checkKeeping({ backup, maintenance, postgres }: Config): void {
    if (backup.s3 !== undefined && backup.dir !== undefined) {
      this.#add(['backup', 's3'], 'stands beside backup.dir', 'Name one place for backups: dir or s3');
    }
    const direct = maintenance.shards;
    if (direct !== undefined && direct.length !== postgres.shards?.length) {
      const hint = 'List the same databases in the same order as in postgres.shards';
      this.#add(
        ['maintenance', 'shards'],
        `lists ${direct.length} databases instead of ${postgres.shards?.length ?? 0}`,
        hint,
      );
    }
  }

  /** What the operating system would refuse. */
  #checkEnvironment(env: Record<string, string>): void {
    for (const [name, value] of Object.entries(env)) {
      if (!/^[^=\0]+$/.test(name)) this.#add(['bot', 'env', name], 'is no name for a variable', 'Leave out "="');
      if (value.includes('\0')) this.#add(['bot', 'env', name], 'has a NUL character in it', 'Remove it');
    }
  }

  /** Plain objects, ours and the bot's, drop this name in silence. */
  #checkLost(raw: unknown): void {
    const env = valueAt(raw, ['bot', 'env']);
    if (typeof env !== 'object' || env === null || !Object.hasOwn(env, '__proto__')) return;
    this.#add(['bot', 'env', '__proto__'], 'cannot be given to the bot', 'Use another name');
  }

  #addIssue(issue: z.core.$ZodIssue, raw: unknown): void {
    const path = issue.path as (string | number)[];
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const near = nearestKey(path, key);
        const known = Object.keys(shapeOf(schemaAt(path) ?? schema) ?? {});
        const hint = near === null ? `Known keys here: ${known.join(', ')}` : `Did you mean ${near}?`;
        this.#add([...path, key], 'unknown key', hint);
      }
      return;
    }
    const value = valueAt(raw, path);
    // Its variable is missing: that has been said.
    if (value === undefined && this.document.has(path)) return;
    this.#add(path, `${issue.message}, got ${this.#show(value, path)}`, null);
  }

  /** A value in a message, unless it came from the environment. */
  #shown(path: Path, text: string): string {
    return this.#tainted.has(path.join('.')) ? '(not shown: from the environment)' : text;
  }

  #show(value: unknown, path: Path): string {
    if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
    if (value === '') return 'an empty text';
    if (value === null || value === undefined) return 'nothing';
    if (typeof value === 'object') return 'a mapping';
    const key = path.join('.');
    if (this.#tainted.has(key)) return 'another value from the environment (not shown)';
    if (SECRET_PATHS.some((pattern) => pattern.test(key)) || mayHoldPassword(value)) return 'another value (not shown)';
    const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
    return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
  }

  #add(path: Path, message: string, hint: string | null): void {
    const key = path.reduce<string>(
      (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
      '',
    );
    this.#problems.push({ file: this.found.file, ...this.document.position(path), key, message, hint });
  }
}

/** A section without content, such as one whose lines are all comments, is as good as absent. */
function withoutEmptySections(value: unknown, path: Path = []): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, child]) => child !== null || !isSection([...path, key]))
      .map(([key, child]) => [key, withoutEmptySections(child, [...path, key])]),
  );
}

function isSection(path: Path): boolean {
  const type = schemaAt(path);
  return type !== null && ['object', 'record'].includes(kindOf(type));
}

/** A value that is wholly from the environment is text; the schema says what it was meant to be. */
function typed(text: string, path: Path): unknown {
  const type = schemaAt(path);
  const kind = type === null ? 'string' : kindOf(type);
  if (kind === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  const mayBeNumber = kind === 'number' || kind === 'union';
  return mayBeNumber && text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

function valueAt(raw: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string | number, unknown>)[key] : undefined),
    raw,
  );
}

/** An address that may hold a password, whatever key it stands at; a broken one has it in odd places. */
function mayHoldPassword(value: unknown): boolean {
  return typeof value === 'string' && (value.includes('@') || /\?.*=/.test(value));
}

function isFolder(path: string): boolean {
  return stat(path)?.isDirectory() ?? false;
}

function isFile(path: string): boolean {
  return stat(path)?.isFile() ?? false;
}

/** null also where a folder of the path is a file, or may not be entered. */
function stat(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}
