import type { Client } from 'discord.js';

type Rest = Client['rest'];

/** Counts the REST calls of a client that wait or run, so that a stop can let them finish. */
export class RestActivity {
  #running = 0;

  constructor(private readonly rest: Rest) {}

  get isIdle(): boolean {
    return this.#running === 0;
  }

  install(): void {
    const { rest } = this;
    const queueRequest = rest.queueRequest.bind(rest);
    rest.queueRequest = async (request) => {
      this.#running++;
      try {
        return await queueRequest(request);
      } finally {
        this.#running--;
      }
    };
  }
}
