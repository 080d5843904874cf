import type { Client } from 'pg';

/** Schema and table, quoted. */
export function tableName(client: Client, { schema, name }: { schema: string; name: string }): string {
  return `${client.escapeIdentifier(schema)}.${client.escapeIdentifier(name)}`;
}

/** The statement that lets us maintain the table: the least that this server knows. */
export async function maintainGrant(
  client: Client,
  table: { schema: string; name: string; owner: string },
): Promise<string> {
  const { rows } = await client.query<{ role: string; version: number }>(
    `SELECT current_user AS role, current_setting('server_version_num')::int AS version`,
  );
  const { role = '', version = 0 } = rows[0] ?? {};
  const to = client.escapeIdentifier(role);
  // Before Postgres 17 only owners may.
  return version >= 170_000
    ? `GRANT MAINTAIN ON ${tableName(client, table)} TO ${to};`
    : `GRANT ${client.escapeIdentifier(table.owner)} TO ${to};`;
}

/** The statement that lets us delete rows of the table. */
export async function deleteGrant(client: Client, table: { schema: string; name: string }): Promise<string> {
  const { rows } = await client.query<{ role: string }>('SELECT current_user AS role');
  return `GRANT SELECT, UPDATE, DELETE ON ${tableName(client, table)} TO ${client.escapeIdentifier(rows[0]?.role ?? '')};`;
}
