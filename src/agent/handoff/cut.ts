import type { CutRecord } from './wire';

/** What all predecessors gave at their cuts. */
export interface Cut extends Pick<CutRecord, 'at' | 'sessions' | 'dropped'> {
  states: Record<string, unknown>[];
  /** See CutRecord. `since`: from when on all are known. */
  told: { keys: string[]; since: number };
}

export function together(cuts: readonly CutRecord[]): Cut {
  const inOrder = [...cuts].sort((a, b) => firstShard(a) - firstShard(b));
  return {
    at: Math.min(...cuts.map(({ at }) => at)),
    sessions: inOrder.flatMap(({ sessions }) => sessions),
    dropped: {
      collectors: cuts.reduce((sum, { dropped }) => sum + dropped.collectors, 0),
      voiceConnections: cuts.reduce((sum, { dropped }) => sum + dropped.voiceConnections, 0),
    },
    states: inOrder.map(({ state }) => state),
    told: {
      keys: inOrder.flatMap(({ told }) => told?.keys ?? []),
      since: Math.max(0, ...inOrder.map(({ told }) => told?.since ?? 0)),
    },
  };
}

function firstShard({ sessions }: CutRecord): number {
  return Math.min(Number.MAX_SAFE_INTEGER, ...sessions.map(({ shardId }) => shardId));
}
