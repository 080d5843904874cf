import type { Clock } from '../../clock';
import { DataError } from '../data-error';
import type { DeferLog } from './defer-log';
import type { Entry } from './entry';
import type { Executed } from './execute-once';
import { executeOnce } from './execute-once';
import { codeOf } from './failure';
import type { Lane } from './lane';
import { backoffMs, ShardQueue } from './shard-queue';
import type { DeferTarget } from './target';

const MAX_LANE_WAIT_MS = 1_000;
/** An entry that fails for no known reason is given up after so many times, and so long (ms). */
const UNCLEAR_TRIES = 30;
const UNCLEAR_MS = 10 * 60_000;

export interface ReplayerOptions {
  target: DeferTarget;
  clock: Clock;
  log: DeferLog;
  random: () => number;
  /** The entry is done and has left its lane. */
  onDone: (entry: Entry, outcome: 'done' | 'duplicate') => void;
  /** The entry can never succeed. @throws Error when it cannot be put elsewhere: it is tried again */
  onHopeless: (entry: Entry, error: unknown) => Promise<void>;
  /** No stored entry is left in the lane. */
  onReplayed: (lane: Lane) => void;
}

/** Executes stored entries: in order within a guild, several guilds of a shard at a time, no shard waits for another. */
export class Replayer {
  readonly #shards = new Map<number, ShardQueue>();
  readonly #running = new Set<Promise<void>>();
  readonly #timers = new Set<() => void>();
  #stopped = false;
  #held = false;

  constructor(private readonly options: ReplayerOptions) {}

  /** The shard does not answer and this will be noticed when it does. */
  isDown(shard: number): boolean {
    return this.#shards.get(shard)?.knownDown ?? false;
  }

  /** Takes a lane whose entries are stored, until none of them is left. */
  take(lane: Lane): void {
    if (lane.replaying) return;
    lane.replaying = true;
    this.#enqueue(lane);
  }

  /** Somebody else found that a shard does not answer. */
  failed(shard: number, error: unknown): void {
    if (this.#shard(shard).fail()) this.options.log('warn', `database shard ${shard} fails (${codeOf(error)})`);
  }

  /** Begins nothing until `release`; resolves when all that was begun is over. */
  async hold(): Promise<void> {
    this.#held = true;
    await Promise.all(this.#running);
  }

  release(): void {
    this.#held = false;
    for (const queue of [...this.#shards.values()]) this.#pump(queue);
  }

  /** Does not wait any longer for shards that failed. */
  hurry(): void {
    for (const queue of [...this.#shards.values()]) {
      queue.endWait();
      this.#pump(queue);
    }
  }

  /** Begins nothing more; resolves when all that was begun is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#timers) cancel();
    for (const queue of this.#shards.values()) queue.endWait();
    await Promise.all(this.#running);
  }

  #shard(shard: number): ShardQueue {
    let queue = this.#shards.get(shard);
    if (queue === undefined) {
      const { clock, random } = this.options;
      queue = new ShardQueue(shard, clock, random, () => this.#retry(shard));
      this.#shards.set(shard, queue);
    }
    return queue;
  }

  #enqueue(lane: Lane): void {
    const queue = this.#shard(shardOf(this.options.target, lane.guildId));
    queue.ready.add(lane);
    this.#pump(queue);
  }

  /** Guilds may have been moved off a dead shard meanwhile. */
  #retry(shard: number): void {
    const queue = this.#shard(shard);
    for (const lane of [...queue.ready]) {
      const now = shardOf(this.options.target, lane.guildId);
      if (now === shard) continue;
      queue.ready.delete(lane);
      this.#shard(now).ready.add(lane);
    }
    for (const each of [...this.#shards.values()]) this.#pump(each);
  }

  #pump(queue: ShardQueue): void {
    for (const lane of queue.ready) {
      if (this.#stopped || this.#held || !queue.free) return;
      queue.ready.delete(lane);
      const end = queue.begin();
      const step = this.#step(lane, queue).then((waitMs) => {
        end();
        this.#running.delete(step);
        // Empty, or new entries came already that are executed at once.
        if (!lane.storing) {
          lane.replaying = false;
          this.options.onReplayed(lane);
        } else if (waitMs === 0) this.#enqueue(lane);
        else this.#after(waitMs, () => this.#enqueue(lane));
        this.#pump(queue);
      });
      this.#running.add(step);
    }
  }

  /** Executes the first entry of a lane. Returns how long the lane is to wait, ms. Never rejects. */
  async #step(lane: Lane, queue: ShardQueue): Promise<number> {
    const item = lane.items[0];
    if (item === undefined || !(await item.stored)) return 0;
    const { entry } = item;
    const result = await executeOnce(this.options.target, entry);
    if (result.outcome === 'failed') return this.#onFailure(lane, entry, queue, result);
    this.#answered(queue);
    lane.shift();
    this.options.onDone(entry, result.outcome);
    return 0;
  }

  async #onFailure(
    lane: Lane,
    entry: Entry,
    queue: ShardQueue,
    { fault, error }: Extract<Executed, { outcome: 'failed' }>,
  ): Promise<number> {
    if (fault === 'shard') {
      this.failed(queue.shard, error);
      return 0;
    }
    // A guild that moved says nothing about its old shard.
    if (!(error instanceof DataError) || error.code === 'CONFLICT') this.#answered(queue);
    if (fault === 'statement' || this.#givesUp(lane, fault)) {
      try {
        await this.options.onHopeless(entry, error);
        lane.shift();
        return 0;
      } catch (failure) {
        this.options.log('error', `a dead letter cannot be written (${codeOf(failure)}); it is tried again`);
      }
    }
    lane.failures += 1;
    return backoffMs(lane.failures, this.options.random, MAX_LANE_WAIT_MS);
  }

  #givesUp(lane: Lane, fault: 'guild' | 'unclear'): boolean {
    if (fault === 'guild') return false;
    const now = this.options.clock.now();
    lane.unclearSince ??= now;
    return lane.failures >= UNCLEAR_TRIES && now - lane.unclearSince >= UNCLEAR_MS;
  }

  #answered(queue: ShardQueue): void {
    if (queue.succeed()) this.options.log('info', `database shard ${queue.shard} answers again`);
  }

  #after(ms: number, fn: () => void): void {
    if (this.#stopped) return;
    const cancel = this.options.clock.after(ms, () => {
      this.#timers.delete(cancel);
      fn();
    });
    this.#timers.add(cancel);
  }
}

/** A guild of which it cannot be told at present is tried all the same: `transaction` says what is wrong. */
export function shardOf(target: DeferTarget, guildId: bigint): number {
  try {
    return target.shardOf(guildId);
  } catch {
    return -1;
  }
}
