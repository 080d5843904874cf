import { join } from 'node:path';
import type { Config } from '../../config';
import { EmbeddedPostgres } from '../../data/embedded/postgres';
import { discardScratch } from '../../maintenance/backup/scratch-server';
import { backupStore, runningEmbedded } from './backups';

/** Servers on which a dump can be restored for a trial. */
export interface TrialDatabases {
  /** One per database shard. */
  urls: readonly string[];
  end(): Promise<void>;
}

const KEPT: Pick<TrialDatabases, 'end'> = { end: () => Promise.resolve() };

/** The config's own servers, or the embedded one that runs; else one that is started for it. */
export async function trialDatabases(config: Config, id: string, signal: AbortSignal): Promise<TrialDatabases> {
  const urls = config.maintenance.shards ?? config.postgres.shards ?? runningEmbedded(config);
  if (urls !== null) return { urls, ...KEPT };
  const { parts, shards } = await backupStore(config).manifest(id);
  if (parts.every(({ kind }) => kind === 'physical')) return { urls: [], ...KEPT };
  const dir = join(config.stateDir, 'scratch', 'trial');
  await discardScratch(dir);
  const server = new EmbeddedPostgres({ dir, shards, port: 0, log: () => undefined });
  const started = await server.start(signal);
  return {
    urls: started.urls,
    end: async () => {
      await server.stop();
      await discardScratch(dir);
    },
  };
}
