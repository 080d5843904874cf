import type { Clock } from '../../clock';
import { DataError } from '../data-error';
import type { Allowance } from './allowance';
import type { Entry } from './entry';
import type { Executed } from './execute-once';
import { executeOnce } from './execute-once';
import type { Caller, DeferOutcome, Item } from './lane';
import { Lane } from './lane';
import type { Replayer } from './replayer';
import { shardOf } from './replayer';
import type { DeferTarget } from './target';

export interface GuildLanesOptions {
  target: DeferTarget;
  replayer: Pick<Replayer, 'take' | 'failed' | 'isDown'>;
  /** Makes an entry durable. @throws DataError */
  store: (entry: Entry) => Promise<void>;
  /** For entries on disk, and for those in memory that wait for the one before them. */
  allowances: { stored: Allowance; direct: Allowance };
  onRefused: () => void;
  onDuplicate: () => void;
  clock: Clock;
  /** A statement that is executed at once and is not over after so long is stored all the same, ms. */
  patienceMs: number;
}

interface DirectItem extends Item {
  caller: Caller;
}

/** Decides for each entry whether it is executed at once or stored, so that the order within a guild is kept. */
export class GuildLanes {
  readonly #lanes = new Map<bigint, Lane>();
  readonly #driving = new Set<Promise<void>>();
  #closing = false;
  /** Statements of a process before this one come first. */
  #held = false;

  constructor(private readonly options: GuildLanesOptions) {}

  get lanes(): Iterable<Lane> {
    return this.#lanes.values();
  }

  /** Takes in an entry that is on disk already. */
  restore(entry: Entry): void {
    const lane = this.#lane(entry.guildId);
    this.options.allowances.stored.force(entry.record.length);
    const items = lane.items.length === 0 || lane.storing ? lane.items : lane.held;
    items.push({ entry, stored: Promise.resolve(true) });
  }

  /** From now on everything is stored. Resolves when what was begun is over. */
  async hold(): Promise<void> {
    this.#held = true;
    await Promise.all(this.#driving);
  }

  /** Takes in entries of a process before this one, in their order: they come before all others. Only while held. */
  restoreBefore(entries: readonly Entry[]): void {
    const before = new Map<bigint, Item[]>();
    for (const entry of entries) {
      this.options.allowances.stored.force(entry.record.length);
      const items = before.get(entry.guildId) ?? [];
      items.push({ entry, stored: Promise.resolve(true) });
      before.set(entry.guildId, items);
    }
    for (const [guildId, items] of before) this.#lane(guildId).items.unshift(...items);
  }

  /** Ends `hold`. */
  release(): void {
    this.#held = false;
    this.resume();
  }

  /** Begins with what was restored. */
  resume(): void {
    for (const lane of this.#lanes.values()) if (lane.storing) this.options.replayer.take(lane);
  }

  /** @throws DataError, or pg's DatabaseError when the statement was executed at once and is at fault */
  submit(entry: Entry): Promise<DeferOutcome> {
    const { target, replayer, allowances } = this.options;
    const lane = this.#lane(entry.guildId);
    const idle = lane.items.length === 0;
    const isLater = this.#closing || this.#held;
    const store = idle ? isLater || replayer.isDown(shardOf(target, entry.guildId)) : lane.storing;
    return new Promise((resolve, reject) => {
      const item: DirectItem = { entry, stored: null, caller: { resolve, reject } };
      if (!store && !allowances.direct.take(entry.record.length)) {
        this.#refuse(item);
        return;
      }
      lane.items.push(item);
      if (store) this.#store(lane, item);
      else if (idle) this.#begin(lane);
    });
  }

  /** An empty lane is not kept. */
  drop(lane: Lane): void {
    if (lane.items.length === 0 && !lane.replaying) this.#lanes.delete(lane.guildId);
  }

  /** Executes nothing more at once: who waits is stored. Resolves when what was begun is over. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#driving);
  }

  #lane(guildId: bigint): Lane {
    let lane = this.#lanes.get(guildId);
    if (lane === undefined) this.#lanes.set(guildId, (lane = new Lane(guildId)));
    return lane;
  }

  #begin(lane: Lane): void {
    const drive = this.#drive(lane).then(() => {
      this.#driving.delete(drive);
    });
    this.#driving.add(drive);
  }

  /** Executes one after the other until none is left or one cannot be executed now. */
  async #drive(lane: Lane): Promise<void> {
    const { target, allowances, onDuplicate } = this.options;
    for (let item = first(lane); item !== null; item = first(lane)) {
      const isLater = this.#closing || this.#held || lane.held.length > 0;
      const result = isLater ? null : await this.#patiently(executeOnce(target, item.entry));
      if (result === null || (result.outcome === 'failed' && result.fault !== 'statement')) {
        this.#storeAll(lane, result);
        return;
      }
      lane.shift();
      allowances.direct.release(item.entry.record.length);
      if (result.outcome === 'failed') item.caller.reject(result.error);
      else item.caller.resolve(result.outcome);
      if (result.outcome === 'duplicate') onDuplicate();
    }
    this.#release(lane);
    this.drop(lane);
  }

  /** A server that hangs is as bad as one that is down. Should the statement land yet, its key keeps it from landing twice. */
  async #patiently(execution: Promise<Executed>): Promise<Executed> {
    const { clock, patienceMs } = this.options;
    let cancel = (): void => undefined;
    const late = new Promise<Executed>((resolve) => {
      cancel = clock.after(patienceMs, () => {
        const error = new DataError('UNAVAILABLE', `no answer within ${patienceMs} ms`, { outcomeUnknown: true });
        resolve({ outcome: 'failed', fault: 'guild', error });
      });
    });
    const result = await Promise.race([execution, late]);
    cancel();
    return result;
  }

