import type { Client } from 'pg';
import { pruneShard } from '../../data/housekeeping';
import { eachShard, type MaintenanceTask, type TaskContext } from '../task';

const OLD = `SELECT
  (SELECT count(*) FROM botctl.cache_entry WHERE expires_at <= now())::int AS entries,
  (SELECT count(*) FROM botctl.cache_invalidation WHERE created_at < now() - interval '1 hour')::int AS invalidations`;

/** Removes expired rows of the durable cache. */
export class CacheTask implements MaintenanceTask {
  readonly name = 'cache';

  run(context: TaskContext): Promise<void> {
    return eachShard(context, 'cache', async (client, shard) => {
      const before = await countOld(client);
      if (before.expiredEntries + before.oldInvalidations === 0) return;
      await context.step(
        { shard, object: 'botctl.cache_entry', action: 'remove what has expired', before },
        async () => {
          await pruneShard(client, null, context.signal);
          return countOld(client);
        },
      );
    });
  }
}

async function countOld(client: Client): Promise<{ expiredEntries: number; oldInvalidations: number }> {
  const { rows } = await client.query<{ entries: number; invalidations: number }>(OLD);
  return { expiredEntries: rows[0]?.entries ?? 0, oldInvalidations: rows[0]?.invalidations ?? 0 };
}
