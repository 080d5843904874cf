import type { ConnectionOptions } from 'node:tls';
import { Cluster, Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import { DataError } from './data-error';

export interface RedisAddress {
  host: string;
  port: number;
}

interface RedisLogin {
  username?: string;
  password?: string;
  tls?: ConnectionOptions;
}

/** Where a Redis is and how to get in. */
export type RedisSource =
  | { kind: 'single'; /** redis:// or rediss://; holds the password. */ url: string; tls?: ConnectionOptions }
  | ({
      kind: 'sentinel';
      /** Name of the master group. */
      name: string;
      sentinels: RedisAddress[];
      sentinelPassword?: string;
      db?: number;
    } & RedisLogin)
  | ({ kind: 'cluster'; nodes: RedisAddress[] } & RedisLogin);

export type RedisClient = Redis | Cluster;

/** Without what changes the types of answers. */
type Options = Omit<RedisOptions, 'replyMapping'>;

export interface RedisBehaviour {
  /** Seen in CLIENT LIST. */
  connectionName: string;
  /**
   * A server that owes an answer for longer counts as gone: the connection is given up with all commands on it, ms. null:
   * the caller sees to that. Not ioredis's `commandTimeout`, whose timer for each command costs a third of the throughput.
   */
  answerTimeoutMs: number | null;
  /** Longest pause between two attempts to connect, ms. Default 2 s. */
  maxRetryMs?: number;
  /** Called with each connection error; without a listener of its own a client's error would end the process. */
  onError: (message: string) => void;
}

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;
const CONNECT_TIMEOUT_MS = 2_000;
const CLUSTER_RETRY_MS = 50;
const CLUSTER_REDIRECTIONS = 5;

/**
 * A client that fails fast: a command on a broken connection fails at once instead of waiting in a queue, and is never
 * sent a second time. It goes on connecting for as long as it is not told to disconnect.
 * @throws DataError UNAVAILABLE when the URL cannot be read
 */
export function createRedis(source: RedisSource, behaviour: RedisBehaviour): RedisClient {
  const client = source.kind === 'cluster' ? cluster(source, behaviour) : single(source, behaviour);
  client.on('error', (error: unknown) => behaviour.onError(redisReason(error)));
  return client;
}

/**
 * A connection for a subscription: connects when told to and not a second time, so that its owner knows of every gap.
 * In a cluster it goes to one node, another one with each attempt (from 0): messages reach all of them.
 * @throws DataError UNAVAILABLE when the URL cannot be read
 */
export function createSubscriber(source: RedisSource, behaviour: RedisBehaviour, attempt: number): Redis {
  const once = { lazyConnect: true, retryStrategy: null, sentinelRetryStrategy: () => null, reconnectOnError: null };
  const node = source.kind === 'cluster' ? source.nodes[attempt % source.nodes.length] : undefined;
  const client =
    source.kind === 'cluster'
      ? new Redis({ ...common(behaviour), ...login(source), ...node, ...once })
      : single(source, behaviour, once);
  client.on('error', (error: unknown) => behaviour.onError(redisReason(error)));
  return client;
}

/**
 * What went wrong, in one line. ioredis's own error objects are not passed on: they carry the failed command with its
 * arguments, which for AUTH is the password.
 */
export function redisReason(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const { code } = error as NodeJS.ErrnoException;
  const inner = (error as AggregateError).errors as unknown;
  if (error.message === '' && Array.isArray(inner) && inner[0] instanceof Error) return inner[0].message;
  return error.message === '' ? (code ?? error.name) : error.message;
}

/** Pause before an attempt to connect (from 1): exponential with jitter, ms. */
export function retryDelay(attempt: number, maxMs: number): number {
  const full = Math.min(maxMs, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 16));
  return Math.round(full * (0.5 + Math.random() / 2));
}

function common(behaviour: RedisBehaviour): Options {
  const { maxRetryMs = MAX_RETRY_MS } = behaviour;
  return {
    ...perNode(behaviour),
    enableOfflineQueue: false,
    retryStrategy: (attempt) => retryDelay(attempt, maxRetryMs),
  };
}

/** What holds for each connection, in a cluster too. */
function perNode({ connectionName, answerTimeoutMs }: RedisBehaviour) {
  return {
    connectionName,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...(answerTimeoutMs === null ? {} : { socketTimeout: answerTimeoutMs }),
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // After a failover the old master answers READONLY: look for the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  };
}

function login({ username, password, tls }: RedisLogin): Options {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  };
}

function single(
  source: Exclude<RedisSource, { kind: 'cluster' }>,
  behaviour: RedisBehaviour,
  change: Options = {},
): Redis {
  const options = { ...common(behaviour), ...change };
  if (source.kind === 'single') {
    // Never in the message: the URL holds the password.
    if (!URL.canParse(source.url)) throw new DataError('UNAVAILABLE', 'The Redis URL cannot be read.');
    return new Redis(source.url, { ...options, ...(source.tls === undefined ? {} : { tls: source.tls }) });
  }
  const { name, sentinels, sentinelPassword, db, maxRetryMs = MAX_RETRY_MS } = { ...behaviour, ...source };
  return new Redis({
    sentinelRetryStrategy: (attempt) => retryDelay(attempt, maxRetryMs),
    ...options,
    ...login(source),
    name,
    sentinels,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(db === undefined ? {} : { db }),
  });
}

function cluster(source: Extract<RedisSource, { kind: 'cluster' }>, behaviour: RedisBehaviour): Cluster {
  const { maxRetryMs = MAX_RETRY_MS } = behaviour;
  return new Cluster(source.nodes, {
    enableOfflineQueue: false,
    clusterRetryStrategy: (attempt) => retryDelay(attempt, maxRetryMs),
    retryDelayOnFailover: CLUSTER_RETRY_MS,
    retryDelayOnClusterDown: CLUSTER_RETRY_MS,
    maxRedirections: CLUSTER_REDIRECTIONS,
    redisOptions: { ...perNode(behaviour), ...login(source) },
  });
}
