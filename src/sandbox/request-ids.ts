/** Ids of requests seen, at most. */
const MAX = 200_000;
const IN_CONTENT = /^request (\S+)/;

/** Counts requests that carry an id, so that it can be told which were lost on the way, or done twice. */
export class RequestIds {
  readonly #seen = new Map<string, number>();

  /** The id is in the header `x-request-id`, or in a message of the form `request <id>`. */
  see(header: string | string[] | undefined, content: unknown): void {
    const id =
      typeof header === 'string' ? header : typeof content === 'string' ? IN_CONTENT.exec(content)?.[1] : undefined;
    if (id === undefined) return;
    if (this.#seen.size >= MAX && !this.#seen.has(id)) return;
    this.#seen.set(id, (this.#seen.get(id) ?? 0) + 1);
  }

  count(id: string): number {
    return this.#seen.get(id) ?? 0;
  }

  report(): { distinct: number; doubled: number } {
    let doubled = 0;
    for (const count of this.#seen.values()) if (count > 1) doubled++;
    return { distinct: this.#seen.size, doubled };
  }

  reset(): void {
    this.#seen.clear();
  }
}
