import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl, TOKEN } from './support/botctl';

const DB_PASSWORD = 'pg-p4ssw0rd-that-must-not-be-seen';
const REDIS_PASSWORD = 'redis-p4ssw0rd-that-must-not-be-seen';
const BOT_SECRET = 'webhook-secret-that-must-not-be-seen';

function filesUnder(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Everything about our processes that other users of the machine, or a glance at `ps`, can see. */
function processTraces(pids: number[]): string {
  const environ = pids.map((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8'));
  return execFileSync('ps', ['-eo', 'args', 'ww'], { encoding: 'utf8' }) + environ.join('\n');
}

describe('secrets', () => {
  it('are in no log, no process list, no environment, no file, no output', async () => {
    const sandbox = new Sandbox({ guilds: 8, shards: 4, maxConcurrency: 16, identifyIntervalMs: 100 });
    const { apiUrl } = await sandbox.listen();
    const botctl = new Botctl({
      bot: 'leaky.cjs',
      api: apiUrl,
      config: {
        bot: { token: '${DISCORD_TOKEN}', env: { WEBHOOK_SECRET: '${WEBHOOK_SECRET}' } },
        postgres: { shards: [`postgres://bot:${DB_PASSWORD}@127.0.0.1:1/none`] },
        redis: { url: `redis://:${REDIS_PASSWORD}@127.0.0.1:1/0` },
        sharding: { shardsPerCluster: 2, restart: { backoffMin: '100ms' } },
        identify: { interval: '100ms' },
        logging: { level: 'trace' },
      },
    });
    // By files, so that not even our own environment holds them.
    for (const [name, secret] of Object.entries({ DISCORD_TOKEN: TOKEN, WEBHOOK_SECRET: BOT_SECRET })) {
      const file = join(botctl.dir, `${name}.secret`);
      writeFileSync(file, `${secret}\n`, { mode: 0o600 });
      Reflect.deleteProperty(botctl.env, name);
      botctl.env[`${name}_FILE`] = file;
    }
    try {
      const run = botctl.start();
      const status = await botctl.untilStatus(
        ({ shards }) => shards.length === 4 && shards.every(({ state }) => state === 'ready'),
      );
      await until(() => botctl.logs().includes('the bot prints its token'));
      const seen = [processTraces(botctl.processes())];
      process.kill(status.clusters[0]?.pid ?? 0, 'SIGKILL');
      await botctl.untilStatus(({ clusters }) => clusters[0]?.restarts === 1 && clusters[0].state === 'ready');

      for (const args of [
        ['status'],
        ['status', '--json'],
        ['logs', '-n', '1000'],
        ['config', 'show'],
        ['config', 'show', '--json'],
        ['config', 'check'],
        ['doctor'],
        ['db', 'status', '--json'],
        ['db', 'move-guild', '81384788765712384', '--to', '0'],
      ]) {
        const { stdout, stderr } = await botctl.cli(...args);
        seen.push(stdout, stderr);
      }
      await botctl.cli('stop');
      await run.ended;
      seen.push(run.output(), botctl.logs());

      const files = filesUnder(botctl.stateDir);
      expect(files.length).toBeGreaterThan(0);
      seen.push(...files.map((file) => readFileSync(file, 'latin1')));
      const everything = seen.join('\n');
      // The search itself works: the same traces hold what is no secret.
      expect(everything).toContain('the bot prints its token');
      expect(everything).toContain(botctl.configFile);
      expect(everything).toMatch(/database shard 0: the server cannot be reached/);
      for (const secret of [TOKEN, DB_PASSWORD, REDIS_PASSWORD, BOT_SECRET]) expect(everything).not.toContain(secret);

      for (const file of [botctl.stateDir, ...files]) expect([file, statSync(file).mode & 0o077]).toEqual([file, 0]);
    } finally {
      await botctl.dispose();
      await sandbox.close();
    }
  });
});
