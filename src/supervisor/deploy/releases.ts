import { join } from 'node:path';
import { DeployError, LIVE, type ReleaseStore } from '../../deploy';
import type { BotSpec } from '../../sharding/bot-spec';
import { botSpec, type BotSpecOptions } from '../bot-spec';

/** What is the same for every release. */
export type CommonSpec = Omit<BotSpecOptions, 'release'>;

/** How each release is run. */
export class ReleaseSpecs {
  constructor(
    private readonly store: ReleaseStore,
    /** With the places of the bot's own folder. */
    private readonly common: CommonSpec,
  ) {}

  /** The same releases, run otherwise. */
  with(change: Partial<CommonSpec>): ReleaseSpecs {
    return new ReleaseSpecs(this.store, { ...this.common, ...change });
  }

  /** null: there is no such release (any more). */
  of(id: string): BotSpec | null {
    if (id === LIVE) return botSpec({ ...this.common, release: LIVE });
    const release = this.store.get(id);
    if (release === null) return null;
    const app = this.store.appDir(id);
    const cwd = release.cwd === null ? this.common.cwd : join(app, release.cwd);
    return botSpec({ ...this.common, entry: join(app, release.entry), cwd, release: id });
  }

  /** What `start` runs. @throws DeployError when it is gone */
  current(): BotSpec {
    const { current } = this.store.current;
    const spec = this.of(current);
    if (spec !== null) return spec;
    const file = join(this.store.dir, 'current.json');
    throw new DeployError(
      `The current release ${current} is gone from ${this.store.dir}.`,
      `Deploy again (botctl deploy), or remove ${file} to run the bot from its own folder.`,
    );
  }
}
