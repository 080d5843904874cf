import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Version of this copy of botctl. */
export function version(): string {
  for (let dir = __dirname; dirname(dir) !== dir; dir = dirname(dir)) {
    try {
      const { name, version: found } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as {
        name: string;
        version: string;
      };
      if (name === 'botctl') return found;
    } catch {
      // further up
    }
  }
  return 'unknown';
}
