import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Accounting, type EventReport } from './accounting';
import { FaultError, Faults, FAULTS, type FaultName, type FaultOptions } from './faults';
import { emptyCounts, Gateway } from './gateway';
import { IdentifyRules, type SessionStart, type Violation } from './identify-rules';
import { withDefaults, type SandboxOptions } from './options';
import { Rest } from './rest';
import { emptyLimitCounts, type RestLimitCounts } from './rest-limits';
import { Traffic } from './traffic';
import { Weather } from './weather';
import { World } from './world';

/** What the sandbox has seen since its start, or since `resetCounters`. Times in ms, since the epoch where named `at`. */
export interface SandboxReport extends EventReport {
  startedAt: number;
  rate: number;
  identifies: number;
  violations: Violation[];
  acceptedIdentifies: { at: number; shardId: number; bucket: number }[];
  readies: number;
  resumes: number;
  failedResumes: number;
  invalidSessions: number;
  /** How often the token would have been reset, since identifies ran out. */
  tokenResets: number;
  connections: number;
  connectionsOpened: number;
  connectionsRefused: number;
  sessions: number;
  closes: Record<string, number>;
  changes: number;
  restRequests: number;
  restRateLimited: number;
  restUnauthorised: number;
  restUnknownRoutes: number;
  /** null: limits are not enforced. */
  restLimits: RestLimitCounts | null;
  /** Requests that carried an id, and how many of these came more than once. */
  restIds: { distinct: number; doubled: number };
  sessionStart: SessionStart;
}

const HOST = '127.0.0.1';
const MAX_RATE = 100_000;

/** Discord on loopback: gateway and REST on one port. */
export class Sandbox {
  readonly #options: SandboxOptions;
  readonly #server: Server;
  readonly #rules: IdentifyRules;
  readonly #gateway: Gateway;
  readonly #rest: Rest;
  readonly #traffic: Traffic;
  readonly #accounting: Accounting;
  readonly #faults: Faults;
  readonly #startedAt = Date.now();
  #port = 0;

  constructor(
    options: Partial<SandboxOptions> = {},
    private readonly listeners: { onStop?: () => void; onKeepalive?: () => void } = {},
  ) {
    this.#options = withDefaults(options);
    const world = new World(this.#options);
    const weather = new Weather();
    const gatewayUrl = (): string => `ws://${HOST}:${this.#port}`;
    this.#rules = new IdentifyRules(this.#options);
    this.#accounting = new Accounting((session) => this.#gateway.isAlive(session));
    this.#gateway = new Gateway({
      options: this.#options,
      world,
      rules: this.#rules,
      weather,
      delivery: { onDelivered: (id) => this.#accounting.delivered(id) },
      url: gatewayUrl,
    });
    this.#rest = new Rest({
      options: this.#options,
      world,
      gateway: this.#gateway,
      rules: this.#rules,
      weather,
      accounting: this.#accounting,
      gatewayUrl,
    });
    this.#traffic = new Traffic(world, this.#gateway, this.#accounting);
    this.#faults = new Faults(this.#gateway, weather, world);
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    this.#server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      this.#gateway.upgrade(request, socket, head);
    });
  }

  /** @throws the error of the port when it is taken */
  async listen(): Promise<{ port: number; apiUrl: string }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port, HOST, resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    this.#traffic.setRate(this.#options.rate);
    return { port: this.#port, apiUrl: `http://${HOST}:${this.#port}/api` };
  }

  async close(): Promise<void> {
    this.#traffic.stop();
    this.#gateway.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Events per second that a bot is expected to answer. */
  setRate(perSecond: number): void {
    this.#traffic.setRate(perSecond);
  }

  /** @throws FaultError */
  fault(name: FaultName, options: FaultOptions = {}): void {
    this.#faults.cause(name, options);
  }

  /** How often a request with this id was done. */
  requestCount(id: string): number {
    return this.#rest.requestIds.count(id);
  }

  /** Bans the address for so long, ms. Only where limits are enforced. */
  banRest(ms: number): void {
    this.#rest.limits?.ban(ms);
  }

  resetCounters(): void {
    this.#rules.reset();
    this.#accounting.reset();
    this.#gateway.counts = emptyCounts();
    this.#rest.counts = { requests: 0, rateLimited: 0, unauthorised: 0, unknownRoutes: 0 };
    if (this.#rest.limits !== null) this.#rest.limits.counts = emptyLimitCounts();
    this.#rest.requestIds.reset();
    this.#traffic.changes = 0;
  }

  /** Percentiles of the report are of what comes from now on. */
  forgetLatencies(): void {
    this.#accounting.forgetLatencies();
  }

  report(): SandboxReport {
    const { counts } = this.#gateway;
    const rest = this.#rest.counts;
    return {
      startedAt: this.#startedAt,
      rate: this.#traffic.rate,
      identifies: this.#rules.identifies,
      violations: [...this.#rules.violations],
      acceptedIdentifies: [...this.#rules.accepted],
      readies: counts.readies,
      resumes: counts.resumes,
      failedResumes: counts.failedResumes,
      invalidSessions: counts.invalidSessions,
      tokenResets: counts.tokenResets,
      connections: this.#gateway.connections,
      connectionsOpened: counts.opened,
      connectionsRefused: counts.refused,
      sessions: this.#gateway.sessions.length,
      closes: { ...counts.closes },
      ...this.#accounting.report(),
      changes: this.#traffic.changes,
      restRequests: rest.requests,
      restRateLimited: rest.rateLimited,
      restUnauthorised: rest.unauthorised,
      restUnknownRoutes: rest.unknownRoutes,
      restLimits: this.#rest.limits === null ? null : { ...this.#rest.limits.counts },
      restIds: this.#rest.requestIds.report(),
      sessionStart: this.#rules.sessionStart,
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${HOST}`);
    if (url.pathname.startsWith('/_sandbox/'))
      return this.#control(request, response, url.pathname.slice('/_sandbox/'.length));
    await this.#rest.answer(request, response, url);
  }

  /** Orders to the sandbox itself; anybody on loopback may give them. */
  async #control(request: IncomingMessage, response: ServerResponse, action: string): Promise<void> {
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    try {
      const body = await readJson(request);
      if (request.method === 'GET' && action === 'report') {
        send(200, this.report());
        return;
      }
      if (request.method !== 'POST') {
        send(405, { error: 'expected POST' });
        return;
      }
      const fault = FAULTS.find((name) => action === `faults/${name}`);
      if (fault !== undefined) this.fault(fault, body);
      else if (action === 'rate') this.setRate(rateOf(body));
      else if (action === 'reset-counters') this.resetCounters();
      else if (action === 'keepalive') this.listeners.onKeepalive?.();
      else if (action === 'stop') setImmediate(() => this.listeners.onStop?.());
      else {
        send(404, { error: `there is no ${action}; faults are ${FAULTS.join(', ')}` });
        return;
      }
      send(200, { ok: true });
    } catch (error) {
      send(400, { error: (error as Error).message });
    }
  }
}

function rateOf(body: object): number {
  const rate = (body as { perSecond?: unknown }).perSecond;
  if (typeof rate !== 'number' || !(rate >= 0 && rate <= MAX_RATE)) {
    throw new FaultError(`perSecond: expected a number from 0 to ${MAX_RATE}`);
  }
  return rate;
}

async function readJson(request: IncomingMessage): Promise<FaultOptions> {
  let text = '';
  for await (const part of request as AsyncIterable<Buffer>) text += part.toString('utf8');
  if (text === '') return {};
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new FaultError('body: expected a JSON object');
  return value;
}
