import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../../config';
import { ControlError, type Progress } from '../../control/contract';
import type { OutageStatus, RecoverRequest, RecoveryAction, RecoveryOverview } from '../../control/recovery-contract';
import { INCIDENT_TYPES, type IncidentDesk, type IncidentType, type Scope } from '../../incidents';
import type { Remedy } from '../../ipc/remedies';
import {
  History,
  RecoveryEngine,
  RecoveryRefused,
  STRATEGIES,
  type ActionRecord,
  type Fleet,
  type RecoveryActions,
  type StepOutcome,
  type Strategy,
  type StrategyOverride,
  type UnderWay,
} from '../../recovery';
import { Degradations } from './degradations';
import { OutageMode } from './outage-mode';
import { pruneState } from './prune';
import type { DataTier } from '../data/tier';
import type { MasterEvent } from '../../sharding/events';
import type { Master } from '../../sharding/master';
import type { RestGuardProcess } from '../rest-guard/process';
import type { Tiers } from '../data/tiers';

export interface RecoveryOptions {
  config: Config;
  desk: IncidentDesk;
  master: () => Master | null;
  tiers: () => Tiers | null;
  data: () => DataTier | null;
  restGuard: () => RestGuardProcess | null;
  busy: () => UnderWay;
  /** A step was taken; for the metrics. */
  onAction: (record: ActionRecord) => void;
  logger: Logger;
}

/** A handler of the bot may take so long, ms; beyond that the remedy counts as failed. */
const REMEDY_MS = 15_000;
const ROUND_MS = 1_000;
const HOUR_MS = 60 * 60 * 1_000;
const SHOWN_ACTIONS = 50;

/** Recovery as the supervisor runs it: the engine, outage mode, and what both can do to the other parts. */
export class Recovery {
  readonly #engine: RecoveryEngine;
  readonly #history: History;
  readonly #outage: OutageMode;
  readonly #degradations: Degradations;
  #timer: NodeJS.Timeout | null = null;

