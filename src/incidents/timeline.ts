import type { TimelineEntry, TimelineKind } from './types';

export interface Timeline {
  timeline: readonly TimelineEntry[];
  timelineDropped: number;
}

/** Entries that are kept; the first ones always are, what is dropped goes from the middle. */
const MAX_ENTRIES = 100;
const KEPT_FIRST = 20;
const MAX_TEXT = 500;

/** Kinds that come again and again when something flaps: one line tells how often. */
const FLAPPING: ReadonlySet<TimelineKind> = new Set(['mitigated', 'returned']);
/** A pair of entries becomes one from the third time on. */
const COUNTED = /^(.*) \(×(\d+)\)$/s;

/** The timeline with one more entry. Pure. */
export function withEntry({ timeline, timelineDropped }: Timeline, { at, kind, text }: TimelineEntry): Timeline {
  const entry = { at, kind, text: text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text };
  const flap = FLAPPING.has(kind) ? collapsed(timeline, entry) : null;
  const all = flap ?? [...timeline, entry];
  if (all.length <= MAX_ENTRIES) return { timeline: all, timelineDropped };
  const dropped = all.length - MAX_ENTRIES;
  return {
    timeline: [...all.slice(0, KEPT_FIRST), ...all.slice(KEPT_FIRST + dropped)],
    timelineDropped: timelineDropped + dropped,
  };
}

/** mitigated, returned, mitigated, returned: the earlier pair goes, the later one counts it. */
function collapsed(timeline: readonly TimelineEntry[], entry: TimelineEntry): TimelineEntry[] | null {
  const [before, between] = timeline.slice(-2);
  if (before?.kind !== entry.kind || between === undefined || !FLAPPING.has(between.kind)) return null;
  const times = Number(COUNTED.exec(before.text)?.[2] ?? 1) + 1;
  return [...timeline.slice(0, -2), between, { ...entry, text: `${entry.text} (×${times})` }];
}
