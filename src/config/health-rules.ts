import type { Path } from './document';
import type { Parsed } from './schema';

type Health = Parsed['health'];

const WAYS = ['http', 'tcp', 'command'] as const;

/** What the schema alone cannot see in `health`. Pure. */
export function healthProblems(health: Health): { path: Path; message: string; hint: string }[] {
  return [...timeoutProblems(health), ...health.checks.flatMap((_, index) => checkProblems(health, index))];
}

/** A look must be over before the next round. */
function timeoutProblems(health: Health): { path: Path; message: string; hint: string }[] {
  const own: [Path, number | undefined][] = [
    [['health', 'timeout'], health.timeout],
    ...OWN.map((name): [Path, number | undefined] => [['health', name, 'timeout'], health[name].timeout]),
    ...health.checks.map(({ timeout }, index): [Path, number | undefined] => [
      ['health', 'checks', index, 'timeout'],
      timeout,
    ]),
  ];
  return own
    .filter(([, timeout]) => timeout !== undefined && timeout > health.interval)
    .map(([path]) => ({ path, message: 'is longer than health.interval', hint: 'Make it at most that' }));
}

const OWN = ['discord', 'shards', 'postgres', 'redis', 'memory', 'eventLoop', 'disk', 'identifyBudget'] as const;

/** Names of botctl's own checks, as results carry them. */
const TAKEN = ['discord', 'shards', 'postgres', 'redis', 'memory', 'event-loop', 'disk', 'identify-budget', 'bot'];

function checkProblems({ checks }: Health, index: number): { path: Path; message: string; hint: string }[] {
  const check = checks[index];
  if (check === undefined) return [];
  const problems: { path: Path; message: string; hint: string }[] = [];
  const add = (key: string | null, message: string, hint: string): void => {
    problems.push({ path: ['health', 'checks', index, ...(key === null ? [] : [key])], message, hint });
  };
  const [first, second] = WAYS.filter((way) => check[way] !== undefined);
  if (first === undefined) add(null, 'says nothing to look at', 'Add http, tcp or command');
  if (second !== undefined) add(second, `stands beside ${first ?? ''}`, 'Make a check of its own for each');
  if (check.status !== undefined && check.http === undefined) add('status', 'has no http', 'It belongs to http');
  if (TAKEN.includes(check.name.toLowerCase())) add('name', "is that of one of botctl's own checks", 'Choose another');
  else if (checks.findIndex(({ name }) => name === check.name) < index) {
    add('name', 'is taken by a check above', 'Choose another');
  }
  return problems;
}
