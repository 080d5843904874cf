import type { Client } from 'discord.js';

/*
 * The parts of @discordjs/ws 1.x and discord.js 14 that the agent works with although their types keep some of them
 * private. Read in their source; a version that lacks them is left alone (see `isSimpleStrategy`).
 */

/** SessionInfo of @discordjs/ws. */
export interface SessionInfo {
  sessionId: string;
  sequence: number;
  shardId: number;
  shardCount: number;
  resumeURL: string;
}

/** WebSocketShardDestroyRecovery of @discordjs/ws. */
export const RECOVER = { reconnect: 0, resume: 1 } as const;

/** WebSocketShardStatus.Idle of @discordjs/ws. */
export const IDLE = 0;

/** Close code that leaves a session resumable; what @discordjs/ws itself sends for it. */
export const CLOSE_RESUMABLE = 4_200;
export const CLOSE_NORMAL = 1_000;

/** Opcodes of what a shard sends first. */
export const OP_IDENTIFY = 2;
export const OP_RESUME = 6;

export interface GatewayPayload {
  op: number;
  d?: unknown;
}

export interface DestroyOptions {
  code?: number;
  reason?: string;
  recover?: 0 | 1;
}

/** WebSocketShard of @discordjs/ws. */
export interface WsShard {
  readonly id: number;
  readonly status: number;
  failedToConnectDueToNetworkError: boolean;
  replayedEvents: number;
  heartbeatInterval: { _repeat?: number | null } | null;
  /** Private. A WebSocket of `ws`, unless the bot has another one. */
  connection?: { pause?: () => void; resume?: () => void } | null;
  internalConnect(): Promise<void>;
  destroy(options?: DestroyOptions): Promise<void>;
  send(payload: GatewayPayload): Promise<void>;
}

/** SimpleShardingStrategy of @discordjs/ws. */
export interface SimpleStrategy {
  readonly shards: Map<number, WsShard>;
  spawn(shardIds: number[]): Promise<void>;
  connect(): Promise<void>;
  destroy(options?: DestroyOptions): Promise<void>;
}

/** WebSocketManager of @discordjs/ws. */
export interface WsManager {
  readonly options: {
    readonly shardCount: number | null;
    retrieveSessionInfo(shardId: number): SessionInfo | null | Promise<SessionInfo | null>;
    updateSessionInfo(shardId: number, session: SessionInfo | null): unknown;
  };
  gatewayInformation: { data: object; expiresAt: number } | null;
  on(event: string, listener: (payload: ShardEvent) => void): unknown;
  emit(event: string, payload: object): unknown;
}

/** What the events of the manager carry; each has some of it. */
export interface ShardEvent {
  shardId: number;
  code?: number;
  ackAt?: number;
  latency?: number;
  /** The payload of a dispatch. */
  data?: { t: string; d: unknown };
}

/** `client.options.ws` as the agent sets it. */
export interface WsOptions {
  buildStrategy?: (manager: WsManager) => object;
  buildIdentifyThrottler?: (manager: WsManager) => IdentifyThrottler;
}

export interface IdentifyThrottler {
  waitForIdentify(shardId: number, signal: AbortSignal): Promise<void>;
}

export function isSimpleStrategy(strategy: object): strategy is SimpleStrategy {
  const { shards, spawn, connect, destroy } = strategy as Partial<SimpleStrategy>;
  return shards instanceof Map && [spawn, connect, destroy].every((method) => typeof method === 'function');
}

export function isKnownShard(shard: object): shard is WsShard {
  const { internalConnect, send, destroy } = shard as Partial<WsShard>;
  return [internalConnect, send, destroy].every((method) => typeof method === 'function');
}

/** discord.js's own shard, which keeps the session for @discordjs/ws. */
export function sessionOf(client: Client, shardId: number): SessionInfo | null {
  const shard = client.ws.shards.get(shardId) as { sessionInfo?: SessionInfo | null } | undefined;
  return shard?.sessionInfo ?? null;
}
