import { setTimeout as delay } from 'node:timers/promises';
import type { Incident } from '../../src/incidents';
import { until } from '../support/until';
import type { Fault } from './fault';
import { INTERVAL_MS, type Stage } from './stage';

/** What came of one fault, or of several at once. Durations in ms. */
export interface Trial {
  name: string;
  /** null: not found. */
  detectedMs: number | null;
  /** From the moment from which it could be seen. */
  allowedMs: number | null;
  /** Incidents that somebody was told of, by type and scope. */
  incidents: string[];
  /** How often the opening of each was told. */
  told: number[];
  actions: string[];
  recoveredMs: number | null;
  lost: number;
  doubled: number;
  identifies: number;
  violations: number;
  /** Acknowledged writes that are missing, or there twice. */
  writesLost: number;
  writesDoubled: number;
  /** Incidents that were not resolved in time, though all is well. */
  leftOpen: string[];
  /** Why it does not count as passed. */
  faults: string[];
}

/** Two looks of the rules, and one more for the machine that all this runs on. */
const DETECT_MS = 2 * INTERVAL_MS;
const MACHINE_MS = 1_500;
const CALM_MS = 2_000;

/** Does the harm, watches what botctl makes of it, and judges. */
export async function tryFaults(stage: Stage, faults: readonly Fault[], calmTimeoutMs = 150_000): Promise<Trial> {
  await calm(stage, calmTimeoutMs);
  for (const { settledCluster } of faults) if (settledCluster !== undefined) await stage.untilSettled(settledCluster);
  const { sandbox, sink } = stage;
  sandbox.resetCounters();
  const toldBefore = sink.notices.length;
  const actionsBefore = new Set((await stage.recovery()).actions.map(({ at, step }) => `${at} ${step}`));
  const startedAt = Date.now();
  const undo = [];
  for (const fault of faults) undo.push(await fault.inject(stage));
  // Some harm takes a while to do: it is there when it is done.
  const doneAt = Date.now();

  const expected = faults.filter(({ incident }) => incident !== null);
  const visibleMs = Math.max(0, ...expected.map(({ visibleAfterMs }) => visibleAfterMs));
  const lastsMs = Math.max(0, ...faults.map((fault) => fault.lastsMs));
  const found = waitFor(async () => covers(await stage.incidents(startedAt), expected), visibleMs + 30_000);
  await delay(lastsMs);
  for (const back of undo) await back();
  const curedAt = Date.now();
  await found;
  const recoversMs = Math.max(...faults.map((fault) => fault.recoversMs));
  const recovered = await waitFor(() => stage.isWell(), recoversMs + MACHINE_MS);
  const recoveredAt = Date.now();
  await waitFor(async () => (await open(stage)).length === 0, recoversMs + 90_000);
  const leftOpen = (await open(stage)).map(({ type, scope, text }) => `${type} ${scope} (${text})`);

  const all = await stage.incidents(startedAt);
  const incidents = all.filter(({ parent }) => parent === null);
  // What follows from the other fault too is kept silent, and found all the same.
  const first = firstOf(all, expected);
  const writes = await checkWrites(stage);
  const report = sandbox.report();
  const actions = (await stage.recovery()).actions
    .filter(({ at, step }) => !actionsBefore.has(`${at} ${step}`))
    .reverse();
  const told = incidents.map(
    ({ id }) =>
      sink.notices.slice(toldBefore).filter((one) => one.incident?.id === id && one.event === 'opened').length,
  );
  const trial: Trial = {
    name: faults.map(({ name }) => name).join(' + '),
    detectedMs: first === null ? null : Math.max(0, first - doneAt),
    allowedMs: expected.length === 0 ? null : visibleMs + DETECT_MS + MACHINE_MS,
    incidents: incidents.map(({ type, scope }) => `${type} ${scope}`),
    told,
    actions: actions.map(({ step, scope, ok }) => `${step} ${scope}${ok === false ? ' (failed)' : ''}`),
    recoveredMs: recovered ? Math.max(0, recoveredAt - curedAt) : null,
    lost: report.lost + report.missed,
    doubled: report.doubled,
    identifies: report.identifies,
    violations: report.violations.length,
    ...writes,
    leftOpen,
    faults: [],
  };
  trial.faults = judge(trial, faults, incidents);
  return trial;
}

