import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

/** Changes one bit in the middle of a file. */
export function flip(file: string): void {
  const content = readFileSync(file);
  const before = createHash('sha256').update(content).digest('hex');
  content[content.length >> 1]! ^= 1;
  expect(createHash('sha256').update(content).digest('hex')).not.toBe(before);
  writeFileSync(file, content);
}
