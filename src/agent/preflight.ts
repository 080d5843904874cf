import { subscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import type { BootRecord } from '../ipc/messages';
import type { PreflightResult } from '../ipc/preflight';
import { SDK_BRIDGE, SDK_BRIDGE_VERSION, type SdkBridge } from '../ipc/sdk-bridge';
import { GiveWay } from './give-way';
import { watchModules, type DiscordJs } from './module-hook';

/** discord.js asks for this before it connects. */
const GATEWAY_ROUTE = /\/gateway(\/bot)?(\?|$)/;
/** Every client of the gateway connects with these. */
const GATEWAY_QUERY = /[?&]v=\d+.*encoding=|encoding=.*[?&]v=\d+/;

/**
 * Instead of the agent in a process that only shows whether the bot gets as far as `login()`. It never gets further: no
 * connection is opened, no IDENTIFY sent. What it came to is in a file, then the process ends.
 */
export class Preflight {
  #done = false;

  constructor(
    private readonly boot: BootRecord,
    private readonly resultFile: string,
  ) {}

  start(): void {
    const giveWay = new GiveWay();
    watchModules({
      onLoad: () => giveWay.pauseNow(),
      onDiscordJs: (exports) => this.#onDiscordJs(exports),
      onRest: (exports) => {
        exports.DefaultRestOptions.api = this.boot.discordApi;
      },
      onError: () => undefined,
    });
    // A bundled discord.js, or another library: it comes this far without our hook.
    subscribe('undici:request:create', (message) => {
      const { path } = (message as { request: { path?: string } }).request;
      if (path !== undefined && GATEWAY_ROUTE.test(path)) this.#end({ reached: 'gateway', discordJs: null });
    });
    subscribe('http.client.request.start', (message) => {
      const { path } = (message as { request: { path?: string } }).request;
      if (path !== undefined && (GATEWAY_ROUTE.test(path) || GATEWAY_QUERY.test(path))) {
        this.#end({ reached: 'gateway', discordJs: null });
      }
    });
    this.#standIn();
  }

  #onDiscordJs({ Client, ShardingManager, version }: DiscordJs): void {
    Client.prototype.login = () => {
      this.#end({ reached: 'login', discordJs: version });
      return new Promise(() => undefined);
    };
    ShardingManager.prototype.spawn = () => {
      this.#end({ reached: 'sharding-manager', discordJs: version });
      return new Promise(() => undefined);
    };
  }

  /** What a cluster finds, so that code before `login()` runs as it would there. */
  #standIn(): void {
    const { clusterId, shardIds, totalShards, release } = this.boot;
    const bridge: SdkBridge = {
      version: SDK_BRIDGE_VERSION,
      cluster: Object.freeze({ id: clusterId, shardIds: Object.freeze([...shardIds]), totalShards, release }),
      stopHandlers: new Set(),
      dataSample: null,
      healthSample: null,
      metrics: { record: () => undefined },
    };
    Object.defineProperty(globalThis, SDK_BRIDGE, { value: bridge });
    const properties = { send: () => true, connected: true, disconnect: () => undefined };
    for (const [name, value] of Object.entries(properties)) {
      Object.defineProperty(process, name, { value, configurable: true, writable: true });
    }
  }

  #end(result: PreflightResult): void {
    if (this.#done) return;
    this.#done = true;
    writeFileSync(this.resultFile, JSON.stringify(result), { mode: 0o600 });
    // At once: handlers of the bot for its end may belong to a bot that serves.
    process.kill(process.pid, 'SIGKILL');
  }
}
