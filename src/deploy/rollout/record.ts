import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileWhole } from '../write-file';
import { isOver, type RolloutState } from './state';

const STATE = 'rollout.json';
const HISTORY = 'history.jsonl';
const KEPT = 200;

/** The rollout that is under way, and those that are over, in a folder. */
export class RolloutRecord {
  constructor(private readonly dir: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  /** The one that is under way, or null. */
  read(): RolloutState | null {
    try {
      const state = JSON.parse(readFileSync(join(this.dir, STATE), 'utf8')) as Partial<RolloutState>;
      const valid = typeof state.id === 'string' && Array.isArray(state.clusters) && Array.isArray(state.batches);
      return valid && !isOver(state as RolloutState) ? (state as RolloutState) : null;
    } catch {
      return null;
    }
  }

  write(state: RolloutState): void {
    writeFileWhole(join(this.dir, STATE), JSON.stringify(state));
  }

  /** It is over: it goes to the history. */
  close(state: RolloutState): void {
    const lines = this.#lines();
    const line = JSON.stringify(state);
    if (lines.length < KEPT) appendFileSync(join(this.dir, HISTORY), `${line}\n`, { mode: 0o600 });
    else writeFileWhole(join(this.dir, HISTORY), `${[...lines.slice(1 - KEPT), line].join('\n')}\n`);
    rmSync(join(this.dir, STATE), { force: true });
  }

  /** Newest first. */
  history(): RolloutState[] {
    return this.#lines()
      .flatMap((line) => {
        try {
          return [JSON.parse(line) as RolloutState];
        } catch {
          return []; // torn by a power cut
        }
      })
      .reverse();
  }

  #lines(): string[] {
    try {
      return readFileSync(join(this.dir, HISTORY), 'utf8')
        .split('\n')
        .filter((line) => line !== '');
    } catch {
      return [];
    }
  }
}