  #storeAll(lane: Lane, failure: Extract<Executed, { outcome: 'failed' }> | null): void {
    const { target, replayer, allowances } = this.options;
    if (failure?.fault === 'shard') replayer.failed(shardOf(target, lane.guildId), failure.error);
    const unknown = failure?.error instanceof DataError && failure.error.outcomeUnknown;
    for (const [index, item] of [...(lane.items as DirectItem[])].entries()) {
      allowances.direct.release(item.entry.record.length);
      this.#store(lane, item, unknown && index === 0);
    }
    this.#release(lane);
  }

  /** Lets in what was restored while entries were executed at once. */
  #release(lane: Lane): void {
    if (lane.held.length === 0) return;
    lane.items.push(...lane.held.splice(0));
    this.options.replayer.take(lane);
  }

  #store(lane: Lane, item: DirectItem, outcomeUnknown = false): void {
    const { allowances, store, replayer } = this.options;
    const { entry, caller } = item;
    const bytes = entry.record.length;
    if (!allowances.stored.take(bytes)) {
      lane.remove(item);
      return this.#refuse(item, outcomeUnknown);
    }
    item.stored = store(entry).then(
      () => {
        caller.resolve('queued');
        return true;
      },
      (error: unknown) => {
        allowances.stored.release(bytes);
        lane.remove(item);
        this.options.onRefused();
        caller.reject(outcomeUnknown ? withUnknownOutcome(error) : error);
        return false;
      },
    );
    replayer.take(lane);
  }

  #refuse({ entry, caller }: DirectItem, outcomeUnknown = false): void {
    const lane = this.#lanes.get(entry.guildId);
    if (lane !== undefined) this.drop(lane);
    this.options.onRefused();
    const message = 'The durable write queue is full: the statement was not taken.';
    caller.reject(new DataError('QUEUE_FULL', message, { outcomeUnknown }));
  }
}

/** The first entry, in a lane of which none is stored. */
function first(lane: Lane): DirectItem | null {
  return (lane.items[0] as DirectItem | undefined) ?? null;
}

function withUnknownOutcome(error: unknown): unknown {
  if (!(error instanceof DataError)) return error;
  return new DataError(error.code, error.message, { cause: error.cause, outcomeUnknown: true });
}