  constructor(private readonly options: RecoveryOptions) {
    const { config, desk, logger, busy, onAction } = options;
    this.#history = new History(join(config.stateDir, 'recovery.json'), steadyNow, (error) => {
      logger.warn(
        { err: error },
        'what recovery does cannot be written down; its limits hold until the supervisor ends',
      );
    });
    this.#outage = new OutageMode({
      enabled: config.recovery.outageMode,
      master: options.master,
      desk,
      now: steadyNow,
      logger,
    });
    this.#degradations = new Degradations({
      master: options.master,
      tiers: options.tiers,
      outage: () => this.#outage.status?.text ?? null,
    });
    const { mode, maxPerHour, maxShards } = config.recovery;
    this.#engine = new RecoveryEngine({
      desk,
      actions: this.#actions(),
      fleet: () => this.#fleet(),
      history: this.#history,
      settings: { mode, maxPerHour, maxShards },
      overrides: overridesOf(config),
      isOutage: () => this.#outage.status !== null,
      busy,
      now: steadyNow,
      onStep: (record) => {
        logAction(logger, record);
        onAction(record);
      },
      onGivenUp: ({ id, rule, scope }, why) => {
        const fields = { event: 'recovery.given-up', type: rule, scope, incident: id };
        logger.error(fields, `recovery does nothing more about ${rule} (${scope}): ${why}`);
      },
    });
  }

  /** null: Discord is not known to be out. */
  get outage(): OutageStatus | null {
    return this.#outage.status;
  }

  start(): void {
    this.#engine.start();
    this.#timer = setInterval(() => {
      this.#outage.round();
      this.#degradations.round();
    }, ROUND_MS).unref();
  }

  stop(): void {
    this.#engine.stop();
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  onEvent(event: MasterEvent): void {
    if (event.type === 'gateway.attempt') this.#outage.attempted(event.shard, event.reason);
  }

  /** @throws ControlError */
  async recover({ type, scope, dryRun }: RecoverRequest, onProgress: (line: Progress) => void): Promise<void> {
    const known = INCIDENT_TYPES.find((name) => name === type);
    if (known === undefined) throw new ControlError(404, `There is no incident type ${type}.`, 'See: botctl recover');
    const order = { type: known, dryRun, ...(scope !== undefined && { scope: this.#scope(scope) }) };
    try {
      const helped = await this.#engine.recover(order, (text) => onProgress({ done: false, text }));
      const end = dryRun ? 'nothing was done (--dry-run)' : helped ? 'done' : 'nothing has helped';
      onProgress({ done: true, ok: helped, text: end });
    } catch (error) {
      if (error instanceof RecoveryRefused) throw new ControlError(409, error.message, error.hint);
      throw error;
    }
  }

  /** @throws ControlError when there is no outage to end */
  endOutage(): void {
    if (!this.#outage.end()) throw new ControlError(409, 'Outage mode is not on.');
  }

  overview(): RecoveryOverview {
    const { mode, maxPerHour, maxShards } = this.options.config.recovery;
    const recent = this.#history.records.filter(({ at, dryRun }) => steadyNow() - at < HOUR_MS && !dryRun);
    return {
      mode,
      maxPerHour,
      maxShards,
      usedThisHour: recent.length,
      outage: this.#outage.status,
      busy: this.options.busy().cluster,
      strategies: INCIDENT_TYPES.map((type) => {
        const strategy: Strategy = STRATEGIES[type];
        const steps = strategy.kind === 'act' ? strategy.steps : [];
        return {
          type,
          summary: strategy.summary,
          steps: steps.map(({ name, does, touches, verifyMs }) => ({ name, does, touches, verifyMs })),
          ...this.#engine.limitsOf(type, strategy),
          usedThisHour: recent.filter((record) => record.type === type).length,
        };
      }),
      actions: this.#history.records.slice(-SHOWN_ACTIONS).reverse().map(actionOf),
    };
  }

  #scope(text: string): Scope {
    const [kind = '', id] = text.split(':');
    const fleet = this.#fleet();
    const clusters = fleet.clusters.map(({ id: cluster }) => cluster);
    const shards = fleet.clusters.flatMap((cluster) => cluster.shards.map((shard) => shard.id));
    const databases =
      this.options
        .data()
        ?.view()
        .shards.map(({ shard }) => shard) ?? [];
    const numbers = { cluster: clusters, shard: shards, db: databases }[kind];
    const plain = ['bot', 'host', 'supervisor', 'rest', 'redis', 'postgres'].includes(text);
    if (plain || (id !== undefined && numbers?.includes(Number(id)) === true)) return text as Scope;
    throw new ControlError(
      404,
      `There is no ${text}.`,
      'A scope is bot, cluster:3, shard:17, db:0, redis, rest or host.',
    );
  }

  #fleet(): Fleet {
    const view = this.options.master()?.view() ?? null;
    if (view === null) return { clusters: [] };
    const shards = new Map<number, { id: number; ready: boolean }[]>(view.clusters.map(({ id }) => [id, []]));
    for (const { id, cluster, state } of view.shards) shards.get(cluster)?.push({ id, ready: state === 'ready' });
    return {
      clusters: view.clusters.map(({ id, state, sample }) => ({
        ...{ id, state },
        shards: shards.get(id) ?? [],
        waiting: (sample?.data?.pools ?? []).reduce((sum, { waiting }) => sum + waiting, 0),
      })),
    };
  }

  #actions(): RecoveryActions {
    const { master, tiers, restGuard, config } = this.options;
    return {
      reconnectShard: (shard) => {
        const asked = master()?.clusterOfShard(shard)?.reconnectShard(shard) ?? false;
        return Promise.resolve({ ok: asked, text: asked ? 'asked to resume' : 'its cluster has no agent to do it' });
      },
      replaceCluster: (cluster) => this.#replace(cluster),
      remedy: (remedy, clusters) => this.#remedy(remedy, clusters),
      reviveServer: async (server) => (await tiers()?.revive(server)) ?? { ok: false, text: 'there is none' },
      addConnections: (database) => this.#addConnections(database),
      slowRest: async (share, forMs) => {
        const guard = restGuard();
        if (guard === null) return { ok: false, text: 'there is no REST guard (rest.guard: false)' };
        return attempt(async () => {
          await guard.slow(share, forMs);
          return `${Math.round(share * 100)} % of the limit for ${Math.round(forMs / 60_000)} min`;
        });
      },
      saveIdentifies: (forMs) => {
        master()?.saveIdentifies(Date.now() + forMs);
        return Promise.resolve({ ok: true, text: 'crash loops, respawnAll and replacements wait' });
      },
      prune: () =>
        attempt(async () => {
          const { files, bytes } = await pruneState(config.stateDir, Date.now());
          const { bavail, bsize } = await statfs(config.stateDir);
          const mb = (size: number): string => `${Math.round(size / 1_048_576)} MB`;
          return `${files} files with ${mb(bytes)} deleted, ${mb(bavail * bsize)} free`;
        }),
    };
  }

  async #replace(id: number): Promise<StepOutcome> {
    const cluster = this.options.master()?.cluster(id);
    if (cluster === undefined) return { ok: false, text: `there is no cluster ${id}` };
    if (this.options.master()?.savesIdentifies === true && !cluster.resumable) {
      return { ok: false, text: 'its sessions could not be resumed, and identifies are few' };
    }
    return attempt(async () => {
      const { how, reason, ready, identifies } = await cluster.replace({ operator: false });
      if (how === 'kept') throw new Error(`the old process goes on (${reason ?? 'no reason given'})`);
      if (!ready) throw new Error(`by ${how}, but it is not ready (${cluster.state})`);
      return `by ${how}, ${identifies} identifies${reason === null ? '' : ` (${reason})`}`;
    });
  }

  async #remedy(remedy: Remedy, ids?: readonly number[]): Promise<StepOutcome> {
    const clusters = (this.options.master()?.clusters ?? []).filter(({ id }) => ids === undefined || ids.includes(id));
    const outcomes = await Promise.all(
      clusters.map(async (cluster) => ({ id: cluster.id, ...(await cluster.remedy(remedy, REMEDY_MS)) })),
    );
    const failed = outcomes.filter(({ ok }) => !ok);
    const [first] = failed.length > 0 ? failed : outcomes;
    if (first === undefined) return { ok: false, text: 'no cluster is there to do it' };
    const others = outcomes.length > 1 ? ` (${outcomes.length - failed.length} of ${outcomes.length} clusters)` : '';
    return { ok: failed.length < outcomes.length, text: `cluster ${first.id}: ${first.text}${others}` };
  }

  async #addConnections(database: number | null): Promise<StepOutcome> {
    const tier = this.options.data();
    const clusters = this.options.master()?.clusters.length ?? 0;
    if (tier === null) return { ok: false, text: 'there are no database shards' };
    let factor = 1;
    try {
      factor = await tier.headroom(clusters, database);
    } catch (error) {
      return { ok: false, text: `the servers cannot be asked: ${(error as Error).message}` };
    }
    if (factor < MIN_FACTOR) return { ok: false, text: 'the database servers have no connections to spare' };
    return this.#remedy({ kind: 'scale-pool', database, factor });
  }
}

