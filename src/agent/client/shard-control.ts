import {
  CLOSE_RESUMABLE,
  IDLE,
  OP_IDENTIFY,
  OP_RESUME,
  RECOVER,
  type GatewayPayload,
  type SessionInfo,
  type WsShard,
} from './internals';

export interface ShardControlOptions {
  shard: WsShard;
  session: () => SessionInfo | null;
  /** True when the session belongs to the present number of shards, so that it will be resumed. */
  resumes: (session: SessionInfo | null) => boolean;
  /** The shard wants to connect: resolves when it may, rejects when the signal aborts. */
  pass: (intent: 'identify' | 'resume', signal: AbortSignal) => Promise<void>;
  /** IDENTIFY has been written, or could not be. */
  onIdentify: (written: boolean) => void;
  /** How an attempt to connect went: the gateway serves, or it refused. */
  onOutcome: (ok: boolean, code: number | null, reason: string) => void;
}

type Attempt = 'none' | 'opening' | 'resuming';

/** RESUMED must follow, or an event of the replay, within this time, ms; @discordjs/ws would wait for ever. */
export const RESUMED_TIMEOUT_MS = 15_000;
/** So often a resume that times out, or a network error, is tried again with the session before it is given up. */
const KEEP_SESSION_TRIES = 3;

/** Takes over when one shard connects: each attempt asks first, ends in time, and does not throw away a good session. */
export class ShardControl {
  #attempt: Attempt = 'none';
  #wait: AbortController | null = null;
  #parked = false;
  #networkErrors = 0;
  #silentResumes = 0;
  #resumeTimer: NodeJS.Timeout | null = null;
  /** Set while RESUME is held back; `resume` sends that of the latest connection. */
  #hold: { ready: () => void; resume: (() => void) | null } | null = null;

  constructor(private readonly options: ShardControlOptions) {}

  get shard(): WsShard {
    return this.options.shard;
  }

