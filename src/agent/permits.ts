import type { AgentToSupervisor } from '../ipc/messages';

type Request = { t: 'connect'; shardId: number; intent: 'identify' | 'resume' } | { t: 'identify'; shardId: number };

interface Wait {
  request: Request;
  /** Of the question on the wire; a new one after each new attachment. */
  id: number;
  granted: (id: number) => void;
  localTimer: NodeJS.Timeout | null;
}

/** Without a supervisor a RESUME goes ahead after such a time, ms, jittered: it costs no identify, and waiting costs events. */
const ALONE_MIN_MS = 2_000;
const ALONE_JITTER_MS = 3_000;

/**
 * Asks the supervisor for leave to connect and to identify. A wait ends by leave or by its signal, never by an error:
 * discord.js would give the shard up. While there is no supervisor, identifies wait for the next one.
 */
export class Permits {
  readonly #waits = new Set<Wait>();
  #nextId = 1;
  #attached = false;

  constructor(private readonly send: (frame: AgentToSupervisor) => void) {}

  /** Resolves when the connection may be opened. Rejects only when the signal aborts. */
  async connect(shardId: number, intent: 'identify' | 'resume', signal: AbortSignal): Promise<void> {
    await this.#wait({ t: 'connect', shardId, intent }, signal);
  }

  /** Resolves with a permit for one IDENTIFY: to be given to `identified` or to `unspent`. */
  identify(shardId: number, signal: AbortSignal): Promise<number> {
    return this.#wait({ t: 'identify', shardId }, signal);
  }

  identified(id: number, shardId: number): void {
    this.send({ t: 'identified', id, shardId });
  }

  unspent(id: number): void {
    this.send({ t: 'cancel', id });
  }

  onGo(id: number): void {
    for (const wait of this.#waits) if (wait.id === id) return wait.granted(id);
    // Leave that nobody waits for any more: give it back.
    this.send({ t: 'cancel', id });
  }

  onAttached(): void {
    this.#attached = true;
    for (const wait of this.#waits) this.#ask(wait);
  }

  onDetached(): void {
    this.#attached = false;
    for (const wait of this.#waits) this.#ask(wait);
  }

  #wait(request: Request, signal: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const reason = (): Error => (signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      if (signal.aborted) return reject(reason());
      const end = (): void => {
        this.#waits.delete(wait);
        signal.removeEventListener('abort', onAbort);
        if (wait.localTimer !== null) clearTimeout(wait.localTimer);
      };
      const onAbort = (): void => {
        end();
        if (wait.id !== 0) this.send({ t: 'cancel', id: wait.id });
        reject(reason());
      };
      const wait: Wait = {
        request,
        id: 0,
        granted: (id) => {
          end();
          resolve(id);
        },
        localTimer: null,
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waits.add(wait);
      this.#ask(wait);
    });
  }

  #ask(wait: Wait): void {
    if (wait.localTimer !== null) clearTimeout(wait.localTimer);
    wait.localTimer = null;
    if (this.#attached) {
      wait.id = this.#nextId++;
      this.send({ ...wait.request, id: wait.id });
      return;
    }
    wait.id = 0;
    const { request } = wait;
    if (request.t === 'connect' && request.intent === 'resume') {
      wait.localTimer = setTimeout(() => wait.granted(0), ALONE_MIN_MS + Math.random() * ALONE_JITTER_MS).unref();
    }
  }
}
