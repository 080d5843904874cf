import type { Path } from './document';
import type { Parsed } from './schema';

type Incidents = Parsed['incidents'];
interface Problem {
  path: Path;
  message: string;
  hint: string;
}

export const TARGET_KINDS = ['discord', 'slack', 'pagerduty', 'webhook', 'command'] as const;

/** What the schema alone cannot see in `incidents`. Pure. */
export function incidentProblems({ rules, notify, detect }: Incidents): Problem[] {
  return [
    ...rules.flatMap((_, index) => ruleProblems(rules, index)),
    ...notify.flatMap((_, index) => targetProblems(notify, index)),
    ...(detect.errorRate.criticalShare < detect.errorRate.share
      ? [problem(['detect', 'errorRate', 'criticalShare'], 'is less than share', 'Make it greater')]
      : []),
  ];
}

function ruleProblems(rules: Incidents['rules'], index: number): Problem[] {
  const rule = rules[index];
  if (rule === undefined) return [];
  const { name, above, below, clearAt } = rule;
  const at = (...key: string[]): Path => ['rules', index, ...key];
  const problems: Problem[] = [];
  if (above === undefined && below === undefined)
    problems.push(problem(at(), 'has no threshold', 'Add above or below'));
  if (above !== undefined && below !== undefined) {
    problems.push(problem(at('below'), 'stands beside above', 'Make a rule of its own for each'));
  }
  const wrongSide =
    clearAt !== undefined &&
    ((above !== undefined && clearAt > above) || (above === undefined && below !== undefined && clearAt < below));
  if (wrongSide)
    problems.push(problem(at('clearAt'), 'is on the bad side of the threshold', 'Choose one on the good side'));
  if (rules.findIndex((one) => one.name === name) < index) {
    problems.push(problem(at('name'), 'is taken by a rule above', 'Choose another'));
  }
  return problems;
}

function targetProblems(notify: Incidents['notify'], index: number): Problem[] {
  const target = notify[index];
  if (target === undefined) return [];
  const at = (...key: string[]): Path => ['notify', index, ...key];
  const [first, second] = TARGET_KINDS.filter((kind) => target[kind] !== undefined);
  const problems: Problem[] = [];
  if (first === undefined) problems.push(problem(at(), 'names nobody to tell', `Add ${TARGET_KINDS.join(', ')}`));
  if (second !== undefined)
    problems.push(problem(at(second), `stands beside ${first ?? ''}`, 'Make a target of its own for each'));
  if (target.secret !== undefined && target.webhook === undefined) {
    problems.push(problem(at('secret'), 'has no webhook', 'It belongs to webhook'));
  }
  if (target.url !== undefined && target.pagerduty === undefined) {
    problems.push(problem(at('url'), 'has no pagerduty', 'It belongs to pagerduty'));
  }
  if (target.name !== undefined && notify.findIndex(({ name }) => name === target.name) < index) {
    problems.push(problem(at('name'), 'is taken by a target above', 'Choose another'));
  }
  return problems;
}

function problem(path: Path, message: string, hint: string): Problem {
  return { path: ['incidents', ...path], message, hint };
}
