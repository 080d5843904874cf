import { ControlError } from '../../src/control/contract';
import { parseAbort, parseMove, parseRebalance, parseRestart } from '../../src/control/requests';

const GUILD = '81384788765712384';

test.each([
  ['a restart of all', parseRestart, '', {}],
  ['a restart of one cluster', parseRestart, '{"cluster": 3}', { cluster: 3 }],
  ['a restart of one shard', parseRestart, '{"shard": 0}', { shard: 0 }],
  ['a move', parseMove, `{"guild": "${GUILD}", "to": 2}`, { guild: GUILD, to: 2 }],
  ['the end of a move', parseAbort, `{"guild": "${GUILD}"}`, { guild: GUILD }],
  ['a rebalance', parseRebalance, '', { drain: [], dryRun: false }],
  ['a rebalance that drains', parseRebalance, '{"drain": [1, 3], "dryRun": true}', { drain: [1, 3], dryRun: true }],
])('%s', (_, parse, text, expected) => {
  expect(parse(text)).toEqual(expected);
});

test.each([
  [parseRestart, 'restart', 'the body is not JSON'],
  [parseRestart, '[]', 'the body must be an object'],
  [parseRestart, 'null', 'the body must be an object'],
  [parseRestart, '{"clusters": 1}', 'unknown key: clusters'],
  [parseRestart, '{"cluster": -1}', 'cluster must be a number from 0 on'],
  [parseRestart, '{"cluster": "1"}', 'cluster must be a number from 0 on'],
  [parseRestart, '{"shard": 1.5}', 'shard must be a number from 0 on'],
  [parseRestart, '{"cluster": 1, "shard": 1}', 'give a cluster or a shard, not both'],
  // As a number it would be another guild already.
  [parseMove, `{"guild": ${GUILD}, "to": 1}`, 'guild must be an id as text'],
  [parseMove, `{"guild": "${GUILD}"}`, 'to must be a number from 0 on'],
  [parseMove, '', 'guild must be an id as text'],
  [parseAbort, `{"guild": "${GUILD}", "to": 1}`, 'unknown key: to'],
  [parseRebalance, '{"drain": 1}', 'drain must be a list of numbers from 0 on'],
  [parseRebalance, '{"drain": ["1"]}', 'drain must be a list of numbers from 0 on'],
  [parseRebalance, '{"dryRun": "no"}', 'dryRun must be true or false'],
])('%p refuses %s', (parse, text, message) => {
  let thrown: unknown;
  try {
    parse(text);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ControlError);
  expect(thrown).toMatchObject({ status: 400, message });
});
