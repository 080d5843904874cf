import type { Client, GuildBasedChannel, GuildMember, Role, User } from 'discord.js';

/** Collections whose order is no promise: they are filled from many sides. */
const UNORDERED = /(^|\.)(users|channels|threads)(\.cache)?$/;

/**
 * Walks two clients side by side, over every own property of every structure, and lists the first differences. Also
 * checks that what is one object in the one is one object in the other.
 */
export function differences(a: Client, b: Client, { ordered = true } = {}): string[] {
  const walk = new Walk(ordered);
  for (const key of ['user', 'application', 'presence', 'guilds', 'channels', 'users'] as const) {
    walk.compare(a[key], b[key], key);
  }
  return walk.found;
}

class Walk {
  readonly found: string[] = [];
  /** Values visited: structures that differ elsewhere are visited once. */
  visited = 0;
  readonly #pairs = new Map<object, object>();

  /** `ordered`: also that collections have the same order. */
  constructor(private readonly ordered: boolean) {}

  compare(a: unknown, b: unknown, path: string): void {
    if (this.found.length >= 20 || isStale(a, path)) return;
    if (!isObject(a) || !isObject(b)) {
      if (!Object.is(a, b) && typeof a !== 'function') this.#differ(path, a, b);
      return;
    }
    const partner = this.#pairs.get(a);
    if (partner !== undefined) {
      if (partner !== b) this.#differ(`${path} (identity)`, nameOf(a), nameOf(b));
      return;
    }
    this.#pairs.set(a, b);
    this.visited += 1;
    if (nameOf(a) !== nameOf(b)) return this.#differ(`${path} (class)`, nameOf(a), nameOf(b));
    if (a instanceof Date) {
      if (a.getTime() !== (b as Date).getTime()) this.#differ(path, a, b);
      return;
    }
    if (a instanceof Map) this.#compareMaps(a, b as Map<unknown, unknown>, path);
    this.#compareProperties(a, b, path);
  }

  #compareMaps(a: Map<unknown, unknown>, b: Map<unknown, unknown>, path: string): void {
    const [left, right] = [[...a.keys()], [...b.keys()]].map((keys) => {
      return (!this.ordered || UNORDERED.test(path) ? keys.sort() : keys).join(' ');
    });
    if (left !== right) {
      const only = (here: Map<unknown, unknown>, there: Map<unknown, unknown>) =>
        [...here.keys()].filter((key) => !there.has(key)).join(' ');
      return this.#differ(`${path} (keys)`, only(a, b), only(b, a));
    }
    for (const [key, value] of a) this.compare(value, b.get(key), `${path}[${String(key)}]`);
  }

  #compareProperties(a: object, b: object, path: string): void {
    const keysOf = (object: object) =>
      Reflect.ownKeys(object).filter((key) => {
        return key !== 'client' && 'value' in Object.getOwnPropertyDescriptor(object, key)!;
      });
    const [left, right] = [keysOf(a), keysOf(b)].map((keys) => keys.map(String).sort().join(' '));
    if (left !== right) return this.#differ(`${path} (properties of ${nameOf(a)})`, left, right);
    for (const key of keysOf(a)) {
      const name = key === '_cache' ? 'cache' : String(key);
      this.compare(Reflect.get(a, key), Reflect.get(b, key), `${path}.${name}`);
    }
  }

  #differ(path: string, a: unknown, b: unknown): void {
    this.found.push(`${path}: ${show(a)} <> ${show(b)}`);
  }
}

/** References that discord.js goes on holding after it has dropped or replaced what they point to. */
function isStale(value: unknown, path: string): boolean {
  if (!isObject(value)) return false;
  if (/\.exemptRoles\[\d+\]$/.test(path)) {
    const role = value as Role;
    return role.guild.roles.cache.get(role.id) !== role;
  }
  if (/\.exemptChannels\[\d+\]$|\.invites\.cache\[\w+\]\.channel$/.test(path)) {
    const channel = value as GuildBasedChannel;
    return channel.guild.channels.cache.get(channel.id) !== channel;
  }
  if (/\.members\.cache\[\d+\]\.member$/.test(path)) {
    const member = value as GuildMember;
    return member.guild.members.cache.get(member.id) !== member;
  }
  // Of the bot's own reactions discord.js keeps a copy of the bot's user as it was then.
  return (
    /\.reactions\.cache\[.+\]\.users\.cache\[\d+\]$/.test(path) && (value as User).id === (value as User).client.user.id
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function nameOf(object: object): string {
  return (object.constructor as { name?: string } | undefined)?.name ?? 'object';
}

function show(value: unknown): string {
  return isObject(value) ? nameOf(value) : String(value);
}
