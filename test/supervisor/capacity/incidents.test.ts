import type { LimitNear } from '../../../src/capacity';
import { capacitySignals } from '../../../src/supervisor/capacity/incidents';

const limit = (name: string, database: number | null = null): LimitNear => {
  return { name, database, severity: 'warning', text: `${name} is nearly used up` };
};
const incident = (name: string, ...affected: ('bot' | `db:${number}`)[]) => {
  return { type: 'capacity-limit', rule: `capacity-limit/${name}`, affected } as const;
};

test('limits that are near are told, each with its scope', () => {
  expect(capacitySignals([limit('memory'), limit('database-size', 2)], [])).toEqual([
    expect.objectContaining({ name: 'memory', scope: 'bot', holds: true }),
    expect.objectContaining({ name: 'database-size', scope: 'db:2', holds: true }),
  ]);
});

test('what an incident of an earlier supervisor says is taken back when there is room again', () => {
  const open = [incident('memory', 'bot'), incident('database-size', 'db:1', 'db:2')];
  const told = capacitySignals([limit('database-size', 2)], open).map(({ name, scope, holds }) => [name, scope, holds]);
  expect(told).toEqual([
    ['memory', 'bot', false],
    ['database-size', 'db:1', false],
    ['database-size', 'db:2', true],
  ]);
});

test('incidents of other kinds are left alone', () => {
  expect(capacitySignals([], [{ type: 'disk-low', rule: 'disk-low', affected: ['bot'] }])).toEqual([]);
});
