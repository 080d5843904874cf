import type { Client } from 'pg';
import { PURGE_CACHE_SQL, PURGE_INVALIDATIONS_SQL } from './cache/postgres-table';
import { PRUNE_DEFERRED_SQL } from './defer';

export interface Pruned {
  cacheRows: number;
  deferredKeys: number;
}

/** One statement takes at most this many rows and this long, and the bot's own statements go first, ms. */
const BATCH_ROWS = 10_000;
const STATEMENT_MS = 30_000;
const LOCK_MS = 1_000;

/**
 * Removes from one database shard what botctl's own tables need no more.
 * @param deferredAge keys of deferred writes older than this interval are forgotten, see `pruneAge`; null: none
 * @throws DatabaseError of pg, or what the signal was aborted with; what is removed by then stays removed
 */
export async function pruneShard(client: Client, deferredAge: string | null, signal: AbortSignal): Promise<Pruned> {
  await client.query(`SET statement_timeout = ${STATEMENT_MS}; SET lock_timeout = ${LOCK_MS}`);
  const cacheRows = await inBatches(client, PURGE_CACHE_SQL, [BATCH_ROWS], signal);
  await client.query(PURGE_INVALIDATIONS_SQL);
  const deferredKeys = deferredAge === null ? 0 : await inBatches(client, PRUNE_DEFERRED_SQL, [deferredAge], signal);
  return { cacheRows, deferredKeys };
}

async function inBatches(client: Client, text: string, values: unknown[], signal: AbortSignal): Promise<number> {
  let total = 0;
  for (;;) {
    signal.throwIfAborted();
    const { rowCount } = await client.query(text, values);
    if (rowCount === null || rowCount === 0) return total;
    total += rowCount;
  }
}
