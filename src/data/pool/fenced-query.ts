import { type CustomTypesConfig, Query, type QueryResult } from 'pg';

/** Prepared on each connection at its first use. */
const FENCE_NAME = 'botctl_enter';
const FENCE = 'SELECT botctl.enter($1::bigint, $2::bigint)';

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

/** Leave to access a guild. */
export interface Pass {
  guildId: bigint;
  /** Of the move by which the guild came to the shard, as told by the shard it has left; null: by the catalogue. */
  token: string | null;
}

export interface Statement {
  text: string;
  values: readonly unknown[];
  /** Absent: not prepared under a name. */
  name?: string | undefined;
}

/**
 * One statement that the shard runs only if the guild is on it. Check and statement go out together and form one
 * implicit transaction, so the check costs no round trip, and its lock holds until the statement is committed.
 *
 * The statement is parsed before the check: a refusal then leaves no doubt which prepared statements exist.
 */
export class FencedQuery extends Query {
  #entered = false;

  /** @throws what pg says of a value that cannot be sent. */
  constructor(
    statement: Statement,
    private readonly pass: Pass,
    callback: (error: Error | null, result: QueryResult) => void,
    /** Prepared under a name; false behind a pooler that cannot keep names. */
    private readonly named: boolean,
  ) {
    // A value that cannot be sent throws here, before anything is on its way.
    const values = statement.values.map(prepareValue);
    super({ text: statement.text, values, ...(statement.name && { name: statement.name }) });
    (this as unknown as { callback: typeof callback }).callback = callback;
  }

  requiresPreparation(): boolean {
    return true;
  }

  prepare(connection: Connection): void {
    const query = this as unknown as QueryInternals;
    if (!query.hasBeenParsed(connection)) {
      connection.parse({ text: query.text, name: query.name, types: query.types });
      if (query.name) connection.submittedNamedStatements[query.name] = query.text;
    }
    this.#enter(connection);
    connection.bind({ statement: query.name, values: query.values ?? [], binary: query.binary });
    connection.describe({ type: 'P', name: '' });
    connection.execute({ portal: '' });
    connection.sync();
  }

  handleDataRow(message: unknown): void {
    if (this.#entered) base.handleDataRow.call(this, message);
  }

  handleCommandComplete(message: unknown, connection: Connection): void {
    if (this.#entered) base.handleCommandComplete.call(this, message, connection);
    else this.#entered = true;
  }

  #enter(connection: Connection): void {
    const values = [this.pass.guildId.toString(), this.pass.token];
    if (!this.named) {
      connection.parse({ text: FENCE });
      connection.bind({ values });
    } else {
      if (!fenced.has(connection)) connection.parse({ text: FENCE, name: FENCE_NAME });
      fenced.add(connection);
      connection.bind({ statement: FENCE_NAME, values });
    }
    connection.execute({ portal: '' });
  }
}
