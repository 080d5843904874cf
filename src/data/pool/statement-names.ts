import { types } from 'node:util';

/** Texts that are remembered. A bot that builds its SQL from values has more than any bound; the rest goes unnamed. */
const MAX_NAMES = 512;
/** A statement that took longer, ms, gets a connection of its own from then on. */
const SLOW_MS = 50;

export interface StatementTraits {
  /** Name under which it is prepared, or undefined. */
  name: string | undefined;
  slow: boolean;
}

/** What is known of each SQL text: the name it is prepared under, and whether it holds up those behind it. */
export class StatementNames {
  readonly #traits = new Map<string, StatementTraits>();
  #next = 0;

  /** @param named false: nothing is prepared under a name */
  constructor(private readonly named: boolean) {}

  of(text: string): StatementTraits {
    const known = this.#traits.get(text);
    if (known !== undefined) return known;
    if (this.#traits.size >= MAX_NAMES) return { name: undefined, slow: false };
    const traits = { name: this.#newName(), slow: false };
    this.#traits.set(text, traits);
    return traits;
  }

  took(traits: StatementTraits, ms: number): void {
    traits.slow = ms > SLOW_MS;
  }

  /** The server has forgotten it, or its result has another shape since the schema was changed. */
  rename(text: string): StatementTraits {
    const traits = this.of(text);
    traits.name = this.#newName();
    return traits;
  }

  #newName(): string | undefined {
    return this.named ? `botctl_${this.#next++}` : undefined;
  }
}

/** Errors that a fresh name cures: no such prepared statement; cached plan must not change result type. */
export function isStaleName(error: unknown): boolean {
  if (!types.isNativeError(error) || !('code' in error)) return false;
  return error.code === '26000' || (error.code === '0A000' && /cached plan/.test(error.message));
}
