import { join } from 'node:path';
import { locateState } from '../../config/locate';
import { EXIT } from '../../control/contract';
import { ReleaseStore } from '../../deploy/releases/store';
import { RolloutRecord } from '../../deploy/rollout/record';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { renderReleases, type ReleasesView } from '../render/releases';
import { observe } from '../supervisor-view';

interface ReleasesOptions extends CommonOptions {
  json?: true;
}

const DEFAULT_WIDTH = 100;

/** From the state folder: it works without a supervisor, too. */
export async function releases(options: ReleasesOptions, context: CliContext): Promise<number> {
  const located = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const store = new ReleaseStore(located.stateDir);
  const status = await observe(located).catch(() => null);
  const record = new RolloutRecord(join(located.stateDir, 'deploy'));
  const view: ReleasesView = {
    ...store.current,
    releases: store.list().map((release) => ({
      ...release,
      clusters: (status?.clusters ?? []).filter((cluster) => cluster.release === release.id).map(({ id }) => id),
    })),
    rollout: status?.deploy?.rollout ?? null,
    history: record.history().map(({ id, kind, from, to, phase, reason, startedAt, endedAt, clusters }) => ({
      ...{ id, kind, from, to, phase, reason, startedAt, endedAt },
      clusters: clusters.map(({ id: cluster, how, gapMs, caughtUpMs, identifies }) => {
        return { id: cluster, how, gapMs, caughtUpMs, identifies };
      }),
    })),
  };
  if (options.json === true) context.stdout.write(`${JSON.stringify(view, null, 2)}\n`);
  else {
    const width = context.stdout.isTTY ? context.stdout.columns : DEFAULT_WIDTH;
    context.stdout.write(renderReleases(view, { ...context.style, width, now: Date.now() }));
  }
  return EXIT.ok;
}
