/** Who waits: a shard of one incarnation of a cluster. */
export interface IdentifyTicket {
  shardId: number;
  /** Incarnation id; all its tickets and permits end with it. */
  holder: string;
  /** An operator asked for this identify: it may use the reserve. */
  operator: boolean;
}

/** Leave to send one IDENTIFY. Exactly one of `used` and `returned` is called; later calls have no effect. */
export interface IdentifyPermit {
  readonly shardId: number;
  /** The IDENTIFY was written to the socket now; the pace counts from here. */
  used(): void;
  /** It was not sent and will not be. */
  returned(): void;
}

/**
 * Through this passes every IDENTIFY of every process. Local implementation now; one over Redis can take its place for
 * bots on several hosts.
 */
export interface IdentifyQueue {
  /** Resolves when the shard's turn is near enough to open its connection. Rejects when `signal` aborts. */
  turn(ticket: IdentifyTicket, signal: AbortSignal): Promise<void>;
  /** Resolves with the permit. Rejects when `signal` aborts. */
  permit(ticket: IdentifyTicket, signal: AbortSignal): Promise<IdentifyPermit>;
  /** The process is gone: its place in the line is free, and a permit that it may or may not have used is settled. */
  release(holder: string): void;
}
