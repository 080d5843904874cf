import { underWay } from '../../src/supervisor/under-way';

it.each([
  [null, null],
  [{ phase: 'running', to: 'r2' } as const, 'a rollout of r2 is under way'],
  [{ phase: 'rolling-back', to: 'r2' } as const, 'the rollout of r2 is being taken back'],
  [{ phase: 'done', to: 'r2' } as const, null],
  [{ phase: 'halted', to: 'r2' } as const, null],
])('%j', (rollout, expected) => expect(underWay(rollout)).toBe(expected));
