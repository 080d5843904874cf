import type { BusMessage } from './bus-message';
import type { LogRecord } from './invalidation-log';

/** How a process hears what the others invalidated. */
export interface InvalidationBus {
  /** Messages of other processes arrive. */
  readonly connected: boolean;
  readonly sent: number;
  readonly received: number;
  /** Resolves when messages arrive for the first time. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** What the cache does with what is heard. */
export interface BusListener {
  /** @param own whether this process said it itself */
  onMessage(message: BusMessage, own: boolean): void;
  /** Messages arrive from now on; some may have been missed before. A rejection has the bus connect anew. */
  onConnected(): Promise<void> | void;
}

/** Tells the other processes; where there is no Redis, whose scripts do that by themselves. */
export interface InvalidationSender {
  sendKey(region: string, key: string): Promise<void>;
  sendRecord(record: LogRecord): Promise<void>;
}
