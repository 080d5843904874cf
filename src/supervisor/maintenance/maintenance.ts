import { hostname } from 'node:os';
import type { Client } from 'pg';
import type { Logger } from 'pino';
import type { Config } from '../../config';
import { ControlError, type Progress } from '../../control/contract';
import type {
  BackupStatus,
  MaintainRequest,
  MaintenanceOverview,
  MaintenanceReport,
  MaintenanceStatus,
  MaintenanceStep,
} from '../../control/maintenance-contract';
import { connectClient } from '../../data/pool/connect';
import {
  isTaskName,
  Maintenance,
  type MaintenanceEvent,
  MaintenanceRefusedError,
  type MaintenanceTask,
  type PruneReleases,
  type RunReport,
  stepName,
  type StepRecord,
  type StepReport,
  type TaskName,
  TASKS,
} from '../../maintenance';
import { BackupTask } from '../../maintenance/tasks/backup';
import { CacheTask } from '../../maintenance/tasks/cache';
import { HistoryTask } from '../../maintenance/tasks/history';
import { PruneBackupsTask } from '../../maintenance/tasks/prune-backups';
import { ReindexTask } from '../../maintenance/tasks/reindex';
import { ReleasesTask } from '../../maintenance/tasks/releases';
import { RetentionTask } from '../../maintenance/tasks/retention';
import { VacuumTask } from '../../maintenance/tasks/vacuum';
import { systemClock } from '../../clock';
import { type Backups, createBackups } from './backups';
import { logMaintenance } from './log';
import { readTls } from '../data/tls';

export interface SupervisorMaintenanceOptions {
  config: Config;
  version: string;
  /** One per database shard. */
  databaseUrls: readonly string[];
  logger: Logger;
  /** Why nothing should be done now; null: nothing speaks against it. */
  busy: () => string | null;
  /** Beside the log: for incidents and metrics. */
  onEvent: (event: MaintenanceEvent) => void;
  onStep: (step: StepReport) => void;
  /** null: there are no releases. */
  pruneReleases: PruneReleases | null;
}

/** How often the backups are looked at, ms. */
const LOOK_MS = 10 * 60_000;
const RECENT_RUNS = 10;

