import { EmbeddedPostgres } from '../../../src/data/embedded/postgres';
import { EmbeddedRedis } from '../../../src/data/embedded/redis';

interface Settings {
  kind: 'postgres' | 'redis';
  dir: string;
  orphanMs?: number;
}

/** Starts one server, says in one line how that went, and lives until it is killed. */
async function main(): Promise<void> {
  const { kind, ...rest } = JSON.parse(process.argv[2] ?? '{}') as Settings;
  const options = { ...rest, port: 0, log: () => undefined };
  const { signal } = new AbortController();
  try {
    const url =
      kind === 'postgres'
        ? (await new EmbeddedPostgres({ ...options, shards: 1 }).start(signal)).urls[0]
        : (await EmbeddedRedis.find(options)?.start(signal))?.url;
    console.log(JSON.stringify({ url }));
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    console.log(JSON.stringify({ code, message }));
  }
  setInterval(() => undefined, 1_000_000);
}

void main();
