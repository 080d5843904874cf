import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectClient } from '../../../src/data/pool/connect';
import { BackupMaker } from '../../../src/maintenance/backup/make';
import { type PgTools, toolsFor, toolsToRead } from '../../../src/maintenance/backup/pg-tools';
import { Restorer } from '../../../src/maintenance/backup/restore';
import { BackupStore } from '../../../src/maintenance/backup/store';
import { FolderTarget } from '../../../src/maintenance/backup/target-folder';
import { BackupVerifier } from '../../../src/maintenance/backup/verify';
import { DumpShards, hasPgDump } from '../support/dump-shards';
import { flip } from '../support/flip';

const SHARDS = 4;
const { signal } = new AbortController();
const tell = (): void => undefined;
const open = (url: string) => connectClient({ url, applicationName: 'test' });

describe('which pg_dump and pg_restore', () => {
  const tools = [14, 16].map((version): PgTools => ({ bin: `/${version}`, version }));

  test('the oldest that fits: none reads what is newer', () => {
    expect(toolsFor(13, tools).version).toBe(14);
    expect(toolsFor(15, tools).version).toBe(16);
    expect(toolsToRead('a', 16, tools).version).toBe(16);
    expect(() => toolsFor(17, tools)).toThrow(
      'A server of version 17 needs pg_dump 17 or newer; the newest one here is 16.',
    );
    expect(() => toolsToRead('a', 17, [])).toThrow(
      'Backup a is of Postgres 17, which needs pg_restore 17 or newer; there is none on this machine.',
    );
  });
});

