import type { Config } from './schema';

/** Shorter values would be found by chance in many places. */
const MIN_LENGTH = 6;
const SECRET_NAME = /token|secret|passw|pwd|key|auth|credential|dsn|url|uri|webhook/i;
const HIDDEN = '[hidden]';
/** Part of a path that may be a token, characters. */
const MIN_TOKEN_LENGTH = 12;

type NotifyTarget = Config['incidents']['notify'][number];

/** Every value of the config that must not be printed, by value. */
export function secretsOf(config: Config, fromFiles: readonly string[]): string[] {
  const urls = [
    ...(config.postgres.shards ?? []),
    ...(config.maintenance.shards ?? []),
    ...(config.redis.url === undefined ? [] : [config.redis.url]),
    ...config.health.checks.flatMap(({ http }) => http ?? []),
  ];
  const env = Object.entries(config.bot.env).filter(([name]) => SECRET_NAME.test(name));
  const redis = [config.redis.password, config.redis.sentinel?.password].filter((secret) => secret !== undefined);
  const all = [
    config.bot.token,
    ...fromFiles,
    ...redis,
    ...(config.http.token === undefined ? [] : [config.http.token]),
    ...[config.backup.key, config.backup.s3?.secretAccessKey].filter((secret) => secret !== undefined),
    ...env.map(([, value]) => value),
    ...urls.flatMap(passwordsIn),
    ...config.incidents.notify.flatMap(targetSecrets),
  ];
  return [...new Set(all)].filter((secret) => secret.length >= MIN_LENGTH);
}

/** Whoever knows the address of a webhook can write there: all of it is secret, and so are the long parts of its path. */
function targetSecrets({ discord, slack, webhook, pagerduty, secret }: NotifyTarget): string[] {
  const addresses = [discord, slack, webhook].filter((url) => url !== undefined);
  const parts = addresses.flatMap((url) => [
    ...passwordsIn(url),
    ...new URL(url).pathname.split('/').filter((part) => part.length >= MIN_TOKEN_LENGTH),
  ]);
  return [...addresses, ...parts, ...[pagerduty, secret].filter((one) => one !== undefined)];
}

/** The passwords of a URL as they are written and as they are meant, and the URL itself. */
function passwordsIn(url: string): string[] {
  const { password, searchParams } = new URL(url);
  const inQuery = [...searchParams].filter(([name]) => SECRET_NAME.test(name)).map(([, value]) => value);
  const all = [password, safeDecode(password), ...inQuery, ...inQuery.map(encodeURIComponent)].filter(
    (text) => text !== '',
  );
  return all.length === 0 ? [] : [...all, url];
}

/** For `config show`: what is secret is hidden, addresses stay readable. `secrets`: those of the loaded config. */
export function redactConfig(config: Config, secrets: readonly string[] = []): Config {
  const isSecret = (name: string, value: string): boolean => {
    return SECRET_NAME.test(name) || secrets.some((secret) => value.includes(secret));
  };
  return {
    ...config,
    bot: {
      ...config.bot,
      token: HIDDEN,
      env: Object.fromEntries(
        Object.entries(config.bot.env).map(([name, value]) => [name, isSecret(name, value) ? HIDDEN : value]),
      ),
    },
    postgres: {
      ...config.postgres,
      ...(config.postgres.shards !== undefined && { shards: config.postgres.shards.map(hidePassword) }),
    },
    redis: redactRedis(config.redis),
    maintenance: {
      ...config.maintenance,
      ...(config.maintenance.shards !== undefined && { shards: config.maintenance.shards.map(hidePassword) }),
    },
    backup: redactBackup(config.backup),
    http: { ...config.http, ...(config.http.token !== undefined && { token: HIDDEN }) },
    health: {
      ...config.health,
      checks: config.health.checks.map(({ http, command, ...check }) => ({
        ...check,
        ...(http !== undefined && { http: hidePassword(http) }),
        ...(command !== undefined && { command: redactCommand(command, secrets) }),
      })),
    },
    incidents: { ...config.incidents, notify: config.incidents.notify.map((target) => redactTarget(target, secrets)) },
  };
}

function redactTarget(target: NotifyTarget, secrets: readonly string[]): NotifyTarget {
  const hidden = (['discord', 'slack', 'webhook', 'pagerduty', 'secret'] as const).filter(
    (key) => target[key] !== undefined,
  );
  const { command } = target;
  return {
    ...target,
    ...Object.fromEntries(hidden.map((key) => [key, HIDDEN])),
    ...(command !== undefined && { command: redactCommand(command, secrets) }),
  };
}

function redactCommand(command: string | string[], secrets: readonly string[]): string | string[] {
  const hide = (text: string): string => secrets.reduce((shown, secret) => shown.replaceAll(secret, HIDDEN), text);
  return typeof command === 'string' ? hide(command) : command.map(hide);
}

function redactBackup({ key, s3, ...backup }: Config['backup']): Config['backup'] {
  return {
    ...backup,
    ...(key !== undefined && { key: HIDDEN }),
    ...(s3 !== undefined && { s3: { ...s3, secretAccessKey: HIDDEN } }),
  };
}

function redactRedis({ url, password, sentinel, ...redis }: Config['redis']): Config['redis'] {
  return {
    ...redis,
    ...(url !== undefined && { url: hidePassword(url) }),
    ...(password !== undefined && { password: HIDDEN }),
    ...(sentinel !== undefined && {
      sentinel: { ...sentinel, ...(sentinel.password !== undefined && { password: HIDDEN }) },
    }),
  };
}

export function hidePassword(url: string): string {
  return url
    .replace(/(:\/\/[^/@]*?):[^/]*@/, `$1:${HIDDEN}@`)
    .replace(/([?&])([^=&]+)=([^&#]*)/g, (all: string, sign: string, name: string) => {
      return SECRET_NAME.test(safeDecode(name)) ? `${sign}${name}=${HIDDEN}` : all;
    });
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
