import type { GuardAnswer } from '../ipc/rest-guard';
import type { RecordedEvent } from './events';
import { Histogram, type HistogramSnapshot } from './histogram';
import { ROUTE_CLASSES, type RouteClass } from './route';

export type LimitScope = 'user' | 'global' | 'shared';

export interface ClassFigures {
  class: RouteClass;
  /** Answers of Discord by the first digit of their status, e.g. { '2': 17 }. */
  answers: Record<string, number>;
  /** Time until Discord's answer began. */
  latencyMs: HistogramSnapshot;
  /** Time in the guard's own queues before. */
  queueMs: HistogramSnapshot;
}

/** Counters since the guard's start, gauges of this moment. */
export interface GuardSnapshot {
  startedAt: number;
  pid: number;
  rssBytes: number;
  counters: {
    /** Requests that were sent to Discord. */
    sent: number;
    rateLimited: Record<LimitScope, number>;
    /** Answers that the guard gave by itself. */
    own: Partial<Record<GuardAnswer, number>>;
    /** Callers that went away before their answer. */
    cancelled: number;
    /** Connections to Discord that failed, or ended before an answer. */
    failed: number;
  };
  gauges: {
    queued: number;
    inFlight: number;
    buckets: number;
    clusters: number;
    globalPerSecond: number;
    /** Of the global limit of the token that is used most. */
    globalRemaining: number;
    /** 401, 403 and 429 in the last ten minutes, and how many Discord allows. */
    invalid: number;
    invalidLimit: number;
    bannedForMs: number;
    unauthorized: boolean;
    braked: { route: string; level: string }[];
  };
  classes: ClassFigures[];
}

export interface GuardReport {
  snapshot: GuardSnapshot;
  events: RecordedEvent[];
}

/** Counts what passes. */
export class Stats {
  readonly startedAt = Date.now();
  sent = 0;
  cancelled = 0;
  failed = 0;
  readonly rateLimited: Record<LimitScope, number> = { user: 0, global: 0, shared: 0 };
  readonly own: Partial<Record<GuardAnswer, number>> = {};
  readonly #classes = new Map<RouteClass, { answers: Record<string, number>; latency: Histogram; queue: Histogram }>();

  ownAnswer(why: GuardAnswer): void {
    this.own[why] = (this.own[why] ?? 0) + 1;
  }

  waited(of: RouteClass, ms: number, now: number): void {
    this.#class(of).queue.add(ms, now);
  }

  answered(of: RouteClass, status: number, latencyMs: number, now: number): void {
    const figures = this.#class(of);
    const family = String(Math.floor(status / 100));
    figures.answers[family] = (figures.answers[family] ?? 0) + 1;
    figures.latency.add(latencyMs, now);
  }

  classes(now: number): ClassFigures[] {
    return ROUTE_CLASSES.flatMap((name) => {
      const figures = this.#classes.get(name);
      if (figures === undefined) return [];
      const { answers, latency, queue } = figures;
      return [{ class: name, answers: { ...answers }, latencyMs: latency.snapshot(now), queueMs: queue.snapshot(now) }];
    });
  }

  #class(of: RouteClass): { answers: Record<string, number>; latency: Histogram; queue: Histogram } {
    let figures = this.#classes.get(of);
    if (figures === undefined) {
      figures = { answers: {}, latency: new Histogram(), queue: new Histogram() };
      this.#classes.set(of, figures);
    }
    return figures;
  }
}
