import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { encodeFrame } from '../../ipc/frames';
import type { ShardSession } from '../../ipc/messages';
import { readRecords, type CutRecord, type FromCaches, type FromPredecessor, type FromSuccessor } from './wire';

/** Resolves when so many predecessors have connected. */
export async function listen(socketPath: string, predecessors: number, onListening: () => void): Promise<Socket[]> {
  rmSync(socketPath, { force: true });
  const server = createServer();
  server.listen(socketPath);
  await once(server, 'listening');
  chmodSync(socketPath, 0o600);
  onListening();
  const sockets = await new Promise<Socket[]>((resolve) => {
    const accepted: Socket[] = [];
    server.on('connection', (socket) => {
      socket.on('error', () => undefined); // told by the end of the records
      if (accepted.push(socket) === predecessors) resolve(accepted);
    });
  });
  server.close();
  return sockets;
}

/** Takes one predecessor's records in, in order, and tells what they mean. */
export class Intake {
  readonly copied: Promise<ShardSession[]>;
  readonly cut: Promise<CutRecord>;
  /** Only ever rejects. */
  readonly failed: Promise<never>;
  readonly #marks = new Map<number, () => void>();
  #onCopied: (sessions: ShardSession[]) => void = () => undefined;
  #onCut: (record: CutRecord) => void = () => undefined;

  constructor(
    private readonly socket: Socket,
    private readonly take: (record: FromCaches) => Promise<void>,
  ) {
    const copied = new Promise<ShardSession[]>((resolve) => (this.#onCopied = resolve));
    const cut = new Promise<CutRecord>((resolve) => (this.#onCut = resolve));
    this.failed = this.#read().then(() => new Promise<never>(() => undefined));
    this.copied = Promise.race([copied, this.failed]);
    this.cut = Promise.race([cut, this.failed]);
    for (const promise of [this.failed, this.copied, this.cut]) promise.catch(() => undefined);
  }

  say(record: FromSuccessor): void {
    this.socket.write(encodeFrame(record));
  }

  end(): void {
    this.socket.end();
  }

  /** Resolves when all that the predecessor had said by now is taken in. */
  async mark(id: number): Promise<void> {
    this.say({ k: 'mark', id });
    await Promise.race([new Promise<void>((resolve) => this.#marks.set(id, resolve)), this.failed]);
  }

  async #read(): Promise<void> {
    for await (const record of readRecords<FromPredecessor>(this.socket)) {
      switch (record.k) {
        case 'copied':
          this.#onCopied(record.sessions);
          break;
        case 'mark':
          this.#marks.get(record.id)?.();
          break;
        case 'cut':
          this.#onCut(record);
          this.socket.resume(); // it stays open: its end would tell the predecessor that this process is dead
          return;
        default:
          await this.take(record);
      }
    }
    throw new Error('the predecessor has ended');
  }
}
