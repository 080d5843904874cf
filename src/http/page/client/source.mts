import type { Status } from '../../../control/contract.js';

export interface SourceEvents {
  onStatus: (status: Status) => void;
  /** live: told at once; polling: asked for. */
  onWay: (way: 'live' | 'polling') => void;
  onLost: () => void;
}

const POLL_MS = 2_000;
/** While nobody looks at the page, only its title matters. */
const HIDDEN_POLL_MS = 15_000;
const ANSWER_MS = 5_000;
/** The supervisor tells figures every 5 s: a stream that is silent for so long is dead. */
const SILENCE_MS = 12_000;
const RETRY_STREAM_MS = 30_000;

/** Brings the status to the page: by server-sent events, or by asking again and again where they do not come through. */
export class StatusSource {
  #stream: EventSource | null = null;
  #silence = 0;
  #poll = 0;
  #retry = 0;

  constructor(private readonly events: SourceEvents) {}

  start(): void {
    document.addEventListener('visibilitychange', () => this.#choose());
    addEventListener('pagehide', () => this.#closeStream());
    addEventListener('pageshow', () => this.#choose());
    this.#choose();
  }

  /** A browser has few connections to one server, and hidden tabs should not hold them. */
  #choose(): void {
    if (document.hidden) this.#fallBack();
    else this.#open();
  }

  #open(): void {
    this.#closeStream();
    const stream = new EventSource('/events');
    this.#stream = stream;
    this.#listenFor(stream);
    stream.addEventListener('status', ({ data }: MessageEvent<string>) => {
      if (stream !== this.#stream) return;
      clearTimeout(this.#poll);
      this.#listenFor(stream);
      this.events.onWay('live');
      this.events.onStatus(JSON.parse(data) as Status);
    });
    // The browser itself connects again after a moment; whether the supervisor is there is asked meanwhile.
    stream.addEventListener('error', () => {
      if (stream === this.#stream) this.#fallBack(stream.readyState !== EventSource.CLOSED);
    });
  }

  #listenFor(stream: EventSource): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (stream === this.#stream) this.#fallBack();
    }, SILENCE_MS);
  }

  #fallBack(keepStream = false): void {
    if (!keepStream) this.#closeStream();
    clearTimeout(this.#poll);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      if (!document.hidden && this.#stream === null) this.#open();
    }, RETRY_STREAM_MS);
    void this.#ask();
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#poll);
    try {
      const response = await fetch('/status.json', { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS) });
      if (!response.ok) throw new Error(String(response.status));
      const status = (await response.json()) as Status;
      this.events.onWay('polling');
      this.events.onStatus(status);
    } catch {
      this.events.onLost();
    }
    clearTimeout(this.#poll);
    this.#poll = setTimeout(() => void this.#ask(), document.hidden ? HIDDEN_POLL_MS : POLL_MS);
  }

  #closeStream(): void {
    clearTimeout(this.#silence);
    this.#stream?.close();
    this.#stream = null;
  }
}