(hasPgDump ? describe : describe.skip)('a backup by pg_dump', () => {
  const shards = new DumpShards(SHARDS);
  const dir = join(shards.scene.base, 'backups');
  const store = new BackupStore(new FolderTarget(dir));
  const doors = (): { url: string }[] => shards.urls.map((url) => ({ url }));
  const parts = (key: string | null) => ({
    maker: new BackupMaker(
      { bot: 'test', version: '0', embedded: false, connect: shards.connect, doors: doors() },
      { method: 'auto', key },
      store,
      Date.now,
    ),
    verifier: new BackupVerifier({
      ...{ store, key, scratchDir: join(shards.scene.base, 'scratch'), now: Date.now, open },
      doorOf: (shard) => doors()[shard]!,
    }),
    restorer: new Restorer({ store, key, open, signal, tell }),
  });
  const database = (name: string): { url: string } => {
    const url = new URL(shards.urls[0]!);
    url.pathname = `/${name}`;
    return { url: url.href };
  };
  const sumAt = async (url: string): Promise<unknown> => {
    const client = await open(url);
    try {
      const { rows } = await client.query(
        `SELECT count(*)::int AS n, md5(string_agg(t::text, '' ORDER BY id)) AS sum FROM "Odd name".log t`,
      );
      return rows[0];
    } finally {
      await client.end();
    }
  };
  const databases = async (): Promise<string[]> =>
    (await shards.sql(0, 'SELECT datname FROM pg_database ORDER BY 1')).map(({ datname }) => String(datname));
  let id = '';

  beforeAll(async () => {
    await shards.start();
    for (let shard = 0; shard < SHARDS; shard++) {
      await shards.sql(
        shard,
        `CREATE SCHEMA "Odd name";
         CREATE TABLE "Odd name".log (id bigserial PRIMARY KEY, text text, data jsonb, part numeric);
         INSERT INTO "Odd name".log (text, data, part)
           SELECT E'ü\\\\\\n' || n, jsonb_build_object('n', n, 'x', NULL), n / 7.0 FROM generate_series(1, ${1_000 * (shard + 1)}) n;
         CREATE INDEX ON "Odd name".log (text)`,
      );
    }
    ({ id } = await parts(null).maker.make(signal, tell));
  }, 120_000);
  afterAll(() => shards.end());

  test('of four shards is restored for a trial to the same rows, and its files are private', async () => {
    const manifest = await parts(null).verifier.verify(id, signal, tell);
    expect(manifest.parts.map(({ kind, shards: of }) => [kind, of])).toEqual([0, 1, 2, 3].map((n) => ['dump', [n]]));
    const rows = manifest.parts.map(({ tables }) => tables.find(({ name }) => name === 'Odd name.log')?.rows);
    expect(rows).toEqual([1_000, 2_000, 3_000, 4_000]);
    expect((await databases()).filter((name) => name.includes('verify'))).toEqual([]);
    for (const file of readdirSync(join(dir, id))) expect(statSync(join(dir, id, file)).mode & 0o077).toBe(0);
  });

  test('is restored into a new database, and into none that has something in it', async () => {
    const { restorer } = parts(null);
    const manifest = await store.manifest(id);
    await restorer.intoEmpty(manifest, 2, database('fresh'));
    expect(await sumAt(database('fresh').url)).toEqual(await sumAt(shards.urls[2]!));
    await expect(restorer.intoEmpty(manifest, 2, database('fresh'))).rejects.toMatchObject({
      message: 'Database fresh is not empty.',
      hint: 'Name a new one, or use --force to take its place.',
    });
  });

  test('takes the place of all four at once; what was there is kept, also the second time', async () => {
    const { restorer } = parts(null);
    const before = await Promise.all(shards.urls.map(sumAt));
    await shards.sql(1, 'DELETE FROM "Odd name".log WHERE id > 10');
    await shards.sql(3, 'DROP TABLE "Odd name".log');
    const targets = doors().map((door, shard) => ({ shard, door }));
    const busy = await shards.connect(0); // somebody who has not gone
    busy.on('error', () => undefined);
    const old = await restorer.replace(await store.manifest(id), targets);
    expect(await Promise.all(shards.urls.map(sumAt))).toEqual(before);
    expect(await sumAt(database(old[1]!).url)).toMatchObject({ n: 10 });
    const again = await restorer.replace(await store.manifest(id), targets);
    expect(new Set([...old, ...again]).size).toBe(2 * SHARDS);
    expect(await databases()).toEqual(expect.arrayContaining([...old, ...again]));
  });

  test.each<[string, (file: string) => void, RegExp]>([
    [
      'cut off',
      (file) => truncateSync(file, statSync(file).size - 9),
      /shard-3\.dump breaks off after \d+ of \d+ bytes/,
    ],
    ['bit-flipped', flip, /shard-3\.dump was changed \(SHA-256 \w+… instead of \w+…\)/],
  ])('that is %s is refused before anything is changed', async (_, damage, reason) => {
    const file = join(dir, id, 'shard-3.dump');
    const whole = readFileSync(file);
    damage(file);
    try {
      const { verifier } = parts(null);
      await expect(verifier.verify(id, signal, tell)).rejects.toThrow(reason);
      expect((await store.list())[0]).toMatchObject({ id, damaged: true, verified: { ok: false } });
    } finally {
      writeFileSync(file, whole);
    }
    await parts(null).verifier.verify(id, signal, tell);
    expect((await store.list())[0]).toMatchObject({ id, damaged: false, verified: { ok: true } });
  });

  test('that holds other rows than it says is refused, and leaves no database behind', async () => {
    const manifest = structuredClone(await store.manifest(id));
    const table = manifest.parts[0]!.tables.find(({ name }) => name === 'Odd name.log')!;
    [table.rows, table.checksum] = [999, '1'];
    const before = await databases();
    const { restorer } = parts(null);
    const wrong = /does not restore to what it was: database shard 0: Odd name\.log has 1000 rows instead of 999/;
    await expect(restorer.intoEmpty(manifest, 0, database('half'))).rejects.toThrow(wrong);
    await expect(restorer.replace(manifest, [{ shard: 0, door: doors()[0]! }])).rejects.toThrow(wrong);
    expect(await databases()).toEqual(before);
  });

  test('of a newer Postgres is refused by an older server', async () => {
    const manifest = structuredClone(await store.manifest(id));
    manifest.parts[0]!.postgres = 99;
    await expect(parts(null).restorer.intoEmpty(manifest, 0, database('half'))).rejects.toMatchObject({
      message: expect.stringMatching(/^Backup \w+ is of Postgres 99, but this server is version \d+\.$/) as string,
      hint: 'Restore it on Postgres 99 or newer.',
    });
    expect(await databases()).not.toContain('half');
  });

  test('that is encrypted takes its key, and no other', async () => {
    const manifest = await parts('the key').maker.make(signal, tell);
    const file = join(dir, manifest.id, 'shard-0.dump.sealed');
    expect(readFileSync(file).includes('PGDMP')).toBe(false);
    await parts('the key').verifier.verify(manifest.id, signal, tell);
    await parts('the key').restorer.intoEmpty(manifest, 1, database('unsealed'));
    expect(await sumAt(database('unsealed').url)).toEqual(await sumAt(shards.urls[1]!));
    await expect(parts('another').verifier.verify(manifest.id, signal, tell)).rejects.toThrow('does not take this key');
    await expect(parts(null).verifier.verify(manifest.id, signal, tell)).rejects.toThrow('is encrypted');
    // Neither says anything about the backup.
    expect((await store.list()).find((one) => one.id === manifest.id)).toMatchObject({
      damaged: false,
      verified: { ok: true },
    });
  });

  test('is taken by a role that may not create databases, but not tried: with the GRANT that helps', async () => {
    await shards.everywhere(
      `DO $$ BEGIN CREATE ROLE plain LOGIN PASSWORD 'plain'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
       GRANT pg_read_all_data TO plain`,
    );
    const plain = shards.urls.map((text) => {
      const url = new URL(text);
      [url.username, url.password] = ['plain', 'plain'];
      return url.href;
    });
    const connect = (shard: number) => open(plain[shard]!);
    const source = { bot: 'test', version: '0', embedded: false, connect, doors: plain.map((url) => ({ url })) };
    const maker = new BackupMaker(source, { method: 'dump', key: null }, store, Date.now);
    const made = await maker.make(signal, tell);
    const verifier = new BackupVerifier({
      ...{ store, key: null, scratchDir: join(shards.scene.base, 'scratch'), now: Date.now, open },
      doorOf: (shard) => ({ url: plain[shard]! }),
    });
    await expect(verifier.verify(made.id, signal, tell)).rejects.toMatchObject({
      grant: 'ALTER ROLE "plain" CREATEDB;',
    });
    expect((await store.list())[0]).toMatchObject({ id: made.id, damaged: false, verified: null });
  });
});
