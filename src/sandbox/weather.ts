/** What is wrong with this Discord at the moment. Each fault ends by itself at its time. */
export class Weather {
  #refusing: { until: number; code: number | null } | null = null;
  #outageUntil = 0;
  #deaf = new Map<number | 'all', number>();
  #latency: { until: number; ms: number } | null = null;
  #restError: { until: number; left: number; status: number; path: string } | null = null;
  #restLimit: { until: number; path: string } | null = null;
  #restSlow: { until: number; ms: number; path: string } | null = null;
  #identifyClose: { code: number; left: number } | null = null;

  constructor(private readonly now: () => number = Date.now) {}

  refuse(seconds: number, code: number | null): void {
    this.#refusing = { until: this.#in(seconds), code };
  }

  outage(seconds: number): void {
    this.#outageUntil = this.#in(seconds);
  }

  deafen(shard: number | 'all', seconds: number): void {
    this.#deaf.set(shard, this.#in(seconds));
  }

  slow(ms: number, seconds: number): void {
    this.#latency = { until: this.#in(seconds), ms };
  }

  /** @param path what the paths that fail begin with, without /api and version */
  failRest(status: number, count: number, seconds: number, path = ''): void {
    this.#restError = { until: this.#in(seconds), left: count, status, path };
  }

  /** Every request whose path begins so is answered 429. */
  limitRest(seconds: number, path = ''): void {
    this.#restLimit = { until: this.#in(seconds), path };
  }

  /** Requests whose path begins so are answered so late. */
  slowRest(ms: number, seconds: number, path = ''): void {
    this.#restSlow = { until: this.#in(seconds), ms, path };
  }

  /** The next `count` IDENTIFYs are answered by closing with `code`; 0: none any more. */
  closeOnIdentify(code: number, count: number): void {
    this.#identifyClose = count === 0 ? null : { code, left: count };
  }

  get isOutage(): boolean {
    return this.now() < this.#outageUntil;
  }

  /** Close code for a connection that was just opened; undefined: it is welcome; null: refused without a word. */
  get refusal(): number | null | undefined {
    return this.#refusing !== null && this.now() < this.#refusing.until ? this.#refusing.code : undefined;
  }

  isDeaf(shard: number | null): boolean {
    const until = Math.max(this.#deaf.get('all') ?? 0, shard === null ? 0 : (this.#deaf.get(shard) ?? 0));
    return this.now() < until;
  }

  get latencyMs(): number {
    return this.#latency !== null && this.now() < this.#latency.until ? this.#latency.ms : 0;
  }

  /** Status with which the next REST request fails, or null. */
  takeRestError(path: string): number | null {
    if (this.isOutage) return 503;
    const error = this.#restError;
    if (error === null || this.now() >= error.until || error.left <= 0 || !path.startsWith(error.path)) return null;
    error.left--;
    return error.status;
  }

  isRestLimited(path: string): boolean {
    const limit = this.#restLimit;
    return limit !== null && this.now() < limit.until && path.startsWith(limit.path);
  }

  restLatencyMs(path: string): number {
    const slow = this.#restSlow;
    return slow !== null && this.now() < slow.until && path.startsWith(slow.path) ? slow.ms : 0;
  }

  takeIdentifyClose(): number | null {
    const close = this.#identifyClose;
    if (close === null || close.left <= 0) return null;
    close.left--;
    return close.code;
  }

  #in(seconds: number): number {
    return this.now() + seconds * 1_000;
  }
}
