import type { Config } from '../../config';
import { ControlError, type Progress } from '../../control/contract';
import type { ScaleRequest } from '../../control/scale-contract';
import { PoolBudgetError } from '../../data/pool/budget';
import type { DataSettings } from '../../data/settings';
import { memoryRoom } from '../../health/memory-room';
import type { Regrouping } from '../../sharding/handoff/regrouping';
import type { Master } from '../../sharding/master';
import {
  MAX_SHARDS,
  minimumShards,
  planClusters,
  planEvenly,
  type ClusterPlan,
  type ShardPlan,
} from '../../sharding/plan';
import type { HandoffStep } from '../../sharding/handoff/replace';
import { partsOf, type RegroupOutcome } from '../../sharding/regrouper';
import type { Deployments } from './deployments';
import { sameClusters, type LayoutFile } from './layout';

export interface ScalingOptions {
  master: Master;
  deployments: Deployments;
  layout: LayoutFile;
  /** Of the config. */
  config: Pick<Config['sharding'], 'totalShards' | 'shardsPerCluster' | 'shards'>;
  /** What Discord recommends. */
  recommendedShards: number;
  /** What is wrong at the moment, a sentence each. */
  openIncidents: () => string[];
  /** What the SDK in each of so many clusters is told. @throws PoolBudgetError */
  dataSettings: (clusters: number) => Promise<DataSettings>;
}

type Tell = (line: Progress) => void;

const STEPS: Record<HandoffStep, string> = {
  booting: 'the new processes boot',
  copying: 'the caches go over',
  connecting: 'the new processes connect',
  cutting: 'the sessions go over',
  resuming: 'the new processes resume',
  draining: 'the old processes finish their work',
  stopping: 'the old processes stop',
  starting: 'the new processes start',
};
const RESHARD_STEPS: Record<HandoffStep, string> = {
  ...STEPS,
  copying: 'all shards identify',
  connecting: 'all guilds are there',
  cutting: 'the old processes stop at an exact event',
  resuming: 'the new processes handle what came meanwhile',
};
/** The progress of identifying is told in so many parts. */
const PARTS_TOLD = 8;
/** Discord lets so many identify at a time, each once in so long, s. */
const IDENTIFY_SECONDS = 5;

/** Groups the shards into other clusters while they serve. */
export class Scaling {
  constructor(private readonly options: ScalingOptions) {}

  /** @throws ControlError when it cannot be done; what is done by then stays done, and is told */
  async scale(request: ScaleRequest, tell: Tell): Promise<void> {
    const { deployments, master } = this.options;
    const now = { totalShards: master.view().totalShards, clusters: master.clusters };
    const target = this.#target(request, now);
    const parts = partsOf(now, target);
    if (parts.length === 0) {
      tell({ done: true, ok: true, text: `there are ${describe(target.clusters)} already` });
      return;
    }
    const way = parts.length === 1 ? 'in one step' : `in ${parts.length} steps`;
    tell({ done: false, text: `${describe(now.clusters)} become ${describe(target.clusters)}, ${way}` });
    if (target.totalShards !== now.totalShards) this.#checkBudget(target, tell);
    const data = await this.#data(target.clusters.length);
    this.#check(parts, request, tell);
    if (request.dryRun) {
      tell({ done: true, ok: true, text: 'nothing was changed' });
      return;
    }
    await deployments.scale(
      (specs) => specs.with({ data }),
      async (spec, signal) => {
        let done = 0;
        const isReshard = target.totalShards !== now.totalShards;
        const words = isReshard ? RESHARD_STEPS : STEPS;
        const outcomes = await master.regroup(target, {
          spec,
          cold: request.cold,
          signal,
          onLayout: (plan) => this.#keep(plan),
          onStep: (part, step) => {
            if (step === 'draining' || step === 'starting') done++;
            tell({ done: false, text: `${name(part)}: ${words[step]}`, share: done / (parts.length + 1) });
          },
          onIdentified: (count) => {
            const { totalShards } = target;
            if (count % Math.ceil(totalShards / PARTS_TOLD) !== 0 && count !== totalShards) return;
            const text = `${count} of ${totalShards} shards have identified`;
            tell({ done: false, text, share: (0.5 * count) / totalShards });
          },
        });
        this.#conclude(outcomes, target, tell);
      },
    );
  }

