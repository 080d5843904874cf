import { once } from 'node:events';
import { connect } from 'node:net';
import type { HealthCheck, Reading } from '../check';

export interface TcpCheckOptions {
  name: string;
  host: string;
  port: number;
}

/** A service of the operator's that takes a connection. */
export class TcpCheck implements HealthCheck {
  readonly scope = { kind: 'bot' } as const;

  constructor(private readonly options: TcpCheckOptions) {}

  get name(): string {
    return this.options.name;
  }

  async look(signal: AbortSignal): Promise<Reading[]> {
    const { host, port } = this.options;
    const socket = connect({ host, port });
    try {
      await once(socket, 'connect', { signal });
    } finally {
      socket.on('error', () => undefined);
      socket.destroy();
    }
    return [{ scope: this.scope, ok: true, message: `${host}:${port} takes connections` }];
  }
}
