import bytes from 'bytes';
import type { HealthCheck, Reading } from '../check';
import type { LiveSource } from '../live';
import type { MemoryRoom } from '../memory-room';

export interface MemoryCheckOptions {
  live: LiveSource;
  /** What the machine, or the control group around us, has. */
  room: () => MemoryRoom;
  /** Share of a limit that is still well. */
  maxShare: number;
  /** What one cluster may have, bytes; null: as much as there is. */
  clusterLimitBytes: number | null;
}

/**
 * Is there memory left? The room for all processes, each cluster's resident set against its limit, and its heap against
 * the size at which V8 gives up. Not heapUsed against heapTotal, which V8 lets grow as it pleases.
 */
export class MemoryCheck implements HealthCheck {
  readonly name = 'memory';
  readonly scope = { kind: 'host' } as const;

  constructor(private readonly options: MemoryCheckOptions) {}

  look(): Reading[] {
    const room = this.options.room();
    const clusters = (this.options.live()?.clusters ?? []).flatMap(({ id, sample }) =>
      sample === null ? [] : [this.#cluster(id, sample, room)],
    );
    return [this.#host(room), ...clusters];
  }

  #host({ usedBytes, limitBytes, source }: MemoryRoom): Reading {
    const where = source === 'host' ? 'of the machine' : 'of the control group';
    return {
      scope: this.scope,
      ok: usedBytes <= limitBytes * this.options.maxShare,
      message: `${share(usedBytes, limitBytes)} ${where} in use`,
    };
  }

  #cluster(
    id: number,
    { rssBytes, heapUsedBytes, heapLimitBytes }: { rssBytes: number; heapUsedBytes: number; heapLimitBytes: number },
    room: MemoryRoom,
  ): Reading {
    const { maxShare, clusterLimitBytes } = this.options;
    const limit = Math.min(clusterLimitBytes ?? Number.POSITIVE_INFINITY, room.limitBytes);
    const ok = rssBytes <= limit * maxShare && heapUsedBytes <= heapLimitBytes * maxShare;
    const message = `resident ${share(rssBytes, limit)}, heap ${share(heapUsedBytes, heapLimitBytes)}`;
    return { scope: { kind: 'cluster', id }, ok, message };
  }
}

function share(used: number, limit: number): string {
  const percent = limit > 0 ? Math.round((100 * used) / limit) : 100;
  return `${text(used)} of ${text(limit)} (${percent} %)`;
}

function text(value: number): string {
  return bytes.format(value, { unitSeparator: ' ', decimalPlaces: 1 }) ?? '?';
}
