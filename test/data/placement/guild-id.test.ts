import { DataError } from '../../../src/data/data-error';
import { parseGuildId } from '../../../src/data/placement/guild-id';

test.each<[unknown, bigint]>([
  ['81384788765712384', 81_384_788_765_712_384n],
  ['1312345678901234567', 1_312_345_678_901_234_567n],
  ['1', 1n],
  [9_223_372_036_854_775_807n, 2n ** 63n - 1n],
  ['9223372036854775807', 2n ** 63n - 1n],
])('takes %p', (id, value) => {
  expect(parseGuildId(id)).toBe(value);
});

test.each<[unknown, RegExp]>([
  [81_384_788_765_712_384, /may not be a number .*lose the last digits.*guild\.id/],
  [-1n, /Not a guild id: -1n\. Expected digits in a string, or a bigint, from 1 to 2\^63 - 1\./],
  ['-5', /Not a guild id: "-5"/],
  ['abc', /Not a guild id: "abc"/],
  ['', /Not a guild id: ""/],
  ['0', /Not a guild id: "0"/],
  ['007', /Not a guild id: "007"/],
  [' 12', /Not a guild id: " 12"/],
  ['12.5', /Not a guild id/],
  ['1e5', /Not a guild id/],
  ['18446744073709551616', /Not a guild id/],
  ['9223372036854775808', /Not a guild id/],
  [2n ** 64n, /Not a guild id/],
  [0n, /Not a guild id/],
  [null, /Not a guild id: object/],
  [undefined, /Not a guild id: undefined/],
  [{ id: '1' }, /Not a guild id: object/],
])('refuses %p', (id, message) => {
  expect(() => parseGuildId(id)).toThrow(message);
  try {
    parseGuildId(id);
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).code).toBe('INVALID_GUILD_ID');
  }
});
