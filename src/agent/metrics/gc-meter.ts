import { constants, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import type { Sketch } from './instruments';
import type { Meter } from './meter';

const KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak-callbacks',
};

type GcEntry = PerformanceEntry & { detail?: { kind?: number } };

/** Measures the pauses of the garbage collector. */
export function meterGc(meter: Meter): void {
  const sketches = new Map<number, Sketch>();
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as GcEntry[]) {
      const kind = entry.detail?.kind ?? 0;
      let sketch = sketches.get(kind);
      if (sketch === undefined) {
        sketch = meter.sketch('gc_pause_seconds', { kind: KINDS[kind] ?? 'other' });
        sketches.set(kind, sketch);
      }
      sketch.record(entry.duration / 1_000);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
}
