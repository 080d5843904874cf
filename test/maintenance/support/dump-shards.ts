import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { machineSources } from '../../../src/data/embedded/binaries';
import { EmbeddedPostgres } from '../../../src/data/embedded/postgres';
import { Shards } from '../../data/support/shards';

/** pg_dump comes with no npm package: tests that need it are run where the machine has one. */
export const hasPgDump = machineSources().some(({ bin }) => existsSync(join(bin, 'pg_dump')));

/** Database shards of a server whose pg_dump is at hand. */
export class DumpShards extends Shards {
  override readonly server = new EmbeddedPostgres({
    ...{ dir: this.scene.dir, shards: this.count, port: 0, log: this.scene.log, sources: [machineSources] },
  });
}
