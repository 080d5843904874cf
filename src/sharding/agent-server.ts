import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { encodeFrame, FrameDecoder } from '../ipc/frames';
import { PROTOCOL_VERSION, type AgentToSupervisor, type Hello, type SupervisorToAgent } from '../ipc/messages';

/** One agent's connection, from its `hello` on. */
export interface AgentLink {
  readonly hello: Hello;
  send(frame: SupervisorToAgent): void;
  /** Ends the connection; nothing of it is heard any more. */
  close(): void;
}

export interface AgentHandlers {
  onFrame(frame: Exclude<AgentToSupervisor, Hello>): void;
  onClose(): void;
}

export interface AgentServerOptions {
  path: string;
  /** Who takes this agent? null: nobody; it is told to leave. */
  accept: (link: AgentLink) => AgentHandlers | null;
  /** An agent was sent away or spoke nonsense. */
  onRefused: (reason: string, hello: Hello | null) => void;
}

/** An agent that is sent away has this long to save its sessions, ms. */
const LEAVE_DEADLINE_MS = 10_000;
/** A process that does not read what we send is cut off at this size; it comes back with a new hello. */
const MAX_UNSENT_BYTES = 128 * 1024 * 1024;

/** The socket on which agents attach. Only its owner can open it. */
export class AgentServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(private readonly options: AgentServerOptions) {
    this.#server = createServer((socket) => this.#attach(socket));
  }

  /** The folder must be owner-only, and no other supervisor may use it (the lock sees to that). */
  listen(): Promise<void> {
    rmSync(this.options.path, { force: true });
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.options.path, () => {
        chmodSync(this.options.path, 0o600);
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** Its hello may be a long time coming: only when all modules of the bot are loaded. Whoever started it bounds that. */
  #attach(socket: Socket): void {
    this.#sockets.add(socket);
    let handlers: AgentHandlers | null = null;
    let open = true;
    const link = (hello: Hello): AgentLink => ({
      hello,
      send: (frame) => {
        if (!open || socket.destroyed) return;
        if (socket.writableLength > MAX_UNSENT_BYTES) return void socket.destroy();
        socket.write(encodeFrame(frame));
      },
      close: () => {
        open = false;
        socket.destroy();
      },
    });
    const decoder = new FrameDecoder((value) => {
      if (!open) return;
      const frame = value as AgentToSupervisor;
      if (handlers !== null && frame.t !== 'hello') return handlers.onFrame(frame);
      if (frame.t !== 'hello' || handlers !== null) return this.#refuse(socket, 'spoke before its hello', null);
      const sameProtocol = frame.protocol === PROTOCOL_VERSION;
      handlers = sameProtocol ? this.options.accept(link(frame)) : null;
      if (handlers === null) {
        const reason = sameProtocol
          ? 'not part of the plan'
          : `speaks protocol ${frame.protocol}, not ${PROTOCOL_VERSION}`;
        this.#refuse(socket, reason, frame);
      }
    });
    socket.on('data', (chunk) => {
      try {
        decoder.push(chunk);
      } catch (error) {
        this.#refuse(socket, (error as Error).message, null);
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (open) handlers?.onClose();
      open = false;
    });
  }

  #refuse(socket: Socket, reason: string, hello: Hello | null): void {
    this.options.onRefused(reason, hello);
    const leave: SupervisorToAgent = { t: 'leave', reason, deadlineMs: LEAVE_DEADLINE_MS };
    if (!socket.destroyed) socket.write(encodeFrame(leave));
  }
}
