import type { Config } from './schema';

/** Shorter values would be found by chance in many places. */
const MIN_LENGTH = 6;
const SECRET_NAME = /token|secret|passw|pwd|key|auth|credential|dsn|url|uri|webhook/i;
const HIDDEN = '[hidden]';

/** Every value of the config that must not be printed, by value. */
export function secretsOf(config: Config, fromFiles: readonly string[]): string[] {
  const urls = [...(config.postgres.shards ?? []), ...(config.redis.url === undefined ? [] : [config.redis.url])];
  const env = Object.entries(config.bot.env).filter(([name]) => SECRET_NAME.test(name));
  const all = [config.bot.token, ...fromFiles, ...env.map(([, value]) => value), ...urls.flatMap(passwordsIn)];
  return [...new Set(all)].filter((secret) => secret.length >= MIN_LENGTH);
}

/** The password of a URL as it is written and as it is meant, and the URL itself. */
function passwordsIn(url: string): string[] {
  const { password } = new URL(url);
  if (password === '') return [];
  return [password, safeDecode(password), url];
}

/** For `config show`: what is secret is hidden, addresses stay readable. */
export function redactConfig(config: Config): Config {
  return {
    ...config,
    bot: {
      ...config.bot,
      token: HIDDEN,
      env: Object.fromEntries(
        Object.entries(config.bot.env).map(([name, value]) => [name, SECRET_NAME.test(name) ? HIDDEN : value]),
      ),
    },
    postgres: {
      ...config.postgres,
      ...(config.postgres.shards !== undefined && { shards: config.postgres.shards.map(hidePassword) }),
    },
    redis: { ...config.redis, ...(config.redis.url !== undefined && { url: hidePassword(config.redis.url) }) },
  };
}

export function hidePassword(url: string): string {
  return url.replace(/(:\/\/[^/@]*?):[^/]*@/, `$1:${HIDDEN}@`);
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
