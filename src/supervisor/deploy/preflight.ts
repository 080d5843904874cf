import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config';
import { ControlError, type Progress } from '../../control/contract';
import {
  bootOnce,
  checkFacts,
  endLeftover,
  type CheckResult,
  type DeployEventListener,
  type Release,
  type ReleaseStore,
} from '../../deploy';
import { memoryRoom } from '../../health/memory-room';
import type { GatewayBot } from '../../ipc/messages';
import type { BotSpec } from '../../sharding/bot-spec';
import type { Clock } from '../../clock';
import type { Master } from '../../sharding/master';

export interface DeployPreflightOptions {
  config: Config;
  store: ReleaseStore;
  master: () => Master;
  /** What is wrong at the moment, a sentence each. */
  openIncidents: () => string[];
  gateway: GatewayBot;
  discordApi: string;
  clock: Clock;
  emit: DeployEventListener;
}

type Tell = (line: Progress) => void;

/** What is looked at before a cluster is touched. */
export class DeployPreflight {
  readonly #dir: string;

  constructor(private readonly options: DeployPreflightOptions) {
    this.#dir = join(options.config.stateDir, 'deploy', 'preflight');
    endLeftover(this.#dir, options.clock);
  }

  /** May this release be deployed now? @throws ControlError with the first check that says no */
  async check(release: Release, force: boolean, tell: Tell): Promise<void> {
    const { config, master, store } = this.options;
    const { clusters, identify } = master().view();
    const sizes = clusters.map(({ sample }) => sample?.rssBytes ?? 0).sort((a, b) => b - a);
    const room = memoryRoom();
    const unready = clusters
      .filter(({ state }) => state !== 'ready')
      .map(({ id, state, message }) => `cluster ${id} is ${state}${message === null ? '' : ` (${message})`}`);
    const results = checkFacts({
      damage: await store.damage(release),
      unready,
      openIncidents: this.options.openIncidents(),
      surgeBytes: sizes.slice(0, config.deploy.batch).reduce((sum, size) => sum + size, 0),
      memoryFreeBytes: room.limitBytes - room.usedBytes,
      diskFreeBytes: freeDisk(config.stateDir),
      identifiesLeft: identify.budget?.remaining ?? null,
      shards: clusters.reduce((sum, { shards }) => sum + shards.length, 0),
    });
    for (const result of results) this.#report(result, release.id, force, tell);
  }

  /** Starts a process of it that goes no further than `login()`. @throws ControlError when it does not get there */
  async boot(spec: BotSpec, tell: Tell, signal: AbortSignal): Promise<void> {
    const { config, gateway, discordApi, clock, emit } = this.options;
    const master = this.options.master();
    tell({ done: false, text: 'check boot: a process of it starts, up to login()' });
    const outcome = await bootOnce({
      ...{ spec, discordApi, gateway, clock, signal },
      shardIds: master.clusters[0]?.shardIds ?? [0],
      totalShards: master.view().totalShards,
      dir: this.#dir,
      timeoutMs: config.deploy.bootTimeout,
    });
    if (outcome.ok) {
      const note = outcome.note === null ? '' : `; ${outcome.note}`;
      tell({ done: false, text: `check boot: it gets as far as login()${note}` });
      return;
    }
    emit({ type: 'deploy.refused', to: spec.release, reason: outcome.reason });
    const readOnly = /EACCES|EROFS|EPERM/.test(outcome.reason);
    const hint = readOnly
      ? 'A release is read-only: name what the bot writes beside its code in deploy.shared'
      : undefined;
    throw new ControlError(409, `Not deployed: the bot does not boot: ${outcome.reason}.`, hint);
  }

  #report({ name, ok, text, canForce }: CheckResult, release: string, force: boolean, tell: Tell): void {
    const forced = !ok && canForce && force;
    tell({ done: false, text: `check ${name}: ${text}${forced ? ' (forced)' : ''}` });
    if (ok || forced) return;
    this.options.emit({ type: 'deploy.refused', to: release, reason: text });
    throw new ControlError(409, `Not deployed: ${text}.`, canForce ? 'To go on all the same: --force' : undefined);
  }
}

function freeDisk(dir: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  } catch {
    return null;
  }
}
