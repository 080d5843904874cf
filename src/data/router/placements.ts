import { BucketMap, type Placement } from '../placement/bucket-map';

/** Where a guild is, and by which move it came there if only the shard it has left has told so. */
export interface Location {
  shard: number;
  token: string | null;
}

/** Guilds of which a shard has said where they went, before the catalogue says it too. */
const MAX_FORWARDS = 10_000;

/** Where the placement comes from. */
export interface PlacementSource {
  /** Of the catalogue. */
  read(): Promise<Placement>;
  /** The last one that was kept on this host, for the time when the catalogue is down; null: none. */
  readKept(): Promise<Placement | null>;
}

/** The placement as this process knows it. It may be stale: the shards refuse what is not theirs. */
export class Placements {
  #map: BucketMap | null = null;
  #reading: Promise<BucketMap> | null = null;
  readonly #forwards = new Map<bigint, Location>();

  constructor(private readonly source: PlacementSource) {}

  get known(): BucketMap | null {
    return this.#map;
  }

  /** @throws what the catalogue throws when nothing is known at all */
  async load(): Promise<BucketMap> {
    return this.#map ?? this.refresh();
  }

  locate(map: BucketMap, guildId: bigint): Location {
    const forward = this.#forwards.size === 0 ? undefined : this.#forwards.get(guildId);
    return forward ?? { shard: map.shardOf(guildId), token: null };
  }

  /** A shard says that the guild has gone to another. */
  forward(guildId: bigint, location: Location): void {
    if (this.#forwards.size >= MAX_FORWARDS) this.#forwards.clear();
    this.#forwards.set(guildId, location);
  }

  forget(guildId: bigint): void {
    this.#forwards.delete(guildId);
  }

  /** Reads the catalogue; several callers share one reading. */
  refresh(): Promise<BucketMap> {
    this.#reading ??= this.#read().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #read(): Promise<BucketMap> {
    let placement: Placement;
    try {
      placement = await this.source.read();
    } catch (error) {
      if (this.#map !== null) return this.#map;
      const kept = await this.source.readKept();
      if (kept === null) throw error;
      placement = kept;
    }
    if (this.#map === null || placement.version > this.#map.version) {
      this.#map = new BucketMap(placement);
      this.#forwards.clear();
    }
    return this.#map;
  }
}
