/** Interactions first, then what people wait for, then what can wait. */
export type Priority = 'interaction' | 'normal' | 'bulk';

/** A coarse kind of request, for figures. */
export type RouteClass =
  | 'interactions'
  | 'webhooks'
  | 'messages'
  | 'reactions'
  | 'channels'
  | 'members'
  | 'guilds'
  | 'users'
  | 'commands'
  | 'gateway'
  | 'other';

export const ROUTE_CLASSES: readonly RouteClass[] = [
  'interactions',
  'webhooks',
  'messages',
  'reactions',
  'channels',
  'members',
  'guilds',
  'users',
  'commands',
  'gateway',
  'other',
];

export interface Route {
  /** Method and path without ids: what Discord's bucket hashes are attached to. */
  template: string;
  /** The id by which Discord splits a bucket: channel, guild or webhook; '' when there is none. */
  major: string;
  class: RouteClass;
  priority: Priority;
  /** Not counted to the bot's global limit: it carries its own token. */
  exempt: boolean;
  /** Id and token of the webhook or interaction that it belongs to, or null. */
  webhook: string | null;
}

const ID = /^\d{15,21}$/;
/** Messages older than this are deleted in a bucket of their own, ms. */
const OLD_MESSAGE_MS = 14 * 24 * 3_600_000;
const DISCORD_EPOCH = 1_420_070_400_000n;

/** What Discord's limits make of a request. `path` as sent, e.g. /api/v10/channels/1/messages?limit=5. Pure. */
export function routeOf(method: string, path: string, now: number): Route {
  const bare = (path.split('?', 1)[0] ?? '').replace(/^\/api(?=\/)/, '').replace(/^\/v\d+(?=\/)/, '');
  const parts = bare.split('/').filter((part) => part !== '');
  const [first = '', second = ''] = parts;
  const webhook = webhookOf(parts);
  const named = parts.map((part, index) => templatePart(parts, part, index));
  let template = `${method} /${named.join('/')}`;
  if (method === 'DELETE' && /^\/channels\/:id\/messages\/:id$/.test(`/${named.join('/')}`)) {
    template += isOld(parts[3] ?? '0', now) ? ' old' : '';
  }
  const splits = first === 'channels' || first === 'guilds' || first === 'webhooks' || first === 'interactions';
  return {
    template,
    major: splits ? (webhook ?? second) : '',
    class: classOf(parts),
    priority: webhook !== null ? 'interaction' : priorityOf(method, parts),
    exempt: webhook !== null,
    webhook: first === 'webhooks' ? webhook : null,
  };
}

function webhookOf([first, id, token]: string[]): string | null {
  if ((first !== 'webhooks' && first !== 'interactions') || id === undefined || token === undefined) return null;
  return ID.test(id) ? `${id}/${token}` : null;
}

function templatePart(parts: string[], part: string, index: number): string {
  if (ID.test(part)) return ':id';
  const [first] = parts;
  if ((first === 'webhooks' || first === 'interactions') && index === 2) return ':token';
  // An emoji, and then perhaps a user: all reactions of a channel share one bucket.
  const reactions = parts.indexOf('reactions');
  if (reactions !== -1 && index > reactions) return ':reaction';
  // Invite codes, template codes.
  if (index === 1 && (first === 'invites' || part.length > 24)) return ':code';
  return part;
}

function classOf([first = '', , third = '', , fifth = '']: string[]): RouteClass {
  switch (first) {
    case 'interactions':
    case 'webhooks':
    case 'users':
    case 'gateway':
      return first;
    case 'channels':
      if (fifth === 'reactions') return 'reactions';
      return third === 'messages' || third === 'typing' ? 'messages' : 'channels';
    case 'guilds':
      return third === 'members' || third === 'bans' ? 'members' : 'guilds';
    case 'applications':
      return third === 'commands' || third === 'guilds' ? 'commands' : 'other';
    default:
      return 'other';
  }
}

/** Lists, registrations and mass changes can wait for what a user sees. */
function priorityOf(method: string, [first = '', , third = '', fourth = '']: string[]): Priority {
  if (first === 'applications') return 'bulk';
  if (third === 'audit-logs' || third === 'prune' || fourth === 'bulk-delete' || third === 'bulk-ban') return 'bulk';
  if (method === 'GET' && (third === 'members' || third === 'bans' || third === 'messages') && fourth === '')
    return 'bulk';
  return 'normal';
}

function isOld(id: string, now: number): boolean {
  if (!ID.test(id)) return false;
  return now - Number((BigInt(id) >> 22n) + DISCORD_EPOCH) > OLD_MESSAGE_MS;
}
