import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { CapacityStatus } from '../../capacity';
import type { RestGuardStatus } from '../../control/contract';
import type { MaintenanceStatus } from '../../control/maintenance-contract';
import { GAP_UNKNOWN, type HandoffGap } from '../../ipc/messages';
import type { MaintenanceEvent, StepReport } from '../../maintenance';
import { dataGauges } from '../../metrics/data-facts';
import type { Fact, MetricArchive, MetricName, Metrics } from '../../metrics';
import type { ActionRecord } from '../../recovery';
import type { MasterEvent } from '../../sharding/events';
import type { MasterView } from '../../sharding/master';
import { capacityFacts } from '../capacity/facts';
import { maintenanceGauges } from '../maintenance/facts';
import { guardCounters, guardGauges } from '../rest-guard/facts';
import { SourceTotals } from './source-totals';
import type { TierStatus } from '../data/tiers';

/** What the supervisor knows at the moment. */
export interface FeedView {
  /** null while the master does not exist yet. */
  master: MasterView | null;
  tiers: TierStatus | null;
  /** null: there is none. */
  rest: RestGuardStatus | null;
  /** null: there is none, or it is not up yet. */
  maintenance: MaintenanceStatus | null;
  /** null: nothing was looked ahead for yet. */
  capacity: CapacityStatus | null;
}

const RESOLUTION_MS = 20;
const NS_PER_SECOND = 1e9;
const US_PER_SECOND = 1e6;
const NONE = {};

const CLUSTER_STATES = [
  'waiting',
  'booting',
  'starting',
  'ready',
  'degraded',
  'hung',
  'backoff',
  'crash-loop',
  'fatal',
  'stopping',
  'stopped',
] as const satisfies readonly MasterView['clusters'][number]['state'][];

const SHARD_STATES = [
  'waiting',
  'connecting',
  'queued',
  'identifying',
  'guilds',
  'resuming',
  'ready',
  'stale',
  'disconnected',
  'dead',
] as const satisfies readonly MasterView['shards'][number]['state'][];

/** Brings what happens in the supervisor and what its agents report into the metrics. */
export class MetricsFeed {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #timer: NodeJS.Timeout | null = null;
  #lastFacts: readonly Fact[] = [];
  #cpu = { user: 0, system: 0 };
  readonly #guardTotals: SourceTotals;

  constructor(
    private readonly metrics: Metrics,
    private readonly look: () => FeedView,
    /** How often it is looked at. */
    private readonly intervalMs: number,
    private readonly archive: MetricArchive,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#guardTotals = new SourceTotals(metrics, Date.now());
  }

  /** Goes on where the supervisor before this one ended. */
  async start(): Promise<void> {
    await this.archive.load();
    this.#delay.enable();
    this.#collect();
    this.#timer = setInterval(() => this.#collect(), this.intervalMs).unref();
  }

  async stop(): Promise<void> {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#delay.disable();
    await this.archive.flush();
  }

  onEvent(event: MasterEvent): void {
    const { metrics } = this;
    switch (event.type) {
      case 'cluster.sample': {
        const { cluster, incarnation, adopted, sample } = event;
        metrics.take({ cluster, incarnation, adopted }, sample);
        break;
      }
      case 'cluster.spawned':
      case 'cluster.adopted':
        // A counter is there from the beginning: an increase from nothing to 1 would not be seen.
        metrics.count('cluster_restarts_total', { cluster: String(event.cluster) }, 0);
        metrics.count('cluster_hangs_total', { cluster: String(event.cluster) }, 0);
        break;
      case 'cluster.exited':
        metrics.processEnded(event.cluster);
        break;
      case 'cluster.dissolved':
        metrics.processEnded(event.cluster);
        this.#setGap(event.cluster, { gapMs: NaN, caughtUpMs: NaN });
        break;
      case 'cluster.handed-over':
      case 'cluster.formed':
        this.#onHandoff(event.cluster, 'done', event);
        break;
      case 'cluster.handoff-failed':
        this.#onHandoff(event.cluster, 'failed', GAP_UNKNOWN);
        break;
      case 'cluster.retry':
        metrics.count('cluster_restarts_total', { cluster: String(event.cluster) });
        break;
      case 'cluster.hung':
        metrics.count('cluster_hangs_total', { cluster: String(event.cluster) });
        break;
      default:
        break;
    }
  }

