import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock';
import type { RedisSource } from '../redis';
import { encodeLogStart, encodeMessage } from './bus-message';
import { CacheError, reasonOf } from './cache-error';
import type { ReportError } from './cache-error';
import { decodeEnvelope, encodeEnvelope, identityOf } from './envelope';
import type { Envelope, ReadEnvelope } from './envelope';
import { encodeRecord } from './invalidation-log';
import type { InvalidationLog, LogRecord } from './invalidation-log';
import { Outbox } from './outbox';
import { RedisLink } from './redis-link';
import type { BreakerState, ScriptedRedis } from './redis-link';

export interface RedisLevelOptions {
  source: RedisSource;
  processId: string;
  namespace: string;
  answerTimeoutMs: number;
  clock: Clock;
  report: ReportError;
  log: InvalidationLog;
  /** Why Redis is left alone from now on; null: it is used again. */
  onUse?: ((reason: string | null) => void) | undefined;
}

/** What one asks L2 for, before loading. */
export type Acquired =
  | { kind: 'entry'; entry: ReadEnvelope | null; identity: Buffer }
  | { kind: 'lease'; token: string }
  | { kind: 'wait'; ms: number };

/** No entry of L2 lives longer, ms: an invalidation has to be remembered for as long as an entry that it hits. */
export const MAX_L2_TTL_MS = 7 * 24 * 3_600_000;
const MAX_LOG_MEMBERS = 10_000;

/**
 * L2. Nothing in it rejects: while Redis is out of use, reads answer `undefined` at once and what would have to be told
 * is kept for later. `null` is a miss.
 */
export class RedisLevel {
  readonly #link: RedisLink;
  readonly #outbox = new Outbox();
  readonly #isCluster: boolean;

