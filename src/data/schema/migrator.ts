import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import { isStatementsFault } from '../pool/classify';
import { LOCK_SPACE } from './lock-space';
import type { Migration } from './own';

/** Second key of the lock under which one process migrates a shard. */
const MIGRATE_LOCK = 100_000;
/** A migration with this line runs outside a transaction: for CREATE INDEX CONCURRENTLY and the like. */
const NO_TRANSACTION = /^--\s*botctl:\s*no-transaction\s*$/m;

export interface MigrationStatus {
  name: string;
  appliedAt: Date | null;
  /** Its text is not the one that was applied. */
  changed: boolean;
}

export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

interface Applied {
  name: string;
  checksum: string;
  applied_at: Date;
}

/**
 * Brings one set of migrations onto one database shard, in their order, each once. Only one process at a time: the lock
 * is bound to a transaction, so it holds behind a pooler too.
 */
export class Migrator {
  /**
   * @param scope keeps botctl's own migrations and the bot's apart
   * @param connect opens a connection of its own; the migrator ends it
   */
  constructor(
    private readonly scope: 'botctl' | 'bot',
    private readonly migrations: readonly Migration[],
    private readonly connect: () => Promise<Client>,
  ) {}

  /**
   * @returns the names of those that were applied
   * @throws MigrationError when one can never succeed, or when one that was applied has changed since; Error of the server
   */
  async up(): Promise<string[]> {
    return this.#locked(async (client) => {
      const applied = await this.#applied(client);
      this.#refuseChanged(applied);
      if (this.migrations.every(({ name }) => applied.has(name))) return [];
      const { Umzug } = await import('umzug'); // large, and mostly there is nothing to do
      const umzug = new Umzug({
        context: client,
        logger: undefined,
        migrations: this.migrations.map((migration) => ({
          name: migration.name,
          up: () => this.#apply(client, migration),
        })),
        storage: {
          executed: () => Promise.resolve([...applied.keys()]),
          logMigration: () => Promise.resolve(), // written with the migration itself
          unlogMigration: () => Promise.reject(new Error('migrations only go forward')),
        },
      });
      // It wraps what a migration throws.
      const done = await umzug.up().catch((error: unknown) => {
        throw error instanceof Error && error.cause !== undefined ? error.cause : error;
      });
      return done.map(({ name }) => name);
    });
  }

  async status(): Promise<MigrationStatus[]> {
    const client = await this.connect();
    try {
      const { rows } = await client.query<{ there: boolean }>(
        `SELECT to_regclass('botctl.migration') IS NOT NULL AS there`,
      );
      const applied = rows[0]?.there === true ? await this.#applied(client) : new Map<string, Applied>();
      return this.migrations.map((migration) => {
        const found = applied.get(migration.name);
        return {
          name: migration.name,
          appliedAt: found?.applied_at ?? null,
          changed: found !== undefined && found.checksum !== checksum(migration),
        };
      });
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async #locked<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const [lock, client] = await Promise.all([this.connect(), this.connect()]);
    try {
      await lock.query('BEGIN');
      await lock.query(`SELECT pg_advisory_xact_lock(${LOCK_SPACE}, ${MIGRATE_LOCK})`);
      await client.query(`CREATE SCHEMA IF NOT EXISTS botctl`);
      await client.query(`CREATE TABLE IF NOT EXISTS botctl.migration (
        scope text, name text, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (scope, name))`);
      return await work(client);
    } finally {
      await lock.query('ROLLBACK').catch(() => undefined);
      await Promise.all([lock.end().catch(() => undefined), client.end().catch(() => undefined)]);
    }
  }

  async #applied(client: Client): Promise<Map<string, Applied>> {
    const { rows } = await client.query<Applied>(
      'SELECT name, checksum, applied_at FROM botctl.migration WHERE scope = $1 ORDER BY name',
      [this.scope],
    );
    return new Map(rows.map((row) => [row.name, row]));
  }

  #refuseChanged(applied: Map<string, Applied>): void {
    for (const migration of this.migrations) {
      const found = applied.get(migration.name);
      if (found !== undefined && found.checksum !== checksum(migration)) {
        throw new MigrationError(
          `Migration ${migration.name} was changed after it had been applied. Put the old text back and write a new one.`,
        );
      }
    }
  }

  async #apply(client: Client, migration: Migration): Promise<void> {
    const note = (): Promise<unknown> =>
      client.query('INSERT INTO botctl.migration (scope, name, checksum) VALUES ($1, $2, $3)', [
        this.scope,
        migration.name,
        checksum(migration),
      ]);
    try {
      if (NO_TRANSACTION.test(migration.sql)) {
        await client.query(migration.sql);
        await note();
        return;
      }
      await client.query('BEGIN');
      await client.query(migration.sql);
      await note();
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      if (!isStatementsFault(error)) throw error;
      throw new MigrationError(`Migration ${migration.name} failed: ${(error as Error).message}`, { cause: error });
    }
  }
}

function checksum({ sql }: Migration): string {
  return createHash('sha256').update(sql).digest('hex').slice(0, 32);
}
