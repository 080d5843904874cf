import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPlural,
  formatRanges,
  plainText,
} from '../../../src/cli/render/format';

test.each([
  [-5, '0 ms'],
  [950, '950 ms'],
  [1000, '1 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [185_000, '3 min 5 s'],
  [7_380_000, '2 h 3 min'],
  [86_400_000, '1 d'],
  [349_200_000, '4 d 1 h'],
])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 kB'],
  [71 * 1024 * 1024, '71 MB'],
  [1024 * 1024 * 1024 - 1, '1.0 GB'],
  [1.44 * 1024 ** 3, '1.4 GB'],
  [5000 * 1024 ** 4, '5000 TB'],
])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test('counts are grouped', () => {
  expect([0, 999, 1000, 1234567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
  expect([formatPlural(1, 'cluster'), formatPlural(2000, 'cluster')]).toEqual(['1 cluster', '2,000 clusters']);
});

test.each([
  [[], ''],
  [[3], '3'],
  [[2, 0, 1, 5], '0-2, 5'],
  [[4, 6, 7], '4, 6-7'],
])('%j is "%s"', (numbers, text) => expect(formatRanges(numbers)).toBe(text));

test('what others said cannot move the cursor', () => {
  expect(plainText('\u001b[2J\u001b]0;title\u0007a\r\n\tb\u0000\u009bc')).toBe('a bc');
});
