import type { Config } from '../../config';
import type { RedisSource } from '../../data/redis';
import { readTls } from './tls';

/** How the bot reaches Redis: as the config says, else the embedded one, else not at all. */
export function redisSource(config: Config['redis'], embeddedUrl: string | null): RedisSource | null {
  const { url = embeddedUrl, sentinel, cluster, username, password, tls } = config;
  const login = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls: readTls(tls) }),
  };
  if (sentinel !== undefined) {
    return {
      kind: 'sentinel',
      name: sentinel.name,
      sentinels: sentinel.hosts.map(address),
      ...(sentinel.password !== undefined && { sentinelPassword: sentinel.password }),
      ...login,
    };
  }
  if (cluster !== undefined) return { kind: 'cluster', nodes: cluster.map(address), ...login };
  return url === null ? null : { kind: 'single', url, ...(tls !== undefined && { tls: readTls(tls) }) };
}

function address(host: string): { host: string; port: number } {
  const colon = host.lastIndexOf(':');
  return { host: host.slice(0, colon), port: Number(host.slice(colon + 1)) };
}
