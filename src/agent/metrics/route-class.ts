import { OTHER } from '../../ipc/readings';

/** Routes told apart in one process; a bot that calls more of them has the rest under `other`. */
const MAX_ROUTES = 60;

/**
 * The kind of a REST call, such as `POST /channels/:id/messages`. Ids and, above all, tokens of interactions and webhooks
 * are not part of it: only words that are plainly part of the API are kept.
 */
export function routeClass(method: string, url: string): string {
  const [path = ''] = url.replace(/^https?:\/\/[^/]+/, '').split('?', 1);
  const segments = path
    .replace(/^\/api(\/v\d+)?/, '')
    .split('/')
    .slice(1);
  const kept = segments.map((segment, index) => {
    if (/^\d+$/.test(segment)) return ':id';
    if (index === 2 && (segments[0] === 'webhooks' || segments[0] === 'interactions')) return ':token';
    if (segments[index - 1] === 'reactions') return ':emoji';
    if (segments[index - 1] === 'invites' || segments[index - 1] === 'templates') return ':code';
    return /^@?[a-z][a-z_-]{0,31}$/.test(segment) ? segment : ':value';
  });
  return `${method.toUpperCase()} /${kept.join('/')}`;
}

/** Keeps the number of route classes of a process small. */
export class RouteClasses {
  readonly #known = new Set<string>();

  of(method: string, url: string): string {
    const route = routeClass(method, url);
    if (!this.#known.has(route)) {
      if (this.#known.size >= MAX_ROUTES) return OTHER;
      this.#known.add(route);
    }
    return route;
  }
}
