import { locateState } from '../../config/locate';
import { EXIT, type Status } from '../../control/contract';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { renderHealth } from '../render/health';
import { observe } from '../supervisor-view';

interface HealthOptions extends CommonOptions {
  json?: true;
  live?: true;
}

const DEFAULT_WIDTH = 100;

/** For people, scripts and the HEALTHCHECK of containers. */
export async function health(options: HealthOptions, context: CliContext): Promise<number> {
  const located = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const found = await observe(located);
  const { stdout, style } = context;
  if (options.json === true) stdout.write(`${JSON.stringify(answer(found), null, 2)}\n`);
  else {
    const width = stdout.isTTY ? stdout.columns : DEFAULT_WIDTH;
    stdout.write(renderHealth(found, { ...style, width, now: Date.now(), live: options.live === true }));
  }
  return options.live === true ? liveCode(found) : exitCode(found);
}

function answer({ supervisor, health: found, verdict, problems }: Status): object {
  const { state, roundAt, intervalMs, checks } = found ?? {
    state: 'unknown',
    roundAt: null,
    intervalMs: null,
    checks: [],
  };
  return { state, supervisor: supervisor.state, verdict, problems, roundAt, intervalMs, checks };
}

function exitCode({ supervisor, health: found }: Status): number {
  if (supervisor.state === 'dead') return EXIT.notRunning;
  return found?.state === 'healthy' ? EXIT.ok : EXIT.failed;
}

/** Alive is a supervisor that answers, whatever it has to say. */
function liveCode({ supervisor: { state } }: Status): number {
  if (state === 'dead') return EXIT.notRunning;
  return state === 'deaf' ? EXIT.failed : EXIT.ok;
}
