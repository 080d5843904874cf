import { ControlClient } from '../../control/client';
import { EXIT } from '../../control/contract';
import { controlSocketPath } from '../../control/socket-path';
import { locateState } from '../../config/locate';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { renderMetric, renderMetricList } from '../render/metrics';

export interface MetricsOptions extends CommonOptions {
  /** Name of the metric; absent: the list. */
  argument?: string;
  since?: string;
  step?: string;
  by?: string;
  stat?: string;
  where: string[];
  top?: number;
  json?: true;
}

const DEFAULT_WIDTH = 100;
/** Series shown when nobody says how many. */
const DEFAULT_TOP = 30;

export async function metrics(options: MetricsOptions, context: CliContext): Promise<number> {
  const { stdout, style } = context;
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const client = new ControlClient(controlSocketPath(stateDir));
  const width = stdout.isTTY ? stdout.columns : DEFAULT_WIDTH;
  const isJson = options.json === true;
  if (options.argument === undefined) {
    const list = await client.listMetrics();
    stdout.write(isJson ? `${JSON.stringify(list, null, 2)}\n` : renderMetricList(list, { ...style, width }));
    return EXIT.ok;
  }
  const range = await client.metricRange(parametersOf(options.argument, options, isJson));
  stdout.write(isJson ? `${JSON.stringify(range, null, 2)}\n` : renderMetric(range, { ...style, width }));
  return EXIT.ok;
}

function parametersOf(
  name: string,
  { since, step, by, stat, where, top }: MetricsOptions,
  isJson: boolean,
): URLSearchParams {
  // On the screen one curve is the answer to a question that names no label.
  const params = new URLSearchParams({ name, by: by ?? '' });
  for (const [key, value] of Object.entries({ since, step, stat })) if (value !== undefined) params.set(key, value);
  for (const condition of where) {
    const [label, value] = split(condition);
    params.append(`label.${label}`, value);
  }
  const limit = top ?? (isJson ? undefined : DEFAULT_TOP);
  if (limit !== undefined) params.set('top', String(limit));
  return params;
}

/** Only at the first sign: a value may hold further ones. */
function split(condition: string): [string, string] {
  const at = condition.indexOf('=');
  return [condition.slice(0, at), condition.slice(at + 1)];
}