  /** @throws ControlError */
  #target({ clusters, shardsPerCluster, shards }: ScaleRequest, now: ShardPlan): ShardPlan {
    const { config, recommendedShards } = this.options;
    if (shards !== undefined) {
      if (config.shards !== undefined) {
        const message = 'The shards of this bot are spread over several hosts (sharding.shards).';
        throw new ControlError(409, message, 'Change sharding.totalShards on all of them, then stop and start each.');
      }
      const least = minimumShards(recommendedShards);
      if (shards < least || shards > MAX_SHARDS) {
        const message = `Discord takes ${least} to ${MAX_SHARDS} shards for a bot of this size, not ${shards}.`;
        throw new ControlError(400, message, `It recommends ${recommendedShards}.`);
      }
    }
    const totalShards = shards ?? now.totalShards;
    const shardIds =
      totalShards === now.totalShards
        ? now.clusters.flatMap((cluster) => cluster.shardIds)
        : Array.from({ length: totalShards }, (_, id) => id);
    const range = { totalShards, shardIds };
    const size = shardsPerCluster ?? Math.max(...now.clusters.map((cluster) => cluster.shardIds.length));
    if (clusters === undefined) return planClusters(range, size);
    if (clusters > shardIds.length) {
      const message = `${clusters} clusters need at least as many shards; this host has ${shardIds.length}.`;
      throw new ControlError(400, message, `Give a number up to ${shardIds.length}.`);
    }
    return planEvenly(range, clusters);
  }

  /** Each shard of another number identifies. @throws ControlError when there are not enough of them left today */
  #checkBudget({ totalShards }: ShardPlan, tell: Tell): void {
    const { budget, maxConcurrency } = this.options.master.view().identify;
    if (budget !== null && budget.remaining < totalShards) {
      const message = `Not scaled: ${totalShards} shards have to identify, and ${budget.remaining} IDENTIFYs are left today.`;
      throw new ControlError(409, message, `There are more at ${new Date(budget.resetAt).toISOString()}.`);
    }
    const seconds = Math.ceil(totalShards / maxConcurrency) * IDENTIFY_SECONDS;
    tell({ done: false, text: `all ${totalShards} shards identify beside the old ones, in about ${seconds} s` });
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
  #keep({ totalShards, clusters }: ShardPlan): void {
    const { totalShards: configured, shardsPerCluster } = this.options.config;
    this.options.layout.write({ totalShards, configured: { totalShards: configured, shardsPerCluster }, clusters });
  }

  #conclude(outcomes: readonly RegroupOutcome[], target: ShardPlan, tell: Tell): void {
    const { layout, master, config } = this.options;
    const kept = outcomes.find(({ how }) => how === 'kept');
    if (kept !== undefined) {
      const before = outcomes.length === 1 ? '' : `; ${outcomes.length - 1} of the steps before it stand`;
      const text = `${list(kept.from)} ${kept.from.length === 1 ? 'goes' : 'go'} on as before: ${kept.reason ?? 'unknown'}${before}`;
      tell({ done: true, ok: false, text });
      return;
    }
    const { totalShards, clusters } = target;
    const shardIds = clusters.flatMap((cluster) => cluster.shardIds);
    const isConfigured =
      config.totalShards === totalShards &&
      sameClusters(planClusters({ totalShards, shardIds }, config.shardsPerCluster).clusters, clusters);
    if (isConfigured) layout.clear();
    else {
      const keys = 'sharding.totalShards or sharding.shardsPerCluster';
      tell({ done: false, text: `it stays so, also after a restart, until ${keys} is changed in the config` });
    }
    const identifies = outcomes.reduce((sum, outcome) => sum + outcome.identifies, 0);
    const gaps = outcomes.flatMap(({ gapMs }) => gapMs ?? []);
    const facts = [
      `${outcomes.filter(({ how }) => how === 'handoff').length} of ${outcomes.length} steps by handoff`,
      ...outcomes.flatMap(({ how, reason }) => (how === 'restart' ? [`restarted since ${reason ?? 'unknown'}`] : [])),
      `${identifies} identifies`,
      ...(gaps.length > 0 ? [`longest gap ${Math.round(Math.max(...gaps))} ms`] : []),
    ];
    const missed = outcomes.reduce((sum, outcome) => sum + outcome.missed, 0);
    if (missed > 0) facts.push(`${missed} events were handled by neither`);
    const unready = master.clusters.filter(({ state }) => state !== 'ready').map(({ id }) => id);
    const ok = unready.length === 0;
    const problem = ok ? '' : `; not ready: cluster ${unready.join(', ')}`;
    tell({ done: true, ok, text: `${describe(clusters)} (${facts.join(', ')})${problem}`, share: 1 });
  }
}

function name({ from, to }: Regrouping): string {
  return `${list(from)} -> ${list(to.map(({ id }) => id))}`;
}

/** Such as "cluster 3", "clusters 3, 5" or "clusters 3 to 9". */
function list(ids: readonly number[]): string {
  const [first = 0, last = 0] = [ids[0], ids.at(-1)];
  if (ids.length === 1) return `cluster ${first}`;
  return last - first === ids.length - 1 && ids.length > 2
    ? `clusters ${first} to ${last}`
    : `clusters ${ids.join(', ')}`;
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
