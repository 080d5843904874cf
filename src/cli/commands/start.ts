import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { loadConfig, type LoadedConfig } from '../../config';
import { EXIT } from '../../control/contract';
import { createLogger, type Logging, type LogLevel } from '../../logging';
import { prepareStateDir } from '../../supervisor/state-dir';
import { Supervisor } from '../../supervisor/supervisor';
import { AlreadyRunningError, isRunning, readSupervisorRecord } from '../../supervisor/supervisor-lock';
import { commandLine, configFile, type CliContext, type CommonOptions } from '../context';
import { Style } from '../render/style';
import { version } from '../version';
import { DETACHED, startDetached } from './start-detached';

export interface StartOptions extends CommonOptions {
  detach?: true;
  sandbox?: true;
  retry?: true;
  logLevel?: LogLevel;
}

/** How often the number of ready shards is looked at while they come up, ms. */
const PROGRESS_MS = 250;
/** After a second signal the rest has this long, ms, before the process ends whatever is left. */
const FORCED_EXIT_MS = 5_000;

/** Runs the supervisor in this process until it is stopped. */
export async function start(options: StartOptions, context: CliContext): Promise<number> {
  const { cwd, env } = context;
  const loaded = await loadConfig({ cwd, env, file: configFile(options, context), sandbox: options.sandbox === true });
  const { stateDir } = loaded;
  // Before the log files are touched: they belong to whoever runs.
  const record = readSupervisorRecord(stateDir);
  if (record !== null && isRunning(record)) throw new AlreadyRunningError(record.pid, stateDir);
  if (options.detach === true) return startDetached(loaded, options, context);
  return new Foreground(loaded, options, context).run();
}

class Foreground {
  readonly #logging: Logging;
  readonly #logger: Logger;
  readonly #supervisor: Supervisor;
  #exitCode: number = EXIT.ok;
  #signals = 0;

  constructor(
    loaded: LoadedConfig,
    private readonly options: StartOptions,
    private readonly context: CliContext,
  ) {
    const { config, secrets, stateDir } = loaded;
    const { cwd, env, stdout } = context;
    prepareStateDir(stateDir);
    this.#logging = createLogger({
      ...config.logging,
      level: options.logLevel ?? config.logging.level,
      dir: join(stateDir, 'logs'),
      secrets,
      stdout: env[DETACHED] === undefined ? stdout : null,
      env,
    });
    this.#logger = this.#logging.logger;
    this.#supervisor = new Supervisor({
      config,
      version: version(),
      sandbox: options.sandbox === true || config.sandbox.enabled,
      retryFatal: options.retry === true,
      env,
      secrets,
      onSecret: (secret) => this.#logging.redactor.add(secret),
      reloadConfig: () => loadConfig({ cwd, env, file: loaded.file, sandbox: options.sandbox === true }),
      logger: this.#logger,
    });
  }

  async run(): Promise<number> {
    this.#catchSignals();
    this.#catchErrors();
    try {
      await this.#supervisor.start();
      this.#welcome();
      void this.#followProgress();
      await this.#supervisor.ended;
    } finally {
      await this.#logging.close();
    }
    // Nothing that still holds the loop open may keep the process.
    setImmediate(() => process.exit(this.#exitCode));
    return this.#exitCode;
  }

  #catchSignals(): void {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        this.#signals++;
        if (this.#signals === 1) {
          this.#logger.info(`${signal}: stopping gracefully; once more to end at once`);
          void this.#supervisor.stop();
          return;
        }
        this.#logger.warn(`${signal} again: ending at once`);
        this.#exitCode = EXIT.failed;
        this.#supervisor.kill();
        setTimeout(() => process.exit(this.#exitCode), FORCED_EXIT_MS).unref();
      });
    }
  }

  #catchErrors(): void {
    process.on('uncaughtException', (err) => {
      this.#logger.fatal({ err }, 'an error inside botctl: stopping gracefully');
      this.#exitCode = EXIT.failed;
      void this.#supervisor.stop();
    });
    process.on('unhandledRejection', (err) => {
      this.#logger.error({ err }, 'an error inside botctl that nobody handled; it goes on');
    });
  }

  /** For people: on a terminal as text, else it is in the log. */
  #welcome(): void {
    const { http } = this.#supervisor.status().supervisor;
    const { stdout, style: can, env } = this.context;
    if (http !== null) this.#logger.info({ url: http }, `status page: ${http}`);
    if (!stdout.isTTY || env[DETACHED] !== undefined) return;
    const style = new Style(can);
    const next = ['status --watch', 'logs -f', 'restart --cluster 0', 'stop'];
    const lines = [
      http === null ? null : `  status page   ${style.paint('strong', http)}`,
      `  next          ${next.map((command) => commandLine(command, this.options, env)).join('\n                ')}`,
      `  Ctrl-C        stops gracefully; sessions are saved, so that the next start resumes`,
    ].filter((line) => line !== null);
    stdout.write(`\n${lines.join('\n')}\n\n`);
  }

  /** Says how many shards are ready while they come up, and how long all of them took. */
  async #followProgress(): Promise<void> {
    const startedAt = performance.now();
    let said = -1;
    for (;;) {
      const { shards, supervisor } = this.#supervisor.status();
      if (supervisor.state !== 'running') return;
      const ready = shards.filter(({ state }) => state === 'ready').length;
      if (ready === shards.length && ready > 0) {
        const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
        this.#logger.info(`all ${ready} shards are ready, ${seconds} s after the start`);
        return;
      }
      if (ready !== said && ready > 0) this.#logger.info(`${ready} of ${shards.length} shards are ready`);
      said = ready;
      await delay(PROGRESS_MS, undefined, { ref: false });
    }
  }
}
