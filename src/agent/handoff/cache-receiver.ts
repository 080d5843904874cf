import type { Client } from 'discord.js';
import type { GiveWay } from '../give-way';
import { Hydration, mergeHeaders, Slices } from '../snapshot';
import type { GatewayStream, HeaderRecord, HydrationResult, SnapshotMeta, SnapshotRecord } from '../snapshot';
import { mute } from './mute';
import type { DispatchRecord } from './wire';

/** The successor's side: fills the caches of a client that has not connected yet, unseen by the bot. */
export class CacheReceiver {
  readonly #slices = new Slices();
  #hydration: Hydration | null = null;
  #unmute: (() => void) | null = null;

  constructor(
    private readonly manager: GatewayStream,
    private readonly client: Client,
    private readonly expected: SnapshotMeta,
    private readonly giveWay: GiveWay | null = null,
  ) {}

  /**
   * The headers of all processes that the caches come from; nothing may be taken before.
   * @throws SnapshotError when the caches cannot be taken over
   */
  begin(headers: readonly HeaderRecord[]): void {
    const hydration = new Hydration(this.manager, this.client, mergeHeaders(headers, this.expected));
    hydration.check();
    this.#unmute = mute(this.client);
    hydration.begin();
    this.#hydration = hydration;
  }

  /** @throws SnapshotError when the caches cannot be taken over; the client is of no use then */
  async take(record: SnapshotRecord | DispatchRecord): Promise<void> {
    if (record.k === 'dispatch') this.#need().applyDispatch(record.shard, record.t, record.d);
    else this.#need().apply(record);
    if (!this.#slices.over) return;
    await this.giveWay?.pause();
    await this.#slices.pause();
  }

  /** Lets the client be ready, and the bot hear of it. */
  async release(): Promise<HydrationResult> {
    const hydration = this.#need();
    this.#unmute?.();
    await hydration.release();
    return hydration.result;
  }

  /** It cannot be finished: the client goes on as if it had never begun. */
  abandon(): void {
    this.#unmute?.();
    this.#hydration?.abandon();
  }

  #need(): Hydration {
    if (this.#hydration === null) throw new Error('the stream does not begin with a header');
    return this.#hydration;
  }
}
