import type { Bucket, Buckets, LimitHeaders } from './bucket';
import { FairQueue, type Queued } from './fair-queue';
import type { GlobalLimit, Slot } from './global-limit';
import type { Route } from './route';

/** A request on its way through the limits. */
export interface Job extends Queued {
  route: Route;
  bucket: Bucket<Job>;
  state: 'bucket' | 'global' | 'running' | 'done';
  slot: Slot | null;
  /** Its turn has come. */
  run: () => void;
}

export interface SchedulerOptions {
  buckets: Buckets<Job>;
  global: GlobalLimit;
  now: () => number;
}

/**
 * Lets the requests of one token through: each first waits for its bucket, then for its turn in the global limit. What
 * carries its own token skips the global limit.
 */
export class Scheduler {
  readonly #ready = new FairQueue<Job>();
  readonly #wakes = new Map<Bucket<Job>, NodeJS.Timeout>();
  #timer: NodeJS.Timeout | null = null;
  #paused = false;

  constructor(private readonly options: SchedulerOptions) {}

  get global(): GlobalLimit {
    return this.options.global;
  }

  submit(job: Job): void {
    const now = this.options.now();
    const { bucket } = job;
    bucket.usedAt = now;
    if (bucket.waiting.size === 0 && bucket.permits(now)) this.#admit(job);
    else {
      job.state = 'bucket';
      bucket.waiting.add(job);
      this.#armWake(bucket, now);
    }
  }

  /** The caller is gone. Has no effect on a job that runs or is done. */
  cancel(job: Job): boolean {
    if (job.state === 'bucket') {
      job.state = 'done';
      return job.bucket.waiting.delete(job);
    }
    if (job.state !== 'global') return false;
    this.#ready.delete(job);
    job.state = 'done';
    this.#release(job.bucket);
    return true;
  }

  /** An answer, or null when none came. */
  finish(job: Job, answer: { status: number; limits: LimitHeaders } | null): void {
    if (job.state === 'done') return;
    job.state = 'done';
    const now = this.options.now();
    const { bucket, slot, route } = job;
    if (slot !== null && answer !== null) this.global.answered(slot, now);
    let named = bucket;
    if (answer !== null) {
      const { limits, status } = answer;
      if (status === 429 && limits.scope === 'global') {
        this.global.hit(now, limits.retryAfterMs ?? 1_000);
        this.#pump();
      }
      if (limits.bucket !== null) named = this.options.buckets.name(route, limits.bucket, bucket);
      named.learn(limits, status, now);
      if (named !== bucket) bucket.learn(limits, status, now);
    }
    this.#release(bucket);
    if (named !== bucket) this.#drain(named);
    else if (slot !== null) this.#pump();
  }

  /** Nothing new is sent, but for what carries its own token. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.#pump();
  }

  #release(bucket: Bucket<Job>): void {
    bucket.inFlight--;
    this.#drain(bucket);
  }

  #drain(bucket: Bucket<Job>): void {
    const now = this.options.now();
    while (bucket.waiting.size > 0 && bucket.permits(now)) {
      const job = bucket.waiting.take();
      if (job !== null) this.#admit(job);
    }
    this.#armWake(bucket, now);
  }

  #admit(job: Job): void {
    job.bucket.inFlight++;
    if (job.route.exempt) {
      job.state = 'running';
      job.run();
      return;
    }
    job.state = 'global';
    this.#ready.add(job);
    this.#pump();
  }

  #pump(): void {
    if (this.#paused) return;
    const { global, now } = this.options;
    while (this.#ready.size > 0) {
      const at = now();
      const { freeAt } = global;
      if (freeAt > at) return this.#arm(freeAt - at);
      const job = this.#ready.take();
      if (job === null) return;
      job.state = 'running';
      job.slot = global.take(at);
      job.run();
    }
  }

  #arm(delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#pump();
    }, Math.ceil(delayMs));
  }

  #armWake(bucket: Bucket<Job>, now: number): void {
    if (bucket.waiting.size === 0 || this.#wakes.has(bucket)) return;
    const at = bucket.wakeAt(now);
    if (at === null) return;
    const timer = setTimeout(
      () => {
        this.#wakes.delete(bucket);
        this.#drain(bucket);
      },
      Math.ceil(at - now),
    );
    this.#wakes.set(bucket, timer);
  }
}