/** Less is not worth a change. */
const MIN_FACTOR = 1.1;

const STARTED_AT = Date.now() - performance.now();

/** ms since the epoch, by a clock that nobody can set: limits and windows do not jump. */
function steadyNow(): number {
  return STARTED_AT + performance.now();
}

async function attempt(work: () => Promise<string>): Promise<StepOutcome> {
  try {
    return { ok: true, text: await work() };
  } catch (error) {
    return { ok: false, text: error instanceof Error ? error.message : String(error) };
  }
}

function overridesOf({ recovery }: Config): Partial<Record<IncidentType, StrategyOverride>> {
  const entries = Object.entries(recovery.strategies).map(([key, { enabled, coolDown, maxPerHour }]) => {
    const type = key.replace(/([A-Z]|\d+)/g, (part) => `-${part.toLowerCase()}`);
    return [type, { enabled, coolDownMs: coolDown, maxPerHour }] as const;
  });
  return Object.fromEntries(entries);
}

function logAction(logger: Logger, { type, scope, step, outcome, dryRun, byHand, incident }: ActionRecord): void {
  const fields = { event: 'recovery.step', type, scope, step, incident, ok: outcome?.ok, dryRun, byHand };
  const text = `recovery of ${type} (${scope}): ${step}, ${outcome?.text ?? ''}`;
  logger[outcome?.ok === true ? 'info' : 'warn'](fields, text);
}

function actionOf({ at, incident, type, scope, step, outcome, helped, dryRun, byHand }: ActionRecord): RecoveryAction {
  const [ok, text] = [outcome?.ok ?? null, outcome?.text ?? null];
  return { at, incident, type, scope, step, ok, text, helped, dryRun, byHand };
}