/** Puts maintenance together from the config, and answers `botctl maintain` and `botctl backup now`. */
export class SupervisorMaintenance {
  readonly #options: SupervisorMaintenanceOptions;
  readonly #urls: readonly string[];
  readonly #backups: Backups;
  readonly #maintenance: Maintenance;
  readonly #problem: string | null;
  #backup: BackupStatus;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: SupervisorMaintenanceOptions) {
    const { config, databaseUrls, version } = options;
    this.#options = options;
    this.#urls = config.maintenance.shards ?? databaseUrls;
    this.#problem =
      config.postgres.pool.pgbouncer && config.maintenance.shards === undefined
        ? 'postgres.shards lead to PgBouncer, through which databases cannot be maintained.'
        : null;
    this.#backups = createBackups(config, this.#urls, version);
    this.#backup = { target: this.#backups.store.target.address, count: 0, last: null, problem: null };
    this.#maintenance = this.#create();
  }

  start(): void {
    if (this.#problem !== null) {
      this.#options.logger.warn(`${this.#problem} Set maintenance.shards to their direct addresses.`);
      return;
    }
    this.#maintenance.start();
    void this.#lookAtBackups();
    this.#timer = setInterval(() => void this.#lookAtBackups(), LOOK_MS).unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#maintenance.stop();
  }

  status(): MaintenanceStatus {
    const { next, running, last, failing } = this.#maintenance.view();
    return {
      next: next === null || this.#problem !== null ? null : { at: next.at.getTime(), tasks: next.tasks },
      running: running === null ? null : { ...running, since: running.since.getTime() },
      last: last === null ? null : { ...last, startedAt: last.startedAt.getTime(), endedAt: last.endedAt.getTime() },
      failing,
      backup: this.#backup,
    };
  }

  async overview(): Promise<MaintenanceOverview> {
    const { runs, steps } = await this.#maintenance.recent(RECENT_RUNS);
    return {
      status: this.status(),
      runs: runs.map(({ startedAt, endedAt, ...run }) => ({
        ...run,
        startedAt: startedAt.getTime(),
        endedAt: endedAt?.getTime() ?? null,
      })),
      steps: steps.map(toStep),
    };
  }

  async maintain(request: MaintainRequest, tell: (line: Progress) => void): Promise<void> {
    if (this.#problem !== null)
      throw new ControlError(409, this.#problem, 'Set maintenance.shards to their direct addresses.');
    const tasks = request.tasks?.map((name) => this.#known(name)) ?? null;
    try {
      const report = await this.#maintenance.runNow(
        { tasks, dryRun: request.dryRun, force: request.force },
        (text) => tell({ done: false, text }),
        (step) => tell({ done: false, text: stepText(step) }),
      );
      await this.#lookAtBackups();
      tell({ done: true, ok: report.outcome !== 'failed', text: summary(report), report: toReport(report) });
    } catch (error) {
      if (error instanceof MaintenanceRefusedError) throw new ControlError(409, error.message, error.hint);
      throw new ControlError(
        500,
        `Maintenance could not begin: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  #known(name: string): TaskName {
    const all = this.#tasks().map((task) => task.name);
    if (isTaskName(name) && all.includes(name)) return name;
    throw new ControlError(404, `There is no task ${name}.`, `Tasks: ${all.join(', ')}.`);
  }

  #create(): Maintenance {
    const { config, busy } = this.#options;
    const { window, tasks, enabled, catchUp } = config.maintenance;
    const schedules: Record<TaskName, { enabled: boolean; schedule?: string | undefined }> = {
      ...tasks,
      backup: config.backup,
      'prune-backups': config.backup,
    };
    const own = this.#tasks().map(({ name }) => name);
    return new Maintenance({
      tasks: this.#tasks(),
      schedule: {
        window,
        tasks: TASKS.filter((name) => own.includes(name) && schedules[name].enabled && enabled).map((name) => ({
          name,
          schedule: schedules[name].schedule ?? null,
        })),
      },
      catchUp,
      shards: this.#urls.length,
      connect: (shard) => this.#connect(shard),
      host: `${hostname()} (process ${process.pid})`,
      busy,
      emit: (event) => this.#emit(event),
      onStep: (step) => this.#options.onStep(step),
      clock: systemClock,
    });
  }

  #tasks(): MaintenanceTask[] {
    const { config, pruneReleases } = this.#options;
    const { maintenance, backup } = config;
    const { vacuum, reindex, history } = maintenance.tasks;
    const { store, maker, verifier } = this.#backups;
    const emit = (event: MaintenanceEvent): void => this.#emit(event);
    return [
      new BackupTask({ store, maker, verifier: backup.verify ? verifier : null, emit }),
      new PruneBackupsTask(store, backup.keep, maintenance.window.zone),
      new RetentionTask({
        rules: maintenance.retention.map(({ table, column, keep, unit, zone }) => ({
          ...{ table, column, keepMs: keep, unit: unit ?? null },
          zone: zone ?? maintenance.window.zone,
        })),
        pauseAbove: maintenance.pauseAbove,
      }),
      new CacheTask(),
      new HistoryTask(history),
      new VacuumTask(vacuum, emit),
      new ReindexTask({ bloatShare: reindex.bloat, minBytes: reindex.minSize }),
      ...(pruneReleases === null ? [] : [new ReleasesTask(pruneReleases)]),
    ];
  }

  #connect(shard: number): Promise<Client> {
    const { tls } = this.#options.config.postgres;
    return connectClient({
      url: this.#urls[shard] ?? '',
      applicationName: 'botctl maintenance',
      ...(tls !== undefined && { ssl: readTls(tls) }),
    });
  }

  #emit(event: MaintenanceEvent): void {
    logMaintenance(this.#options.logger, event);
    this.#options.onEvent(event);
    if (event.type === 'backup.verified' || event.type === 'backup.made' || event.type === 'maintenance.ended') {
      void this.#lookAtBackups();
    }
  }

  async #lookAtBackups(): Promise<void> {
    const target = this.#backups.store.target.address;
    try {
      const all = await this.#backups.store.list();
      const last = all.find(({ manifest, problem }) => manifest !== null && problem === null);
      this.#backup = {
        target,
        count: all.length,
        last:
          last === undefined
            ? null
            : { id: last.id, at: last.at.getTime(), bytes: last.bytes, verified: last.verified?.ok ?? null },
        problem: null,
      };
    } catch (error) {
      this.#backup = { ...this.#backup, problem: error instanceof Error ? error.message : String(error) };
    }
  }
}

function stepText(step: StepReport): string {
  const said = step.message === null ? '' : `: ${step.message}`;
  const figures = Object.entries(step.after ?? {}).map(([name, value]) => {
    const was = step.before?.[name];
    return was === undefined ? `${name} ${value}` : `${name} ${was} -> ${value}`;
  });
  return `${stepName(step)}: ${step.outcome}${said}${figures.length === 0 ? '' : ` (${figures.join(', ')})`}`;
}

function summary({ steps, outcome, message }: RunReport): string {
  const count = (of: StepReport['outcome']): number => steps.filter((step) => step.outcome === of).length;
  const parts = (['done', 'planned', 'skipped', 'denied', 'cut', 'failed'] as const).flatMap((of) =>
    count(of) === 0 ? [] : [`${count(of)} ${of}`],
  );
  const words = parts.length === 0 ? 'nothing needed care' : parts.join(', ');
  return `${outcome === 'failed' ? 'maintenance failed' : 'maintenance'}: ${words}${message === null ? '' : ` (${message})`}`;
}

function toReport({ startedAt, steps, ...report }: RunReport): MaintenanceReport {
  return {
    ...report,
    startedAt: startedAt.getTime(),
    endedAt: startedAt.getTime() + report.ms,
    steps: steps.map(toStep),
  };
}

function toStep({
  task,
  shard,
  object,
  action,
  outcome,
  message,
  before,
  after,
  startedAt,
  ms,
}: StepReport | StepRecord): MaintenanceStep {
  return { task, shard, object, action, outcome, message, before, after, startedAt: startedAt.getTime(), ms };
}
