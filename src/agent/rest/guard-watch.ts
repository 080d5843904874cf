import { Agent, request } from 'node:http';
import { PING_PATH } from '../../ipc/rest-guard';

/** While there are calls, the guard is asked this often whether it lives, ms, and has so long for its answer: 0.9 s in all. */
const PING_MS = 300;
const ANSWER_MS = 600;
/** A guard that is gone is looked for this often, ms. */
const LOOK_MS = 250;
/** Without calls for so long nobody asks, ms. */
const QUIET_MS = 5_000;

/** Knows whether the REST guard serves. Never keeps the process alive. */
export class GuardWatch {
  readonly #agent: Agent;
  #up = true;
  #timer: NodeJS.Timeout | null = null;
  #calls = 0;
  #lastCall = 0;

  constructor(
    private readonly socketPath: string,
    /** It serves again, or why it does not. */
    private readonly onChange: (reason: string | null) => void,
  ) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
  }

  get isUp(): boolean {
    return this.#up;
  }

  /** A call goes to the guard. */
  begin(): void {
    this.#calls++;
    this.#lastCall = Date.now();
    if (this.#timer === null) this.#schedule(PING_MS);
  }

  end(): void {
    this.#calls--;
  }

  /** A call has found it gone. */
  failed(reason: string): void {
    if (!this.#up) return;
    this.#up = false;
    this.onChange(reason);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#schedule(LOOK_MS);
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(() => void this.#look(), ms).unref();
  }

  async #look(): Promise<void> {
    this.#timer = null;
    const quiet = this.#calls === 0 && Date.now() - this.#lastCall > QUIET_MS;
    if (this.#up && quiet) return;
    const failure = await this.#ping();
    if (failure !== null) this.failed(failure);
    else if (!this.#up) {
      this.#up = true;
      this.onChange(null);
    }
    this.#timer ??= setTimeout(() => void this.#look(), this.#up ? PING_MS : LOOK_MS).unref();
  }

  /** null: it answers. */
  #ping(): Promise<string | null> {
    return new Promise((resolve) => {
      const call = request({ socketPath: this.socketPath, path: PING_PATH, agent: this.#agent }, (response) => {
        response.resume();
        resolve(response.statusCode === 204 ? null : `it answers ${response.statusCode ?? 0}`);
      });
      call.on('socket', (socket) => socket.unref());
      call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      const timer = setTimeout(() => {
        // If it was this process that stood still, the answer is already here and only has to be read.
        setImmediate(() => setImmediate(() => call.destroy(new Error(`no answer within ${ANSWER_MS} ms`))));
      }, ANSWER_MS).unref();
      call.on('close', () => clearTimeout(timer));
      call.end();
    });
  }
}
