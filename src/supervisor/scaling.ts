import { ControlError, type Progress } from '../control/contract';
import type { ScaleRequest } from '../control/scale-contract';
import { PoolBudgetError } from '../data/pool/budget';
import type { DataSettings } from '../data/settings';
import { memoryRoom } from '../health/memory-room';
import { regroupings, type Regrouping } from '../sharding/handoff/regrouping';
import type { Master, RegroupOutcome } from '../sharding/master';
import { planClusters, planEvenly, type ClusterPlan } from '../sharding/plan';
import type { Deployments } from './deployments';
import { sameClusters, type LayoutFile } from './layout';
import { STEPS } from './replace';

export interface ScalingOptions {
  master: Master;
  deployments: Deployments;
  layout: LayoutFile;
  /** Of the config. */
  shardsPerCluster: number;
  /** What is wrong at the moment, a sentence each. */
  openIncidents: () => string[];
  /** What the SDK in each of so many clusters is told. @throws PoolBudgetError */
  dataSettings: (clusters: number) => Promise<DataSettings>;
}

type Tell = (line: Progress) => void;

/** Groups the shards into other clusters while they serve. */
export class Scaling {
  constructor(private readonly options: ScalingOptions) {}

  /** @throws ControlError when it cannot be done; what is done by then stays done, and is told */
  async scale(request: ScaleRequest, tell: Tell): Promise<void> {
    const { deployments, master } = this.options;
    const target = this.#target(request);
    const parts = regroupings(master.clusters, target);
    if (parts.length === 0) {
      tell({ done: true, ok: true, text: `there are ${describe(target)} already` });
      return;
    }
    const way = parts.length === 1 ? 'in one step' : `in ${parts.length} steps`;
    tell({ done: false, text: `${describe(master.clusters)} become ${describe(target)}, ${way}` });
    const data = await this.#data(target.length);
    this.#check(parts, request, tell);
    if (request.dryRun) {
      tell({ done: true, ok: true, text: 'nothing was changed' });
      return;
    }
    await deployments.scale(
      (specs) => specs.with({ data }),
      async (spec, signal) => {
        let done = 0;
        const outcomes = await master.regroup(target, {
          spec,
          cold: request.cold,
          signal,
          onLayout: (clusters) => this.#keep(clusters),
          onStep: (part, step) => {
            if (step === 'draining' || step === 'starting') done++;
            tell({ done: false, text: `${name(part)}: ${STEPS[step]}`, share: done / (parts.length + 1) });
          },
        });
        this.#conclude(outcomes, target, tell);
      },
    );
  }

