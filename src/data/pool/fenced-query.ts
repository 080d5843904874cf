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

/** Which statements of the fence a connection has prepared. */
const prepared = new WeakMap<Connection, Set<string>>();

export interface Statement {
  text: string;
  values: readonly unknown[];
  /** Absent: not prepared under a name. */
  name?: string | undefined;
}

interface Ahead {
  name: string;
  text: string;
  values: (pass: Pass) => (string | null)[];
}

/** What a fenced query consists of besides the check. */
export interface Fenced {
  /** Absent: the check alone. */
  statement?: Statement;
  /** Begins a transaction first, such as "BEGIN READ ONLY". */
  begin?: string;
}

/**
 * One statement that the shard runs only if the guild is on it. Check and statement go out together and form one
 * implicit transaction, so the check costs no round trip, and its lock holds until the statement is committed. Or the
 * beginning of a transaction that has passed the check.
 *
 * A named statement is parsed before the check: a refusal then leaves no doubt which prepared statements exist.
 */
export class FencedQuery extends Query {
  readonly #statement: Statement | undefined;
  readonly #ahead: readonly Ahead[];
  /** How many of them are not through yet. */
  #waiting: number;

  /**
   * @param named whether the fence may be prepared under names; not behind a pooler that cannot keep them
   * @throws what pg says of a value that cannot be sent
   */
  constructor(
    { statement, begin }: Fenced,
    private readonly pass: Pass,
    callback: (error: Error | null, result: QueryResult) => void,
    private readonly named: boolean,
  ) {
    // A value that cannot be sent throws here, before anything is on its way.
    const { text = 'fence', values = [], name } = statement ?? {};
    super({ text, values: values.map(prepareValue), ...(name !== undefined && { name }) });
    (this as unknown as { callback: typeof callback }).callback = callback;
    this.#statement = statement;
    this.#ahead = begin === undefined ? FENCE : [{ name: `botctl_${begin}`, text: begin, values: () => [] }, ...FENCE];
    this.#waiting = this.#ahead.length;
  }

  requiresPreparation(): boolean {
    return true;
  }

  prepare(connection: Connection): void {
    const query = this as unknown as QueryInternals;
    const statement = this.#statement;
    const parse = (): void => {
      if (statement === undefined || query.hasBeenParsed(connection)) return;
      connection.parse({ text: query.text, name: query.name, types: query.types });
      if (query.name) connection.submittedNamedStatements[query.name] = query.text;
    };
    if (this.named) parse();
    this.#goAhead(connection);
    if (!this.named) parse(); // there is only one statement without a name
    if (statement !== undefined) {
      connection.bind({ statement: query.name, values: query.values ?? [], binary: query.binary });
      connection.describe({ type: 'P', name: '' });
      connection.execute({ portal: '' });
    }
    connection.sync();
  }

  handleDataRow(message: unknown): void {
    if (this.#waiting === 0) base.handleDataRow.call(this, message);
  }

  handleCommandComplete(message: unknown, connection: Connection): void {
    if (this.#waiting === 0) base.handleCommandComplete.call(this, message, connection);
    else this.#waiting -= 1;
  }

  #goAhead(connection: Connection): void {
    let known = prepared.get(connection);
    if (known === undefined) prepared.set(connection, (known = new Set()));
    for (const { name, text, values } of this.#ahead) {
      const statement = this.named ? name : undefined;
      if (statement === undefined || !known.has(statement)) connection.parse({ text, name: statement });
      if (statement !== undefined) known.add(statement);
      connection.bind({ statement, values: values(this.pass) });
      connection.execute({ portal: '' });
    }
  }
}
