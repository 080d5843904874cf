import { isIP } from 'node:net';

export function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

/** Does a Host header name this machine by a name that nobody else can point at it? */
export function isLoopbackHost(header: string | undefined): boolean {
  const name = (header ?? '').replace(/:\d+$/, '').toLowerCase();
  if (name === 'localhost' || name === '[::1]') return true;
  return isIP(name) === 4 && isLoopback(name);
}

/** What to type into a browser here: a wildcard is reached over loopback. */
export function urlHost(host: string, address: string): string {
  if (address === '0.0.0.0' || address === '::') return '127.0.0.1';
  return isIP(host) === 6 ? `[${host}]` : host;
}
