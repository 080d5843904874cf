import { locateState } from '../../config/locate';
import { ControlClient, ControlUnreachable } from '../../control/client';
import { ControlError, EXIT } from '../../control/contract';
import { controlSocketPath } from '../../control/socket-path';
import { keptReport, type CapacityReport } from '../../capacity';
import { capacityDir } from '../../supervisor/capacity/dir';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { renderCapacity } from '../render/capacity';

interface CapacityOptions extends CommonOptions {
  json?: true;
  plot?: true;
}

const DEFAULT_WIDTH = 100;

/** Exit code 0: no limit is near, 1: there is something to change, 3: no supervisor runs (the answer is its last one). */
export async function capacity(options: CapacityOptions, context: CliContext): Promise<number> {
  const { stdout, style } = context;
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const { report, silent } = await ask(stateDir);
  if (options.json === true)
    stdout.write(`${JSON.stringify({ supervisor: silent ?? 'running', ...report }, null, 2)}\n`);
  else {
    const width = stdout.isTTY ? stdout.columns : DEFAULT_WIDTH;
    stdout.write(renderCapacity(report, { ...style, width, now: Date.now(), silent, plot: options.plot === true }));
  }
  if (silent === 'not-running') return EXIT.notRunning;
  return silent !== null || report.recommendations.length > 0 ? EXIT.failed : EXIT.ok;
}

/** What the supervisor says; when it is silent, what it has said last. */
async function ask(stateDir: string): Promise<{ report: CapacityReport; silent: 'not-running' | 'deaf' | null }> {
  try {
    return { report: await new ControlClient(controlSocketPath(stateDir)).capacity(), silent: null };
  } catch (error) {
    const failure = error instanceof ControlUnreachable ? error.failure : null;
    // One that is starting or stopping answers, but has nothing to tell yet.
    const isBusy = error instanceof ControlError && (error.status === 409 || error.status === 503);
    if (failure !== 'not-running' && failure !== 'deaf' && !isBusy) throw error;
    const report = keptReport(capacityDir(stateDir));
    if (report === null) throw error;
    return { report, silent: failure === 'not-running' ? 'not-running' : 'deaf' };
  }
}
