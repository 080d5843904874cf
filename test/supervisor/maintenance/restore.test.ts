import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Config, loadConfig } from '../../../src/config';
import { connectClient } from '../../../src/data/pool/connect';
import type { BackupError } from '../../../src/maintenance/backup/target';
import { type Backups, createBackups } from '../../../src/supervisor/maintenance/backups';
import { Restore, type RestoreRequest } from '../../../src/supervisor/maintenance/restore';
import { SupervisorLock } from '../../../src/supervisor/supervisor-lock';
import { DumpShards, hasPgDump } from '../../maintenance/support/dump-shards';

const ROWS = 500;

(hasPgDump ? describe : describe.skip)('botctl restore, into servers of the operator', () => {
  const shards = new DumpShards(2);
  const { signal } = new AbortController();
  const said: string[] = [];
  let config: Config;
  let backups: Backups;
  let id = '';

  beforeAll(async () => {
    await shards.start();
    await shards.everywhere(
      `CREATE TABLE log (id int PRIMARY KEY); INSERT INTO log SELECT generate_series(1, ${ROWS})`,
    );
    const file = join(shards.scene.base, 'botctl.yaml');
    const entry = join(shards.scene.base, 'bot.cjs');
    writeFileSync(entry, '');
    writeFileSync(
      file,
      stringify({
        bot: { name: 'test', entry },
        stateDir: join(shards.scene.base, 'state'),
        postgres: { shards: shards.urls },
        redis: { embedded: { enabled: false } },
      }),
    );
    ({ config } = await loadConfig({ cwd: shards.scene.base, file, env: {}, sandbox: true }));
    backups = createBackups(config, shards.urls, '0');
    ({ id } = await backups.maker.make(signal, () => undefined));
  }, 120_000);
  afterAll(() => shards.end());

  const restore = (request: Partial<RestoreRequest>, env: NodeJS.ProcessEnv = {}): Promise<string> =>
    new Restore(config, '0', env, signal, (text) => said.push(text)).run({
      ...{ id, to: 'live', shard: null, force: false },
      ...request,
    });
  const refusal = async (request: Partial<RestoreRequest>, env?: NodeJS.ProcessEnv): Promise<string> => {
    const error = await restore(request, env).then(
      () => new Error('not refused'),
      (reason: unknown) => reason as BackupError,
    );
    return `${error.message} | ${'hint' in error ? (error.hint ?? '') : ''}`;
  };
  const rows = async (shard: number): Promise<unknown> =>
    (await shards.sql(shard, 'SELECT count(*)::int AS n FROM log'))[0]?.['n'];
  /** Of a database beside those of the bot, without the password. */
  const beside = (name: string): { to: string; env: NodeJS.ProcessEnv; url: string } => {
    const url = new URL(shards.urls[0]!);
    url.pathname = `/${name}`;
    const { href } = url;
    const env = { PGPASSWORD: decodeURIComponent(url.password) };
    url.password = '';
    return { to: url.href, env, url: href };
  };

  test('over those of the bot: by force alone, with a fresh backup, all of them', async () => {
    await shards.everywhere('DELETE FROM log WHERE id > 10');
    expect(await refusal({})).toMatch(/would be replaced.*Add --force/);
    expect(await refusal({ shard: 2, force: true })).toBe(`Backup ${id} has no database shard 2. | It has 0 to 1.`);
    expect([await rows(0), await rows(1)]).toEqual([10, 10]);
    expect(await restore({ force: true })).toMatch(
      new RegExp(
        `^backup ${id} is live: all tables are the same; what was there is kept as \\w+_before_\\w+, \\w+_before_\\w+$`,
      ),
    );
    expect([await rows(0), await rows(1)]).toEqual([ROWS, ROWS]);
    const [fresh] = await backups.store.list();
    expect(fresh).toMatchObject({ problem: null });
    expect(said).toContain(`fresh backup ${fresh!.id} made`);
    expect(fresh!.manifest?.parts[1]?.tables.find(({ name }) => name === 'public.log')?.rows).toBe(10);
  });

  test('one shard of it alone', async () => {
    await shards.everywhere('DELETE FROM log WHERE id > 20');
    await restore({ shard: 1, force: true });
    expect([await rows(0), await rows(1)]).toEqual([20, ROWS]);
  });

  test('not while the bot runs', async () => {
    const lock = SupervisorLock.acquire(config.stateDir, { version: '0', name: 'test', sandbox: false });
    try {
      expect(await refusal({ force: true })).toMatch(
        /^The bot is running here \(process \d+\).* \| First: botctl stop$/,
      );
    } finally {
      lock.release();
    }
  });

  test('into a database of any other server: the password comes by the environment alone', async () => {
    const { to, env, url } = beside('copy');
    expect(await refusal({ to: url, shard: 1 }, env)).toMatch(
      /There is a password in --to.* \| Give it as PGPASSWORD\./,
    );
    expect(await refusal({ to }, env)).toMatch(/Name it with --shard/);
    expect(await restore({ to, shard: 1 }, env)).toContain('all tables are the same');
    expect(await refusal({ to, shard: 1 }, env)).toMatch(/Database copy is not empty/);
    const user = await connectClient({ url, applicationName: 'somebody' });
    expect(await refusal({ to, shard: 1, force: true }, env)).toMatch(/is in use \(somebody\)/);
    await user.query('DELETE FROM log');
    await user.end();
    expect(await restore({ to, shard: 1, force: true }, env)).toMatch(
      /what was there is kept as database copy_before_/,
    );
    const client = await connectClient({ url, applicationName: 'test' });
    expect((await client.query('SELECT FROM log')).rowCount).toBe(ROWS);
    await client.end();
  });
});