  #target({ clusters, shardsPerCluster }: ScaleRequest): readonly ClusterPlan[] {
    const { master } = this.options;
    const { totalShards } = master.view();
    const shardIds = master.clusters.flatMap((cluster) => cluster.shardIds);
    const range = { totalShards, shardIds };
    if (clusters === undefined) return planClusters(range, shardsPerCluster ?? 1).clusters;
    if (clusters > shardIds.length) {
      const message = `${clusters} clusters need at least as many shards; this host has ${shardIds.length}.`;
      throw new ControlError(400, message, `Give a number up to ${shardIds.length}.`);
    }
    return planEvenly(range, clusters).clusters;
  }

  /** @throws ControlError */
  async #data(clusters: number): Promise<DataSettings> {
    try {
      return await this.options.dataSettings(clusters);
    } catch (error) {
      if (error instanceof PoolBudgetError) throw new ControlError(409, `Not scaled: ${error.message}`);
      throw error;
    }
  }

  /** @throws ControlError with the first check that says no */
  #check(parts: readonly Regrouping[], { force, cold }: ScaleRequest, tell: Tell): void {
    const clusters = this.options.master.view().clusters;
    const unready = clusters.filter(({ state }) => state !== 'ready');
    const room = memoryRoom();
    const surge = Math.max(...parts.map(({ from }) => sizeOf(clusters.filter(({ id }) => from.includes(id)))));
    const free = room.limitBytes - room.usedBytes;
    const incidents = this.options.openIncidents();
    const problems = [
      ...unready.map(({ id, state }) => `cluster ${id} is ${state}`),
      ...incidents.map((incident) => `an incident is open: ${incident}`),
      ...(!cold && surge > free ? [`the new processes need ${mib(surge)}, and ${mib(free)} of memory are free`] : []),
    ];
    for (const problem of problems) {
      if (!force) throw new ControlError(409, `Not scaled: ${problem}.`, 'To go on all the same: --force');
      tell({ done: false, text: `${problem} (forced)` });
    }
  }

  /** @throws what the file system throws */
  #keep(clusters: ClusterPlan[]): void {
    const { layout, master, shardsPerCluster } = this.options;
    layout.write({ totalShards: master.view().totalShards, shardsPerCluster, clusters });
  }

  #conclude(outcomes: readonly RegroupOutcome[], target: readonly ClusterPlan[], tell: Tell): void {
    const { layout, master, shardsPerCluster } = this.options;
    const kept = outcomes.find(({ how }) => how === 'kept');
    if (kept !== undefined) {
      const before = outcomes.length === 1 ? '' : `; ${outcomes.length - 1} of the steps before it stand`;
      const text = `clusters ${kept.from.join(', ')} go on as before: ${kept.reason ?? 'unknown'}${before}`;
      tell({ done: true, ok: false, text });
      return;
    }
    const { totalShards } = master.view();
    const shardIds = target.flatMap((cluster) => cluster.shardIds);
    const configured = planClusters({ totalShards, shardIds }, shardsPerCluster).clusters;
    if (sameClusters(configured, target)) layout.clear();
    else {
      const text = 'it stays so, also after a restart, until sharding.shardsPerCluster is changed in the config';
      tell({ done: false, text });
    }
    const identifies = outcomes.reduce((sum, outcome) => sum + outcome.identifies, 0);
    const gaps = outcomes.flatMap(({ gapMs }) => gapMs ?? []);
    const facts = [
      `${outcomes.filter(({ how }) => how === 'handoff').length} of ${outcomes.length} steps by handoff`,
      ...outcomes.flatMap(({ how, reason }) => (how === 'restart' ? [`restarted since ${reason ?? 'unknown'}`] : [])),
      `${identifies} identifies`,
      ...(gaps.length > 0 ? [`longest gap ${Math.round(Math.max(...gaps))} ms`] : []),
    ];
    const unready = master.clusters.filter(({ state }) => state !== 'ready').map(({ id }) => id);
    const ok = unready.length === 0;
    const problem = ok ? '' : `; not ready: cluster ${unready.join(', ')}`;
    tell({ done: true, ok, text: `${describe(target)} (${facts.join(', ')})${problem}`, share: 1 });
  }
}

function name({ from, to }: Regrouping): string {
  const list = (ids: number[]): string => `${ids.length === 1 ? 'cluster' : 'clusters'} ${ids.join(', ')}`;
  return `${list(from)} -> ${list(to.map(({ id }) => id))}`;
}

/** Such as "3 clusters of 5 or 6 shards". */
function describe(clusters: readonly Pick<ClusterPlan, 'shardIds'>[]): string {
  const sizes = [...new Set(clusters.map(({ shardIds }) => shardIds.length))].sort((a, b) => a - b);
  const most = sizes.at(-1) ?? 0;
  const range = sizes.length > 2 ? `${sizes[0] ?? 0} to ${most}` : sizes.join(' or ');
  const plural = clusters.length === 1 ? 'cluster' : 'clusters';
  return `${clusters.length} ${plural} of ${range} ${most === 1 ? 'shard' : 'shards'}`;
}

function sizeOf(clusters: readonly { sample: { rssBytes: number } | null }[]): number {
  return clusters.reduce((sum, { sample }) => sum + (sample?.rssBytes ?? 0), 0);
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}
