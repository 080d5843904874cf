import type { AgentToSupervisor, SupervisorToAgent } from '../../ipc/messages';
import type { ConnectGate } from '../connect/connect-gate';
import type { IdentifyPermit } from '../identify/identify-queue';
import type { LocalIdentifyQueue } from '../identify/local-identify-queue';

type PermitFrame = Extract<AgentToSupervisor, { t: 'connect' | 'identify' | 'cancel' | 'identified' | 'connected' }>;

/** Turns the permit frames of one incarnation into calls of the gate and the queue. Outlives the agent's connection. */
export class PermitDesk {
  readonly #waits = new Map<number, AbortController>();
  readonly #permits = new Map<number, IdentifyPermit>();

  constructor(
    private readonly incarnation: string,
    private readonly queue: LocalIdentifyQueue,
    private readonly gate: ConnectGate,
    /** An operator asked for this start: identifies may use the reserve. */
    private readonly operator: boolean,
    private readonly send: (frame: SupervisorToAgent) => void,
  ) {}

  onFrame(frame: PermitFrame): void {
    switch (frame.t) {
      case 'connect':
        void this.#connect(frame.id, frame.shardId, frame.intent);
        break;
      case 'identify':
        void this.#identify(frame.id, frame.shardId);
        break;
      case 'cancel':
        this.#waits.get(frame.id)?.abort();
        this.#permits.get(frame.id)?.returned();
        this.#permits.delete(frame.id);
        break;
      case 'identified':
        this.#permits.get(frame.id)?.used();
        this.#permits.delete(frame.id);
        break;
      case 'connected':
        if (frame.ok) {
          this.gate.succeeded(this.#key(frame.shardId));
        } else {
          this.gate.failed(this.#key(frame.shardId), frame.reason);
          this.queue.forgo(frame.shardId, this.incarnation);
        }
        break;
    }
  }

  /** READY has come for a shard. */
  onReady(shardId: number): void {
    this.queue.answered(shardId, this.incarnation);
  }

  /** The agent lost its connection to us: what it waits for it will ask again; what it holds it may still use. */
  onLinkLost(): void {
    for (const wait of this.#waits.values()) wait.abort();
  }

  /** The process is gone. */
  release(): void {
    this.onLinkLost();
    this.#permits.clear();
    this.queue.release(this.incarnation);
    this.gate.release(this.incarnation);
  }

  async #connect(id: number, shardId: number, intent: 'identify' | 'resume'): Promise<void> {
    await this.#wait(id, async (signal) => {
      if (intent === 'identify') await this.queue.turn(this.#ticket(shardId), signal);
      await this.gate.pass(this.#key(shardId), intent === 'resume', signal);
      this.send({ t: 'go', id });
    });
  }

  async #identify(id: number, shardId: number): Promise<void> {
    await this.#wait(id, async (signal) => {
      const permit = await this.queue.permit(this.#ticket(shardId), signal);
      this.#permits.set(id, permit);
      this.send({ t: 'go', id });
    });
  }

  async #wait(id: number, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#waits.get(id)?.abort();
    const wait = new AbortController();
    this.#waits.set(id, wait);
    try {
      await run(wait.signal);
    } catch {
      // aborted: the agent no longer wants it
    } finally {
      if (this.#waits.get(id) === wait) this.#waits.delete(id);
    }
  }

  #ticket(shardId: number): { shardId: number; holder: string; operator: boolean } {
    return { shardId, holder: this.incarnation, operator: this.operator };
  }

  #key(shardId: number): string {
    return `${this.incarnation}/${shardId}`;
  }
}
