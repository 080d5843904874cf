import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { Connection, type ConnectionHandlers } from './connection';
import type { IdentifyRules } from './identify-rules';
import type { SandboxOptions } from './options';
import { Session, type Delivery } from './session';
import type { Weather } from './weather';
import { application, botIdOf, botUser, type Payload, type World } from './world';

const INTENT_GUILDS = 1;
/** All bits that Discord knows today. */
const KNOWN_INTENTS = 2 ** 26 - 1;
const GUILDS_PER_TURN = 100;

export interface GatewayOptions {
  options: SandboxOptions;
  world: World;
  rules: IdentifyRules;
  weather: Weather;
  delivery: Delivery;
  /** Address that clients connect to. */
  url: () => string;
}

export interface GatewayCounts {
  opened: number;
  refused: number;
  readies: number;
  resumes: number;
  failedResumes: number;
  invalidSessions: number;
  tokenResets: number;
  /** By close code; the client's own, or ours when we close. */
  closes: Record<string, number>;
}

/** The gateway: connections, sessions, and who may identify. */
export class Gateway implements ConnectionHandlers {
  counts: GatewayCounts = emptyCounts();
  readonly #server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly #connections = new Set<Connection>();
  readonly #sessions = new Map<string, Session>();

  constructor(private readonly deps: GatewayOptions) {}

  get connections(): number {
    return this.#connections.size;
  }