  constructor(private readonly options: RedisLevelOptions) {
    this.#isCluster = options.source.kind === 'cluster';
    this.#link = new RedisLink({
      source: options.source,
      connectionName: `botctl-cache-${options.processId}`,
      answerTimeoutMs: options.answerTimeoutMs,
      clock: options.clock,
      report: options.report,
      onUse: options.onUse,
      recover: (redis) => this.#recover(redis),
    });
  }

  get usable(): boolean {
    return this.#link.usable;
  }

  /** A new connection instead of the present one. */
  reconnect(): void {
    this.#link.reconnect();
  }

  get started(): Promise<void> {
    return this.#link.started;
  }

  get errors(): number {
    return this.#link.errors;
  }

  get state(): BreakerState {
    return this.#link.state;
  }

  get channel(): string {
    return `${this.options.namespace}:bus`;
  }

  async get(region: string, key: string): Promise<ReadEnvelope | null | undefined> {
    const link = this.#link;
    if (!link.usable) return undefined;
    try {
      const answer = link.redis.getBuffer(this.#key(region, key));
      link.gather();
      const bytes = await answer;
      return bytes === null ? null : decodeEnvelope(bytes);
    } catch (error) {
      link.fail(error);
      return undefined;
    }
  }

  /** In the order of the keys. In a cluster one GET each, as the keys lie in different slots. */
  async getMany(region: string, keys: readonly string[]): Promise<(ReadEnvelope | null)[] | undefined> {
    const link = this.#link;
    if (!link.usable || keys.length === 0) return undefined;
    const names = keys.map((key) => this.#key(region, key));
    try {
      const all = this.#isCluster
        ? await Promise.all(names.map((name) => link.redis.getBuffer(name)))
        : await link.redis.mgetBuffer(...names);
      return all.map((bytes) => (bytes === null ? null : decodeEnvelope(bytes)));
    } catch (error) {
      link.fail(error);
      return undefined;
    }
  }

  /** The right to load a key, unless another process has it or an entry other than `useless` is there by now. */
  async acquire(region: string, key: string, leaseMs: number, useless: Buffer | null): Promise<Acquired | undefined> {
    const token = randomUUID();
    const answer = await this.#try((redis) =>
      redis.cacheAcquireBuffer(...this.#pair(region, key), token, Math.ceil(leaseMs), useless ?? ''),
    );
    if (answer === undefined) return undefined;
    if (answer[0] === 0) {
      const [, bytes] = answer;
      return { kind: 'entry', entry: decodeEnvelope(bytes), identity: identityOf(bytes) };
    }
    return answer[0] === 1 ? { kind: 'lease', token } : { kind: 'wait', ms: answer[1] };
  }

  /** Stores what was loaded under a lease. false: it no longer holds, something newer may be there. */
  async fill(region: string, key: string, token: string, entry: Envelope, ttlMs: number): Promise<boolean | undefined> {
    const bytes = this.#encode(entry);
    const message = encodeMessage(this.options.processId, { kind: 'filled', region, key });
    const stored = await this.#try((redis) =>
      bytes === null
        ? redis.cacheRelease(...this.#pair(region, key), token, this.channel, message)
        : redis.cacheFill(...this.#pair(region, key), token, bytes, px(ttlMs), this.channel, message),
    );
    return stored === undefined ? undefined : stored === 1;
  }

  /** Gives a lease back without an entry; those who wait are told why. */
  async release(region: string, key: string, token: string, reason: string | null): Promise<void> {
    const message = encodeMessage(
      this.options.processId,
      reason === null ? { kind: 'filled', region, key } : { kind: 'failed', region, key, reason },
    );
    await this.#try((redis) => redis.cacheRelease(...this.#pair(region, key), token, this.channel, message));
  }

  async renew(region: string, key: string, token: string, leaseMs: number): Promise<void> {
    await this.#try((redis) => redis.cacheRenew(...this.#pair(region, key), token, Math.ceil(leaseMs)));
  }

  /** Puts an entry there whatever was there before, and tells the other processes. */
  async write(region: string, key: string, entry: Envelope, ttlMs: number): Promise<void> {
    const bytes = this.#encode(entry);
    if (bytes === null) return this.delete(region, key);
    const message = encodeMessage(this.options.processId, { kind: 'key', region, key });
    const done = await this.#try((redis) =>
      redis.cacheWrite(...this.#pair(region, key), bytes, px(ttlMs), this.channel, message),
    );
    if (done === undefined) this.#later(() => this.#outbox.addKey(region, key));
  }

  async delete(region: string, key: string): Promise<void> {
    const done = await this.#try((redis) => this.#delete(redis, region, key));
    if (done === undefined) this.#later(() => this.#outbox.addKey(region, key));
  }

  /** Writes a line into the shared log; its number, 0 when that has to wait. */
  async append(record: LogRecord): Promise<number> {
    const seq = await this.#try((redis) => this.#append(redis, record));
    if (seq === undefined) this.#later(() => this.#outbox.addRecord(record));
    return seq ?? 0;
  }

  /** Reads what was added to the shared log since; nothing before the connection stands, which does it itself. @throws when Redis does not answer */
  async sync(): Promise<void> {
    if (this.#link.redis.status === 'ready') await this.#sync(this.#link.redis);
  }

  async #sync(redis: ScriptedRedis): Promise<void> {
    const { log, processId } = this.options;
    const known = log.seq.toFixed(0);
    const start = encodeLogStart(processId, '');
    const lines = await redis.cacheSync(this.#logKey, known, this.channel, start);
    for (let index = 0; index + 1 < lines.length; index += 2) {
      log.addMember(lines[index] ?? '', Number(lines[index + 1]));
    }
  }

  /** Says something to all processes. false: it could not be said. */
  async publish(text: string): Promise<boolean> {
    return (await this.#try((redis) => redis.publish(this.channel, text))) !== undefined;
  }

  close(): void {
    this.#link.close();
  }

  async #recover(redis: ScriptedRedis): Promise<void> {
    await this.#sync(redis);
    const { keys, records } = this.#outbox.take();
    const { log } = this.options;
    const outcomes = await Promise.allSettled([
      ...records.map(async (record) => log.add(record, await this.#append(redis, record))),
      ...keys.map(({ region, key }) => this.#delete(redis, region, key)),
    ]);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined && this.#outbox.isEmpty) return;
    for (const record of records) this.#outbox.addRecord(record);
    for (const { region, key } of keys) this.#outbox.addKey(region, key);
    throw failed?.reason ?? new Error('more to tell');
  }

  #append(redis: ScriptedRedis, record: LogRecord): Promise<number> {
    const member = encodeRecord(record);
    const start = encodeLogStart(this.options.processId, member);
    const keptUs = MAX_L2_TTL_MS * 1_000;
    return redis.cacheAppend(this.#logKey, member, keptUs, MAX_LOG_MEMBERS, this.channel, start).then(Number);
  }

  #delete(redis: ScriptedRedis, region: string, key: string): Promise<number> {
    const message = encodeMessage(this.options.processId, { kind: 'key', region, key });
    return redis.cacheDelete(...this.#pair(region, key), this.channel, message);
  }

  /** Until it is told, L2 may hold what no longer counts: it is not read before. */
  #later(add: () => void): void {
    add();
    this.#link.suspend();
  }

  async #try<R>(run: (redis: ScriptedRedis) => Promise<R>): Promise<R | undefined> {
    const link = this.#link;
    if (!link.usable) return undefined;
    try {
      const answer = run(link.redis);
      link.gather();
      return await answer;
    } catch (error) {
      link.fail(error);
      return undefined;
    }
  }

  #encode(entry: Envelope): Buffer | null {
    try {
      return encodeEnvelope(entry);
    } catch (error) {
      const message = `A value cannot be put into Redis and stays in this process: ${reasonOf(error)}`;
      this.options.report(new CacheError('VALUE_NOT_SERIALISABLE', message));
      return null;
    }
  }

  /** The braces keep an entry and its lease in one slot of a cluster. */
  #key(region: string, key: string): string {
    return `${this.options.namespace}:{${region}:${key}}`;
  }

  #pair(region: string, key: string): [string, string] {
    const name = this.#key(region, key);
    return [name, `${name}:lease`];
  }

  get #logKey(): string {
    return `${this.options.namespace}:log`;
  }
}

function px(ttlMs: number): number {
  return Math.max(1, Math.min(MAX_L2_TTL_MS, Math.ceil(ttlMs)));
}
