import { Cache } from '../../../src/data/cache';
import type { RedisSource } from '../../../src/data/redis';

/** What one of several processes is to do; it says a line of JSON for each line that it reads. */
export interface Command {
  do: 'getMany-times' | 'get' | 'set' | 'hang-load' | 'watch';
  key: string;
  value?: string;
  times?: number;
}

interface Settings {
  processId: string;
  source: RedisSource;
  loadMs: number;
}

/** One process on the cache, driven over its IPC channel. */
async function main(): Promise<void> {
  const { processId, source, loadMs } = JSON.parse(process.argv[2] ?? '{}') as Settings;
  const cache = new Cache({
    processId,
    namespace: 'members',
    l1: { maxEntries: 1_000, maxBytes: 1_000_000 },
    redis: source,
    notify: null,
  });
  let hangs = false;
  const region = cache.region<string>('things', {
    ttlMs: 600_000,
    leaseMs: 1_000,
    waitMs: 60_000,
    load: (key) => {
      process.send?.({ loading: key });
      if (hangs) return new Promise<never>(() => undefined);
      return new Promise((resolve) => setTimeout(() => resolve(`${key} by ${processId}`), loadMs));
    },
  });
  await cache.ready();
  const run = async ({ do: what, key, value = '', times = 1 }: Command): Promise<unknown> => {
    switch (what) {
      case 'get':
        return region.get(key);
      case 'getMany-times': {
        const values = await Promise.all(Array.from({ length: times }, () => region.get(key)));
        return { different: [...new Set(values)], loads: region.stats().loads };
      }
      case 'set':
        return region.set(key, value);
      case 'hang-load':
        hangs = true;
        return region.get(key);
      case 'watch':
        for (;;) {
          if ((await region.get(key)) === value) return value;
          await new Promise((resolve) => setImmediate(resolve));
        }
    }
  };
  process.on('message', (command: Command) => void run(command).then((answer) => process.send?.({ answer })));
  process.on('disconnect', () => process.exit());
  process.send?.({ ready: true });
}

void main();
