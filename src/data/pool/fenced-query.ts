import { type CustomTypesConfig, Query, type QueryResult } from 'pg';
import { FENCE, type Pass } from './fence';

/** What we use of pg's connection; it is not in its types. */
interface Connection {
  stream: { cork(): void; uncork(): void };
  parsedStatements: Record<string, string>;
  submittedNamedStatements: Record<string, string>;
  parse(query: { text: string; name?: string | undefined; types?: CustomTypesConfig | undefined }): void;
  bind(config: {
    portal?: string;
    statement?: string | undefined;
    values: unknown[];
    binary?: boolean | undefined;
  }): void;
  describe(message: { type: 'P' | 'S'; name: string }): void;
  execute(config: { portal?: string; rows?: number }): void;
  sync(): void;
}

/** What we use of pg's `Query` beyond its types. */
interface QueryInternals {
  name: string | undefined;
  text: string;
  values: unknown[] | undefined;
  types: CustomTypesConfig | undefined;
  binary: boolean | undefined;
  hasBeenParsed(connection: Connection): boolean;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: Connection): void;
}

// eslint-disable-next-line @typescript-eslint/no-require-imports -- how pg sends a value; the module has no types
const { prepareValue } = require('pg/lib/utils') as { prepareValue: (value: unknown) => unknown };
const base = Query.prototype as unknown as QueryInternals;

const fenced = new WeakSet<Connection>();

export interface Statement {
  text: string;
  values: readonly unknown[];
  /** Absent: not prepared under a name. */
  name?: string | undefined;
}

/**
 * One statement that the shard runs only if the guild is on it. Check and statement go out together and form one
 * implicit transaction, so the check costs no round trip, and its lock holds until the statement is committed. Inside a
 * transaction the check can also go alone.
 *
 * The statement is parsed before the check: a refusal then leaves no doubt which prepared statements exist.
 */
export class FencedQuery extends Query {
  /** Statements of the fence that are not through yet. */
  #ahead = FENCE.length;

  /**
   * @param statement null: the check alone
   * @param named whether the fence may be prepared under names; not behind a pooler that cannot keep them
   * @throws what pg says of a value that cannot be sent
   */
  constructor(
    private readonly statement: Statement | null,
    private readonly pass: Pass,
    callback: (error: Error | null, result: QueryResult) => void,
    private readonly named: boolean,
  ) {
    // A value that cannot be sent throws here, before anything is on its way.
    const { text = 'fence', values = [], name } = statement ?? {};
    super({ text, values: values.map(prepareValue), ...(name !== undefined && { name }) });
    (this as unknown as { callback: typeof callback }).callback = callback;
  }

  requiresPreparation(): boolean {
    return true;
  }

  prepare(connection: Connection): void {
    const query = this as unknown as QueryInternals;
    if (this.statement !== null && !query.hasBeenParsed(connection)) {
      connection.parse({ text: query.text, name: query.name, types: query.types });
      if (query.name) connection.submittedNamedStatements[query.name] = query.text;
    }
    this.#enter(connection);
    if (this.statement !== null) {
      connection.bind({ statement: query.name, values: query.values ?? [], binary: query.binary });
      connection.describe({ type: 'P', name: '' });
      connection.execute({ portal: '' });
    }
    connection.sync();
  }

  handleDataRow(message: unknown): void {
    if (this.#ahead === 0) base.handleDataRow.call(this, message);
  }

  handleCommandComplete(message: unknown, connection: Connection): void {
    if (this.#ahead === 0) base.handleCommandComplete.call(this, message, connection);
    else this.#ahead--;
  }

  #enter(connection: Connection): void {
    const known = fenced.has(connection);
    for (const { name, text, values } of FENCE) {
      const named = this.named ? { name } : {};
      if (!this.named || !known) connection.parse({ text, ...named });
      connection.bind({ ...(this.named && { statement: name }), values: values(this.pass) });
      connection.execute({ portal: '' });
    }
    if (this.named) fenced.add(connection);
  }
}
