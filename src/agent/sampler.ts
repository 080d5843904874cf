import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { DataSample } from '../ipc/data-sample';
import type { Sample, ShardReport } from '../ipc/messages';
import type { Readings } from '../ipc/readings';

const NS_PER_MS = 1e6;
const RESOLUTION_MS = 20;

/** Measures the process: memory, CPU, event-loop delay, rejections that nobody handled. */
export class Sampler {
  readonly #delay: IntervalHistogram;
  readonly #heapLimit = getHeapStatistics().heap_size_limit;
  #rejections = 0;
  #seq = 0;

  constructor(
    private readonly reports: () => ShardReport[],
    private readonly data: () => DataSample | null,
    private readonly readings: () => Readings | null,
  ) {
    this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#delay.enable();
    this.#countRejections();
  }

  take(): Sample {
    const delay = this.#delay;
    const memory = process.memoryUsage();
    const cpu = process.cpuUsage();
    const data = this.data();
    const readings = this.readings();
    const sample: Sample = {
      seq: ++this.#seq,
      at: Date.now(),
      uptimeMs: Math.round(process.uptime() * 1_000),
      rssBytes: memory.rss,
      heapUsedBytes: memory.heapUsed,
      heapLimitBytes: this.#heapLimit,
      cpuUserMs: cpu.user / 1_000,
      cpuSystemMs: cpu.system / 1_000,
      // The histogram measures whole intervals; what is beyond the resolution is delay.
      loopDelayMeanMs: beyond(delay.mean),
      loopDelayP99Ms: beyond(delay.percentile(99)),
      loopDelayMaxMs: beyond(delay.max),
      unhandledRejections: this.#rejections,
      shards: this.reports(),
      ...(data !== null && { data }),
      ...(readings !== null && { readings }),
    };
    delay.reset();
    return sample;
  }

  /** A listener for 'unhandledRejection' would keep the process from dying of one, so ours exists only beside the bot's. */
  #countRejections(): void {
    const count = (): void => {
      this.#rejections++;
    };
    process.on('uncaughtExceptionMonitor', (_error, origin) => {
      if (origin === 'unhandledRejection') count();
    });
    process.on('newListener', (event, listener) => {
      if (event !== 'unhandledRejection' || listener === count) return;
      if (!process.listeners('unhandledRejection').includes(count)) process.on('unhandledRejection', count);
    });
    process.on('removeListener', (event, listener) => {
      if (event !== 'unhandledRejection' || listener === count) return;
      const left = process.listeners('unhandledRejection');
      if (left.length === 1 && left[0] === count) process.off('unhandledRejection', count);
    });
  }
}

function beyond(nanoseconds: number): number {
  const ms = nanoseconds / NS_PER_MS - RESOLUTION_MS;
  // An empty histogram has a NaN mean and an extreme minimum.
  return Number.isFinite(ms) ? Math.max(0, Math.round(ms * 100) / 100) : 0;
}
