/** `process`, as far as its end is concerned. */
export interface SignalProcess extends NodeJS.EventEmitter {
  readonly pid: number;
  kill(pid: number, signal: NodeJS.Signals): unknown;
}

const SIGNAL = 'SIGTERM';

/**
 * Hears SIGTERM before the bot does: most bots then destroy their client, or have no handler and end at once, and with
 * them their sessions. What is held back is to be raised again, when the bot's turn has come.
 */
export class TermSignal {
  constructor(
    private readonly process: SignalProcess,
    /** True: held back; whoever says so raises the signal again. */
    private readonly hold: () => boolean,
  ) {}

  install(): void {
    const { process, hold } = this;
    const emit = process.emit.bind(process);
    process.emit = (event: string | symbol, ...args: unknown[]) =>
      event === SIGNAL && hold() ? true : emit(event, ...args);
    // Without a listener Node ends the process before anybody hears of it.
    process.on(SIGNAL, this.#onSignal);
  }

  /** A bot without a handler ends as it would without us: by the signal. */
  #onSignal = (): void => {
    const { process } = this;
    if (process.listenerCount(SIGNAL) > 1) return;
    process.removeListener(SIGNAL, this.#onSignal);
    process.kill(process.pid, SIGNAL);
  };
}
