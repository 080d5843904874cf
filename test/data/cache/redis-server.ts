import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import type { RedisSource } from '../../../src/data/redis';
import { until } from '../../support/until';

/** A redis-server of a test's own on a free port, that can be killed, stopped in its tracks and started again. */
export class RedisServer {
  readonly password = 'test-secret';
  #child: ChildProcess | null = null;

  private constructor(
    readonly port: number,
    private readonly more: readonly string[],
  ) {}

  /** @param more arguments for redis-server */
  static async start(...more: string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), more);
    await server.start();
    return server;
  }

  get source(): RedisSource {
    return { kind: 'single', url: `redis://:${this.password}@127.0.0.1:${this.port}` };
  }

  /** A plain client; the caller disconnects it. */
  client(): Redis {
    const client = new Redis({ port: this.port, password: this.password });
    client.on('error', () => undefined);
    return client;
  }

  async start(): Promise<void> {
    const options = ['--port', String(this.port), '--bind', '127.0.0.1', '--requirepass', this.password];
    this.#child = spawn('redis-server', [...options, '--save', '', '--appendonly', 'no', ...this.more], {
      cwd: '/tmp',
      stdio: 'ignore',
    });
    const client = new Redis({ port: this.port, password: this.password, retryStrategy: () => 20 });
    client.on('error', () => undefined);
    await client.ping();
    client.disconnect();
  }

  async kill(): Promise<void> {
    const child = this.#child;
    child?.kill('SIGKILL');
    await until(() => child === null || child.exitCode !== null || child.signalCode !== null);
  }

  /** Alive, but answers nobody. */
  hang(): Promise<void> {
    this.#child?.kill('SIGSTOP');
    return Promise.resolve();
  }

  goOn(): Promise<void> {
    this.#child?.kill('SIGCONT');
    return Promise.resolve();
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