/** Why a trial has not passed. Pure. */
export function judge(trial: Trial, faults: readonly Fault[], incidents: readonly Pick<Incident, 'type'>[]): string[] {
  const problems: string[] = [];
  const add = (when: boolean, text: string): void => {
    if (when) problems.push(text);
  };
  const { detectedMs, allowedMs } = trial;
  add(allowedMs !== null && detectedMs === null, 'not detected');
  add(
    allowedMs !== null && detectedMs !== null && detectedMs > allowedMs,
    `detected after ${detectedMs ?? 0} ms, not within ${allowedMs ?? 0} ms`,
  );
  const known = new Set(faults.flatMap(({ incident, also = [] }) => [incident, ...also]));
  const strange = incidents.filter(({ type }) => !known.has(type)).map(({ type }) => type);
  add(strange.length > 0, `incidents without a cause: ${strange.join(', ')}`);
  for (const { incident } of faults) {
    const count = incidents.filter(({ type }) => type === incident).length;
    const causes = faults.filter((fault) => fault.incident === incident).length;
    add(incident !== null && count > causes, `${count} incidents of ${incident ?? ''} for ${causes} cause`);
  }
  add(
    trial.told.some((count) => count !== 1),
    `told ${trial.told.join(', ')} times`,
  );
  add(trial.recoveredMs === null, 'not recovered');
  add(trial.leftOpen.length > 0, `still open: ${trial.leftOpen.join(', ')}`);
  add(trial.doubled > 0, `${trial.doubled} events handled twice`);
  add(trial.lost > 0 && !faults.some(({ mayLose }) => mayLose), `${trial.lost} events lost`);
  const allowed = faults.reduce((sum, { identifies }) => sum + identifies, 0);
  add(trial.identifies > allowed, `${trial.identifies} identifies, at most ${allowed}`);
  add(trial.violations > 0, `${trial.violations} identify violations`);
  add(trial.writesLost > 0, `${trial.writesLost} acknowledged writes lost`);
  add(trial.writesDoubled > 0, `${trial.writesDoubled} writes done twice`);
  return problems;
}

/** Well, nothing open, and so for a moment. */
async function calm(stage: Stage, timeoutMs: number): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (let since = Date.now(); Date.now() - since < CALM_MS;) {
    if (!(await stage.isWell()) || (await open(stage)).length > 0) since = Date.now();
    if (Date.now() > end) {
      const left = (await open(stage)).map(({ type, scope, text }) => `${type} ${scope} (${text})`);
      throw new Error(`no calm before the fault: ${left.join(', ') || 'not well'}`);
    }
    await delay(100);
  }
}

async function open(stage: Stage): Promise<Incident[]> {
  return (await stage.incidents(0)).filter(({ state }) => state !== 'resolved');
}

/** Every cause is found. */
function covers(incidents: readonly Incident[], expected: readonly Fault[]): boolean {
  return expected.every((fault) => incidents.some(({ type }) => isOf(type, fault)));
}

function firstOf(incidents: readonly Incident[], expected: readonly Fault[]): number | null {
  const times = expected.map((fault) => {
    const own = incidents.filter(({ type }) => isOf(type, fault)).map(({ openedAt }) => openedAt);
    return own.length === 0 ? null : Math.min(...own);
  });
  // The last of them, so that none is hidden behind another.
  return times.length === 0 || times.includes(null) ? null : Math.max(...(times as number[]));
}

function isOf(type: Incident['type'], { incident, also = [] }: Fault): boolean {
  return type === incident || also.includes(type);
}

async function checkWrites(stage: Stage): Promise<{ writesLost: number; writesDoubled: number }> {
  let missing = 0;
  let written = new Map<string, number>();
  // The log is read before the rows: what it says is done must be there, or come soon.
  await waitFor(async () => {
    const acknowledged = stage.acknowledged();
    written = await stage.written().catch(() => written);
    missing = [...acknowledged].filter((id) => !written.has(id)).length;
    return missing === 0;
  }, 20_000);
  return { writesLost: missing, writesDoubled: [...written.values()].filter((count) => count > 1).length };
}

/** False when it does not come in time. */
async function waitFor(condition: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  try {
    await until(condition, { timeoutMs });
    return true;
  } catch {
    return false;
  }
}

/** Nothing goes wrong for so long: no incident may be there. */
export async function quiet(stage: Stage, ms: number): Promise<Trial> {
  await calm(stage, 120_000);
  stage.sandbox.resetCounters();
  const startedAt = Date.now();
  await delay(ms);
  const incidents = await stage.incidents(startedAt);
  const writes = await checkWrites(stage);
  const report = stage.sandbox.report();
  const trial: Trial = {
    name: `nothing, for ${Math.round(ms / 1_000)} s`,
    detectedMs: null,
    allowedMs: null,
    incidents: incidents.map(({ type, scope }) => `${type} ${scope}`),
    told: [],
    actions: [],
    recoveredMs: 0,
    lost: report.lost + report.missed,
    doubled: report.doubled,
    identifies: report.identifies,
    violations: report.violations.length,
    ...writes,
    leftOpen: [],
    faults: [],
  };
  // Nothing is to be found, and nothing allowed.
  trial.faults = [...incidents.map(({ type, text }) => `${type}: ${text}`), ...judge(trial, [], [])];
  return trial;
}
