import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** Stands before a Redis and can swallow what it says to subscribers, while their connections stay up. */
export class DeafProxy {
  readonly #sockets = new Set<Socket>();
  readonly #subscribers = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async start(port: number): Promise<DeafProxy> {
    const server = createServer();
    const proxy = new DeafProxy(server);
    server.on('connection', (socket) => proxy.#relay(socket, connect(port, '127.0.0.1')));
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Those who are subscribed now hear nothing from here on. */
  deafen(): void {
    for (const socket of this.#subscribers) {
      socket.removeAllListeners('data');
      socket.on('data', () => undefined);
    }
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #relay(client: Socket, redis: Socket): void {
    for (const [from, to] of [
      [client, redis],
      [redis, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
      from.on('data', (bytes) => to.write(bytes));
    }
    client.on('data', (bytes) => {
      if (bytes.includes('subscribe')) this.#subscribers.add(redis);
    });
  }
}