  install(): void {
    const { shard } = this.options;
    const connect = shard.internalConnect.bind(shard);
    const destroy = shard.destroy.bind(shard);
    const send = shard.send.bind(shard);
    shard.internalConnect = () => this.#connect(connect);
    shard.destroy = (options = {}) => destroy(this.#keepSession(options));
    shard.send = (payload) => {
      if (payload.op === OP_IDENTIFY) return this.#identify(send, payload);
      return payload.op === OP_RESUME ? this.#resume(send, payload) : send(payload);
    };
  }

  /** Connects up to HELLO only, until `resume`: the session is still another process's. */
  hold(): void {
    this.#hold = { ready: () => undefined, resume: null };
  }

  /** Resolves when RESUME could be sent. */
  held(): Promise<void> {
    const hold = this.#hold;
    if (hold === null || hold.resume !== null) return Promise.resolve();
    return new Promise((resolve) => (hold.ready = resolve));
  }

  /** Sends RESUME, with the session as it is now. What Discord answers is not read before `listen`. */
  resume(): void {
    const { connection } = this.options.shard;
    if (this.#hold?.resume == null || connection?.pause === undefined) return;
    connection.pause();
    this.#release();
  }

  /** The bot may hear of what Discord sends. A shard that has lost its connection meanwhile resumes with the next one. */
  listen(): void {
    this.#release();
    if (this.#attempt === 'resuming') this.#armResumeTimer();
    this.#read();
  }

  /** After `park`: connects again. */
  unpark(): void {
    this.#parked = false;
    // A shard that is still closing connects by itself when it has closed.
    if (this.options.shard.status === IDLE) this.options.shard.internalConnect().catch(() => undefined);
  }

  /** HELLO has come. */
  hello(): void {
    if (this.#hold !== null) return this.#served(); // so far there is nothing that could be late
    if (this.options.resumes(this.options.session())) {
      this.#attempt = 'resuming';
      this.#armResumeTimer();
      return;
    }
    this.#served();
  }

  /** An event has come: during a replay it is a sign of life. */
  dispatch(): void {
    if (this.#attempt !== 'resuming') return;
    this.options.onOutcome(true, null, '');
    this.#armResumeTimer();
  }

  /** READY or RESUMED has come. */
  established(): void {
    this.#networkErrors = 0;
    this.#silentResumes = 0;
    this.#served();
  }

  closed(code: number): void {
    const attempt = this.#attempt;
    this.#clearResumeTimer();
    this.#attempt = 'none';
    if (this.#hold !== null) this.#hold.resume = null;
    if (attempt === 'none') return;
    // What we close ourselves says nothing against the gateway.
    if (code === CLOSE_RESUMABLE || (attempt === 'resuming' && code === 1_000)) this.options.onOutcome(true, null, '');
    else
      this.options.onOutcome(false, code, `closed with ${code} before ${attempt === 'opening' ? 'HELLO' : 'RESUMED'}`);
  }

  /** Ends a wait for leave to connect; the shard then stays as it is. */
  cancel(): void {
    this.#wait?.abort();
    this.#clearResumeTimer();
  }

  /** Closes the connection resumably and keeps it closed. */
  park(): void {
    this.#parked = true;
    this.cancel();
    const { shard } = this.options;
    if (shard.status !== IDLE) this.#destroy({ code: CLOSE_RESUMABLE, reason: 'parked', recover: RECOVER.resume });
  }

  /** Reconnects by RESUME. */
  reconnect(reason: string): void {
    this.#destroy({ code: CLOSE_RESUMABLE, reason, recover: RECOVER.resume });
  }

  #destroy(options: Parameters<WsShard['destroy']>[0]): void {
    this.#read(); // the closing handshake, too, has to be read
    this.options.shard.destroy(options).catch(() => undefined); // the connection is in doubt already
  }

  async #connect(connect: () => Promise<void>): Promise<void> {
    // discord.js comes back after a close that we have undone meanwhile: the shard connects, or is connected, already.
    if (this.#parked || !this.#isIdle()) return;
    this.#wait?.abort();
    const wait = new AbortController();
    this.#wait = wait;
    try {
      await this.options.pass(this.options.resumes(this.options.session()) ? 'resume' : 'identify', wait.signal);
    } catch {
      return; // destroyed meanwhile
    } finally {
      if (this.#wait === wait) this.#wait = null;
    }
    if (this.#isParked() || !this.#isIdle()) return;
    this.#attempt = 'opening';
    await connect();
  }

  #release(): void {
    const hold = this.#hold;
    this.#hold = null;
    if (hold?.resume == null) return;
    this.#attempt = 'resuming';
    hold.resume();
  }

  #read(): void {
    this.options.shard.connection?.resume?.();
  }

  #isIdle(): boolean {
    return this.options.shard.status === IDLE;
  }

  /** A method, since the flag may change during an await. */
  #isParked(): boolean {
    return this.#parked;
  }

  /** A refused TCP connection says nothing about the session, yet @discordjs/ws would drop it and identify. */
  #keepSession<T extends { recover?: 0 | 1 }>(options: T): T {
    if (options.recover !== RECOVER.reconnect || !this.options.shard.failedToConnectDueToNetworkError) return options;
    if (this.options.session() === null || ++this.#networkErrors > KEEP_SESSION_TRIES) return options;
    return { ...options, recover: RECOVER.resume };
  }

  async #resume(send: WsShard['send'], payload: GatewayPayload): Promise<void> {
    const hold = this.#hold;
    if (hold !== null) {
      await new Promise<void>((resolve) => {
        hold.resume = resolve;
        hold.ready();
      });
    }
    // It was read when the connection was begun, which may be before a handoff's cut.
    const session = this.options.session();
    if (session !== null) Object.assign(payload.d as object, { session_id: session.sessionId, seq: session.sequence });
    await send(payload);
  }

  async #identify(send: WsShard['send'], payload: GatewayPayload): Promise<void> {
    try {
      await send(payload);
    } catch (error) {
      this.options.onIdentify(false);
      throw error;
    }
    this.options.onIdentify(true);
  }

  #served(): void {
    this.#clearResumeTimer();
    if (this.#attempt === 'none') return;
    this.#attempt = 'none';
    this.options.onOutcome(true, null, '');
  }

  #armResumeTimer(): void {
    this.#clearResumeTimer();
    this.#resumeTimer = setTimeout(() => {
      this.#attempt = 'none';
      this.options.onOutcome(false, null, `no RESUMED within ${RESUMED_TIMEOUT_MS / 1_000} s`);
      const again = ++this.#silentResumes < KEEP_SESSION_TRIES;
      this.#destroy({
        reason: 'no RESUMED in time',
        recover: again ? RECOVER.resume : RECOVER.reconnect,
      });
    }, RESUMED_TIMEOUT_MS).unref();
  }

  #clearResumeTimer(): void {
    if (this.#resumeTimer !== null) clearTimeout(this.#resumeTimer);
    this.#resumeTimer = null;
  }
}
