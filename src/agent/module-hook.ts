import Module, { createRequire } from 'node:module';
import type { RestModule } from './rest/guarded-rest';

/** What a `discord.js` 14 module exports, as far as the agent uses it. */
export interface DiscordJs {
  version: string;
  Client: { prototype: { login: (token?: string) => Promise<string> } };
  ShardingManager: { prototype: { spawn: (...args: unknown[]) => unknown } };
  SimpleShardingStrategy: new (manager: unknown) => object;
}

export interface ModuleListeners {
  /** A module has been loaded, or was there already. May block. */
  onLoad?: () => void;
  /** Called once per copy, before any code of the bot has seen it. */
  onDiscordJs: (exports: DiscordJs) => void;
  /** `require` loads what that copy itself would load. */
  onRest: (exports: RestModule, require: (name: string) => unknown) => void;
  /** A listener failed; the bot has not noticed. */
  onError: (error: unknown) => void;
}

type ResolveFilename = (request: string, parent: unknown, isMain: boolean) => string;
type Load = (this: unknown, request: string, parent: unknown, isMain: boolean) => unknown;

/**
 * Watches what the process loads: CommonJS, ES modules that import CommonJS, and tsx all come through `Module._load`.
 * A bot can have several copies, so they are recognised by what they export, not by their name.
 */
export function watchModules(listeners: ModuleListeners): void {
  const loader = Module as unknown as { _load: Load; _resolveFilename: ResolveFilename };
  const load = loader._load;
  const seen = new WeakSet();
  loader._load = function (this: unknown, ...args): unknown {
    const exports: unknown = load.apply(this, args);
    if (typeof exports === 'object' && exports !== null && !seen.has(exports)) {
      try {
        const require = (name: string): unknown => createRequire(loader._resolveFilename(...args))(name);
        if (see(exports, listeners, require)) seen.add(exports);
      } catch (error) {
        listeners.onError(error);
      }
    }
    listeners.onLoad?.();
    return exports;
  };
}

function see(exports: object, { onDiscordJs, onRest }: ModuleListeners, require: (name: string) => unknown): boolean {
  // Own keys only: touching a getter of a foreign module could load half of it.
  if (
    Object.hasOwn(exports, 'ShardClientUtil') &&
    Object.hasOwn(exports, 'Client') &&
    Object.hasOwn(exports, 'version')
  ) {
    onDiscordJs(exports as DiscordJs);
    return true;
  }
  if (Object.hasOwn(exports, 'DefaultRestOptions') && Object.hasOwn(exports, 'REST')) {
    onRest(exports as RestModule, require);
    return true;
  }
  return false;
}
