import { spawnSync } from 'node:child_process';
import { has } from '../setup/prometheus';

/** A test that is skipped, and reported so, where Prometheus's programs are missing. */
export const itWithPromtool = has('promtool') ? it : it.skip;
export const itWithPrometheus = has('prometheus') ? it : it.skip;

/** Runs promtool; its output and whether it was content. */
export function promtool(args: readonly string[], input?: string): { ok: boolean; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, {
    encoding: 'utf8',
    ...(input !== undefined && { input }),
  });
  return { ok: status === 0, output: `${stdout}${stderr}` };
}
