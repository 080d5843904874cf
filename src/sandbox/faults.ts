import type { Gateway } from './gateway';
import type { Weather } from './weather';
import { botIdOf, type Payload, type World } from './world';

export const FAULTS = [
  'drop',
  'invalidate',
  'reconnect',
  'deaf',
  'refuse',
  'outage',
  'latency',
  'rest-error',
  'rest-slow',
  'rest-429',
  'guild-outage',
  'close-on-identify',
] as const;
export type FaultName = (typeof FAULTS)[number];

/** Parameters of a fault; each fault reads some of them. */
export interface FaultOptions {
  /** Which shard; absent: all. */
  shard?: number;
  /** Close code. */
  code?: number;
  /** End the TCP connection instead of closing the WebSocket. */
  terminate?: boolean;
  resumable?: boolean;
  seconds?: number;
  forgetSessions?: boolean;
  ms?: number;
  status?: number;
  count?: number;
  guilds?: number;
  /** What the paths begin with. */
  path?: string;
}

/** The request cannot be carried out; names the field. */
export class FaultError extends Error {
  override readonly name = 'FaultError';
}

const DEFAULT_SECONDS = 10;

export class Faults {
  constructor(
    private readonly gateway: Gateway,
    private readonly weather: Weather,
    private readonly world: World,
  ) {}

  /** @throws FaultError */
  cause(name: FaultName, options: FaultOptions = {}): void {
    const seconds = number(options.seconds, 'seconds', DEFAULT_SECONDS, 0, 86_400);
    const shard = options.shard === undefined ? null : number(options.shard, 'shard', 0, 0, 100_000);
    switch (name) {
      case 'drop': {
        const code = closeCode(options.code) ?? 4_000;
        for (const connection of this.gateway.of(shard)) {
          if (options.terminate === true) connection.terminate();
          else connection.close(code);
        }
        break;
      }
      case 'invalidate':
        for (const connection of this.gateway.of(shard)) {
          const { session } = connection;
          if (session === null) continue;
          connection.invalidate(options.resumable === true);
          if (options.resumable !== true) this.gateway.forgetSession(session);
        }
        break;
      case 'reconnect':
        for (const connection of this.gateway.of(shard)) connection.askToReconnect();
        break;
      case 'deaf':
        this.weather.deafen(shard ?? 'all', seconds);
        break;
      case 'refuse':
        this.weather.refuse(seconds, closeCode(options.code));
        break;
      case 'outage':
        this.weather.outage(seconds);
        if (options.forgetSessions === true) this.gateway.forgetAllSessions();
        for (const connection of this.gateway.of(null)) connection.terminate();
        break;
      case 'latency':
        this.weather.slow(number(options.ms, 'ms', 200, 0, 60_000), seconds);
        break;
      case 'rest-error':
        this.weather.failRest(
          number(options.status, 'status', 500, 400, 599),
          number(options.count, 'count', Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER),
          seconds,
          options.path,
        );
        break;
      case 'rest-slow':
        this.weather.slowRest(number(options.ms, 'ms', 5_000, 0, 600_000), seconds, options.path);
        break;
      case 'rest-429':
        this.weather.limitRest(seconds, options.path);
        break;
      case 'guild-outage':
        this.#guildOutage(number(options.guilds, 'guilds', 1, 1, this.world.guilds), seconds);
        break;
      case 'close-on-identify':
        this.weather.closeOnIdentify(
          closeCode(options.code) ?? 4_004,
          number(options.count, 'count', Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER),
        );
        break;
    }
  }

  #guildOutage(count: number, seconds: number): void {
    const indexes = Array.from({ length: count }, (_, index) => index);
    const each = (t: string, body: (index: number, botId: string) => Payload): void => {
      for (const index of indexes) {
        for (const session of this.gateway.sessionsOf(index)) session.dispatch(t, body(index, botIdOf(session.token)));
      }
    };
    each('GUILD_DELETE', (index) => ({ id: this.world.guildId(index), unavailable: true }));
    setTimeout(() => each('GUILD_CREATE', (index, botId) => this.world.guild(index, botId)), seconds * 1_000).unref();
  }
}

function number(value: unknown, field: string, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max) {
    throw new FaultError(`${field}: expected a number from ${min} to ${max}`);
  }
  return value;
}

/** Only what a WebSocket may be closed with. */
function closeCode(value: unknown): number | null {
  if (value === undefined) return null;
  const allowed =
    Number.isInteger(value) &&
    ((value as number) === 1_000 || ((value as number) >= 3_000 && (value as number) <= 4_999));
  if (!allowed) throw new FaultError('code: expected 1000, or a number from 3000 to 4999');
  return value as number;
}