  get sessions(): Session[] {
    this.#forgetExpired();
    return [...this.#sessions.values()];
  }

  isAlive(session: Session): boolean {
    return this.#sessions.has(session.id) && !this.#isExpired(session);
  }

  /** The sessions that get the events of a guild. */
  sessionsOf(guildIndex: number): Session[] {
    return this.sessions.filter(
      ({ shardId, shardCount }) => this.deps.world.shardOf(guildIndex, shardCount) === shardId,
    );
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { weather, options } = this.deps;
    const { refusal } = weather;
    if (weather.isOutage || refusal === null) {
      this.counts.refused++;
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n');
      return;
    }
    const version = new URL(request.url ?? '/', 'http://localhost').searchParams.get('v');
    this.#server.handleUpgrade(request, socket, head, (client: WebSocket) => {
      if (refusal !== undefined) {
        this.counts.refused++;
        client.close(refusal);
        return;
      }
      if (version !== null && version !== '10' && version !== '9') return client.close(4012, 'Invalid API version.');
      this.counts.opened++;
      this.#connections.add(new Connection(client, this, () => weather.latencyMs, options.heartbeatIntervalMs));
    });
  }

  isDeaf(shard: number | null): boolean {
    return this.deps.weather.isDeaf(shard);
  }

  identify(connection: Connection, data: Payload): void {
    const { options, rules, weather, delivery } = this.deps;
    const [shardId, shardCount] = shardOf(data);
    const intents = Number(data['intents'] ?? 0);
    const token = plainToken(data['token']);
    connection.shardId = shardId;
    if (weather.isDeaf(shardId)) return;
    if (!isShard(shardId, shardCount)) return connection.close(4010, 'Invalid shard.');
    const verdict = rules.judge(shardId);
    const close = weather.takeIdentifyClose();
    if (close !== null) return connection.close(close);
    if (!this.accepts(token)) return connection.close(4004, 'Authentication failed.');
    if (!Number.isInteger(intents) || intents < 0 || intents > KNOWN_INTENTS)
      return connection.close(4013, 'Invalid intent(s).');
    if ((intents & options.disallowedIntents) !== 0) return connection.close(4014, 'Disallowed intent(s).');
    if (shardCount < options.minShards) return connection.close(4011, 'Sharding required.');
    if (verdict === 'rate') return this.#invalid(connection);
    if (verdict === 'exhausted') return this.#resetToken();

    const session = new Session(shardId, shardCount, intents, token, options.resumeBuffer, delivery);
    this.#sessions.set(session.id, session);
    connection.session = session;
    session.attach(connection);
    this.#sendReady(session);
  }

  resume(connection: Connection, data: Payload): void {
    const session = this.#sessions.get(String(data['session_id']));
    const seq = Number(data['seq']);
    connection.shardId = session?.shardId ?? null;
    if (this.isDeaf(connection.shardId)) return;
    if (!this.accepts(plainToken(data['token']))) return connection.close(4004, 'Authentication failed.');
    if (session === undefined || this.#isExpired(session)) return this.#refuseResume(connection);
    const can = session.canResume(seq);
    if (can === 'ahead') return connection.close(4007, 'Invalid seq.');
    if (can === 'invalid') return this.#refuseResume(connection);
    const old = session.outlet as Connection | null;
    if (old !== null) {
      old.session = null;
      old.close(4000, 'Resumed elsewhere.');
    }
    this.counts.resumes++;
    connection.session = session;
    session.resume(connection, seq);
  }

  requestMembers(session: Session, data: Payload): void {
    const { world } = this.deps;
    const index = world.guildIndex(String(data['guild_id']));
    if (index === null) return;
    session.dispatch('GUILD_MEMBERS_CHUNK', {
      guild_id: world.guildId(index),
      members: world.members(index),
      chunk_index: 0,
      chunk_count: 1,
      not_found: [],
      ...(data['nonce'] !== undefined && { nonce: data['nonce'] }),
    });
  }

  onClose(connection: Connection, code: number): void {
    this.#connections.delete(connection);
    this.counts.closes[code] = (this.counts.closes[code] ?? 0) + 1;
    const { session } = connection;
    if (session === null) return;
    session.detach(connection, Date.now());
    // The client says it does not come back.
    if (code === 1000 || code === 1001) this.#sessions.delete(session.id);
  }

  /** True when the token would be accepted. */
  accepts(token: string): boolean {
    const { token: only } = this.deps.options;
    if (only !== null) return token === only;
    return token !== '' && !token.includes('wrong');
  }

  /** Connections of one shard, or all. */
  of(shard: number | null): Connection[] {
    return [...this.#connections].filter(({ shardId }) => shard === null || shardId === shard);
  }

  forgetSession(session: Session): void {
    this.#sessions.delete(session.id);
  }

  forgetAllSessions(): void {
    this.#sessions.clear();
  }

  close(): void {
    for (const connection of this.#connections) connection.terminate();
    this.#server.close();
  }

  #sendReady(session: Session): void {
    const { world, url } = this.deps;
    const { shardId, shardCount, token } = session;
    const botId = botIdOf(token);
    const guilds = (session.intents & INTENT_GUILDS) === 0 ? [] : [...world.guildsOf(shardId, shardCount)];
    this.counts.readies++;
    session.dispatch('READY', {
      v: 10,
      user: botUser(botId),
      guilds: guilds.map((index) => ({ id: world.guildId(index), unavailable: true })),
      session_id: session.id,
      resume_gateway_url: url(),
      shard: [shardId, shardCount],
      application: application(botId),
    });
    const next = (from: number): void => {
      for (const index of guilds.slice(from, from + GUILDS_PER_TURN)) {
        session.dispatch('GUILD_CREATE', world.guild(index, botId));
      }
      if (from + GUILDS_PER_TURN < guilds.length) setImmediate(next, from + GUILDS_PER_TURN);
    };
    next(0);
  }

  #invalid(connection: Connection): void {
    this.counts.invalidSessions++;
    connection.invalidate(false);
  }

  #refuseResume(connection: Connection): void {
    this.counts.failedResumes++;
    this.#invalid(connection);
  }

  /** What Discord does at zero: all sessions end, the token is no longer valid. */
  #resetToken(): void {
    this.counts.tokenResets++;
    this.forgetAllSessions();
    for (const connection of this.#connections) connection.close(4004, 'Authentication failed.');
  }

  #isExpired({ detachedAt }: Session): boolean {
    return detachedAt !== null && Date.now() - detachedAt > this.deps.options.resumeWindowMs;
  }

  #forgetExpired(): void {
    for (const session of this.#sessions.values()) if (this.#isExpired(session)) this.#sessions.delete(session.id);
  }
}

export function emptyCounts(): GatewayCounts {
  return {
    opened: 0,
    refused: 0,
    readies: 0,
    resumes: 0,
    failedResumes: 0,
    invalidSessions: 0,
    tokenResets: 0,
    closes: {},
  };
}

function shardOf(data: Payload): [number, number] {
  const shard = data['shard'];
  if (!Array.isArray(shard)) return [0, 1];
  return [Number(shard[0]), Number(shard[1])];
}

function isShard(shardId: number, shardCount: number): boolean {
  return Number.isInteger(shardId) && Number.isInteger(shardCount) && shardId >= 0 && shardId < shardCount;
}

function plainToken(token: unknown): string {
  return typeof token === 'string' ? token.replace(/^(Bot|Bearer)\s+/i, '') : '';
}
