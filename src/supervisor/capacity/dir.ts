import { join } from 'node:path';

/** Where the history of a bot's capacity is kept, beside Postgres. */
export function capacityDir(stateDir: string): string {
  return join(stateDir, 'capacity');
}