  #onHandoff(cluster: number, outcome: 'done' | 'failed', gap: HandoffGap): void {
    this.metrics.count('cluster_handoffs_total', { cluster: String(cluster), outcome });
    this.#setGap(cluster, gap);
  }

  #setGap(id: number, { gapMs, caughtUpMs }: HandoffGap): void {
    const labels = { cluster: String(id) };
    const set = (name: MetricName, ms: number | null): void => {
      if (ms !== null) this.metrics.set([{ name, labels, value: ms / 1_000 }]);
    };
    set('cluster_handoff_gap_seconds', gapMs);
    set('cluster_handoff_catch_up_seconds', caughtUpMs);
  }

  onRecovery({ type, step, outcome, dryRun }: ActionRecord): void {
    if (dryRun) return;
    this.metrics.count('recovery_actions_total', { type, step, outcome: outcome?.ok === true ? 'ok' : 'failed' });
  }

  onMaintenance(event: MaintenanceEvent): void {
    if (event.type === 'maintenance.ended') this.metrics.count('maintenance_runs_total', { outcome: event.outcome });
    if (event.type === 'maintenance.skipped') this.metrics.count('maintenance_runs_total', { outcome: 'skipped' });
  }

  onMaintenanceStep({ task, outcome }: StepReport): void {
    this.metrics.count('maintenance_steps_total', { task, outcome });
  }

  /** Shards and clusters that are no more have no last state that would stay. */
  #masterFacts(master: MasterView | null): Fact[] {
    const facts = master === null ? [] : masterFacts(master);
    const key = ({ name, labels }: Fact): string => `${name} ${JSON.stringify(labels)}`;
    const known = new Set(facts.map(key));
    const gone = this.#lastFacts.filter((fact) => !known.has(key(fact)));
    this.#lastFacts = facts;
    return [...facts, ...gone.map((fact) => ({ ...fact, value: NaN }))];
  }

  #collect(): void {
    try {
      const { master, tiers, rest, maintenance, capacity } = this.look();
      this.metrics.set([
        ...this.#own(),
        ...tierFacts(tiers),
        ...(rest === null ? [] : guardGauges(rest)),
        ...(maintenance === null ? [] : maintenanceGauges(maintenance, Date.now())),
        ...(capacity === null ? [] : capacityFacts(capacity)),
        ...this.#masterFacts(master),
      ]);
      if (rest !== null && rest.figures !== null) this.#guardTotals.take(rest.figures, guardCounters(rest));
      this.metrics.tick();
      this.archive.tick();
    } catch (error) {
      this.onError(error);
    }
  }

  #own(): Fact[] {
    const { user, system } = process.cpuUsage();
    this.metrics.count('supervisor_cpu_seconds_total', { mode: 'user' }, (user - this.#cpu.user) / US_PER_SECOND);
    this.metrics.count('supervisor_cpu_seconds_total', { mode: 'system' }, (system - this.#cpu.system) / US_PER_SECOND);
    this.#cpu = { user, system };
    const delay = this.#delay.percentile(99) / NS_PER_SECOND - RESOLUTION_MS / 1_000;
    this.#delay.reset();
    return [
      { name: 'supervisor_resident_memory_bytes', labels: NONE, value: process.memoryUsage.rss() },
      { name: 'supervisor_event_loop_delay_p99_seconds', labels: NONE, value: Math.max(0, delay) },
    ];
  }
}

function tierFacts(tiers: TierStatus | null): Fact[] {
  const up = ({ kind, state }: TierStatus['postgres' | 'redis']): number =>
    kind === 'off' ? NaN : state === 'up' ? 1 : 0;
  if (tiers === null) return [];
  return [
    { name: 'postgres_up', labels: NONE, value: up(tiers.postgres) },
    { name: 'redis_up', labels: NONE, value: up(tiers.redis) },
  ];
}

function masterFacts({ clusters, shards, identify, gate }: MasterView): Fact[] {
  const { budget } = identify;
  const facts: Fact[] = [
    ...byState('clusters', CLUSTER_STATES, clusters),
    ...byState('shards', SHARD_STATES, shards),
    { name: 'identify_remaining', labels: NONE, value: budget?.remaining ?? NaN },
    { name: 'identify_limit', labels: NONE, value: budget?.total ?? NaN },
    { name: 'identify_reserve', labels: NONE, value: budget?.reserve ?? NaN },
    { name: 'identify_queue_length', labels: NONE, value: identify.queued },
    { name: 'gateway_passing', labels: NONE, value: gate.gate === 'passing' ? 1 : 0 },
    ...dataGauges(clusters.flatMap(({ pid, sample }) => (pid === null ? [] : (sample?.data ?? [])))),
  ];
  for (const { id, state } of clusters) {
    facts.push({ name: 'cluster_ready', labels: { cluster: String(id) }, value: state === 'ready' ? 1 : 0 });
  }
  for (const { id, cluster, state, pingMs, guilds, unavailableGuilds } of shards) {
    const labels = { cluster: String(cluster), shard: String(id) };
    const ready = state === 'ready';
    facts.push(
      { name: 'shard_ready', labels, value: ready ? 1 : 0 },
      // The ping of a shard that hears nothing any more is its last good one.
      { name: 'shard_ping_seconds', labels, value: ready && pingMs !== null ? pingMs / 1_000 : NaN },
      { name: 'shard_guilds', labels, value: guilds },
      { name: 'shard_unavailable_guilds', labels, value: unavailableGuilds },
    );
  }
  return facts;
}

function byState(name: 'clusters' | 'shards', states: readonly string[], items: readonly { state: string }[]): Fact[] {
  return states.map((state) => ({
    name,
    labels: { state },
    value: items.filter((item) => item.state === state).length,
  }));
}
