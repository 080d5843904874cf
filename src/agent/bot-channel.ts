/** The part of our channel that the bot's messages use. */
export interface BotTransport {
  /** @throws TypeError for what JSON cannot carry */
  sendBot(message: unknown): boolean;
  keepAlive(keep: boolean): void;
}

type SendCallback = (error: Error | null) => void;

/** `process`, as far as a parent's channel goes. */
export interface ChannelProcess extends NodeJS.EventEmitter {
  listenerCount(event: 'message'): number;
}

/**
 * Gives the process what a forked one has (`process.send`, `process.connected`, `process.channel`, 'message' events),
 * carried by a socket that outlives the supervisor.
 */
export class BotChannel {
  constructor(
    private readonly process: ChannelProcess,
    private readonly transport: BotTransport,
  ) {}

  install(): void {
    const { process, transport } = this;
    const keepAlive = (): void => transport.keepAlive(process.listenerCount('message') > 0);
    // 'newListener' comes before the listener is added, 'removeListener' after it is gone.
    process.on('newListener', (event) => {
      if (event === 'message') transport.keepAlive(true);
    });
    process.on('removeListener', (event) => {
      if (event === 'message') keepAlive();
    });
    const properties = {
      send: (message: unknown, ...rest: unknown[]) => this.#send(message, rest),
      connected: true,
      channel: { ref: () => transport.keepAlive(true), unref: () => transport.keepAlive(false) },
      // The supervisor's channel cannot be given up: the process would be a stranger to it.
      disconnect: () => transport.keepAlive(false),
    };
    for (const [name, value] of Object.entries(properties)) {
      Object.defineProperty(process, name, { value, configurable: true, enumerable: true, writable: true });
    }
  }

  /** In a turn of its own: what a listener of the bot throws is the bot's. */
  deliver(message: unknown): void {
    process.nextTick(() => this.process.emit('message', message, undefined));
  }

  /** process.send(message[, sendHandle[, options]][, callback]) */
  #send(message: unknown, rest: unknown[]): boolean {
    if (message === undefined) throw new TypeError('The "message" argument must be specified');
    const accepted = this.transport.sendBot(message);
    const callback = rest.find((argument): argument is SendCallback => typeof argument === 'function');
    const error = accepted ? null : new Error('no supervisor takes messages at the moment');
    if (callback !== undefined) process.nextTick(callback, error);
    return accepted;
  }
}
