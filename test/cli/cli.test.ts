import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ControlError, type RestartRequest, type Status } from '../../src/control/contract';
import type { IncidentHandlers } from '../../src/control/incidents';
import { ControlServer } from '../../src/control/server';
import { controlSocketPath, ensurePrivateDir, socketDir } from '../../src/control/socket-path';
import { processStartTime } from '../../src/ipc/process-start-time';
import { Sandbox } from '../../src/sandbox';
import { runCli, startCli, type CliResult } from './run-cli';
import { aRecoveryOverview, aStatus } from '../control/status.fixture';
import { until } from '../support/until';

const EXAMPLE = resolve(__dirname, '../../config/example/botctl.yaml');

describe('the command line', () => {
  let dir: string;
  let stateDir: string;
  const cli = (...args: string[]): Promise<CliResult> => runCli(args, { cwd: dir });

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'botctl-cli-'));
    stateDir = join(dir, '.botctl');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  function writeConfig(yaml = 'bot: { entry: ./bot.js, name: my-bot }\n'): void {
    writeFileSync(join(dir, 'bot.js'), '');
    writeFileSync(join(dir, 'botctl.yaml'), yaml);
  }

  describe('usage', () => {
    it('prints help with examples on the right stream', async () => {
      const help = await cli('--help');
      expect(help).toMatchObject({ code: 0, stderr: '' });
      expect(help.stdout).toContain('botctl start --sandbox');
      const none = await cli();
      expect(none).toMatchObject({ code: 2, stdout: '' });
      expect((await cli('status', '--help')).stdout).toContain('$ botctl status --watch');
    });

    it.each([
      [['strat'], "error: unknown command 'strat'\n(Did you mean start?)"],
      [['status', '--jsn'], "error: unknown option '--jsn'\n(Did you mean --json?)"],
      [['restart', '--cluster', 'x'], 'Expected a number from 0 to 100000.'],
      [['restart', '--cluster', '1', '--shard', '2'], 'cannot be used with option'],
      [['logs', '--level', 'loud'], 'Allowed choices are trace, debug'],
      [['completion', 'tcsh'], 'Shells: bash, zsh, fish.'],
      [['completion'], "missing required argument 'shell'"],
    ])('%j: exit code 2, and what would be right', async (args, text) => {
      const { code, stdout, stderr } = await cli(...args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain(text);
    });

    it('names the config that is missing, once for all commands', async () => {
      for (const command of ['start', 'stop', 'status', 'restart', 'logs', 'doctor']) {
        const { code, stderr } = await cli(command);
        expect([command, code]).toEqual([command, 2]);
        expect(stderr).toContain('no botctl.yaml here, nor in a folder above. Make one with `botctl init`');
      }
    });
  });

  describe('init', () => {
    it('writes a config that works and can be committed, once', async () => {
      writeFileSync(join(dir, 'index.js'), '');
      writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'music-bot' }));
      writeFileSync(join(dir, '.gitignore'), 'node_modules');
      const made = await cli('init', '--yes');
      expect(made.code).toBe(0);
      expect(readFileSync(join(dir, '.gitignore'), 'utf8')).toBe('node_modules\n.botctl/\n');
      const check = await runCli(['config', 'check'], { cwd: dir, env: { DISCORD_TOKEN: 'a-token' } });
      expect(check).toMatchObject({ code: 0, stderr: '' });
      const show = await runCli(['config', 'show', '--json'], { cwd: dir, env: { DISCORD_TOKEN: 'a-token' } });
      expect(JSON.parse(show.stdout)).toMatchObject({
        bot: { name: 'music-bot', entry: join(dir, 'index.js'), token: '[hidden]' },
      });
      const again = await cli('init', '--yes');
      expect(again).toMatchObject({ code: 1, stdout: '' });
      expect(again.stderr).toContain('exists already');
      expect((await cli('init', '--yes', '--force')).code).toBe(0);
    });
  });

  describe('config', () => {
    it('check says everything that is wrong, with exit code 2', async () => {
      writeConfig('bot: { entry: ./nope.js }\n');
      const { code, stdout, stderr } = await cli('config', 'check');
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('botctl.yaml:1:8: bot.entry: there is no file');
      expect(stderr).toContain('DISCORD_TOKEN is not set');
    });

    it('schema prints JSON; show prints YAML with all defaults', async () => {
      expect(JSON.parse((await cli('config', 'schema')).stdout)).toMatchObject({ title: 'botctl.yaml' });
      writeConfig();
      const { stdout } = await cli('config', 'show', '--sandbox');
      expect(stdout).toContain('shardsPerCluster: 8');
    });
  });

  describe('status', () => {
    it('without a supervisor: exit code 3, starts nothing, leaves no trace', async () => {
      writeConfig();
      const { code, stdout } = await cli('status');
      expect(code).toBe(3);
      expect(stdout).toContain('my-bot is not running');
      expect(existsSync(stateDir)).toBe(false);
    });

    it('of a supervisor that was killed says so', async () => {
      writeConfig();
      mkdirSync(stateDir, { mode: 0o700 });
      const record = {
        pid: 999_999,
        startTime: 'x',
        version: '0.1.0',
        state: 'running',
        since: 1,
        startedAt: 1,
        name: 'my-bot',
      };
      writeFileSync(join(stateDir, 'supervisor.json'), JSON.stringify(record));
      const { code, stdout } = await cli('status', '--json');
      expect(code).toBe(3);
      const status = JSON.parse(stdout) as Status;
      expect(status).toMatchObject({ verdict: 'down', supervisor: { state: 'dead', pid: null } });
      expect(status.problems[0]).toContain('ended without cleaning up');
    });

    it('of a supervisor that accepts but never answers says that it is deaf, with what to do', async () => {
      writeConfig();
      mkdirSync(stateDir, { mode: 0o700 });
      ensurePrivateDir(socketDir(stateDir));
      const record = {
        pid: process.pid,
        startTime: processStartTime(process.pid),
        version: '0.1.0',
        state: 'running',
        since: 1,
        startedAt: 1,
        name: 'my-bot',
      };
      writeFileSync(join(stateDir, 'supervisor.json'), JSON.stringify(record));
      const deaf: Server = createServer(() => undefined).listen(controlSocketPath(stateDir));
      try {
        const { code, stdout } = await cli('status');
        expect(code).toBe(1);
        expect(stdout).toContain('does not answer');
        expect(stdout).toContain(`kill -9 ${process.pid}`);
      } finally {
        deaf.close();
      }
    });
  });

  describe('with a supervisor', () => {
    let server: ControlServer;
    let status: Status;
    let asked: RestartRequest[];

    beforeEach(async () => {
      writeConfig();
      status = aStatus();
      asked = [];
      mkdirSync(stateDir, { mode: 0o700 });
      ensurePrivateDir(socketDir(stateDir));
      server = new ControlServer({
        path: controlSocketPath(stateDir),
        handlers: {
          incidents: {} as IncidentHandlers,
          status: () => status,
          stop: (onProgress) => {
            onProgress({ done: false, text: 'stopping 1 clusters' });
            onProgress({ done: true, ok: true, text: 'stopped' });
            return Promise.resolve();
          },
          metrics: () => ({ retentionSeconds: 86_400, metrics: [] }),
          capacity: () => Promise.reject(new ControlError(409, 'starting')),
          dbOverview: () => Promise.resolve({ moves: [], migrations: [] }),
          moveGuild: () => Promise.resolve(),
          abortMove: () => Promise.resolve(),
          rebalance: () => Promise.resolve(),
          migrate: () => Promise.resolve(),
          deploy: () => Promise.resolve(),
          rollback: () => Promise.resolve(),
          followRollout: () => Promise.resolve(),
          orderRollout: () => Promise.resolve(),
          reload: () => Promise.resolve(),
          scale: () => Promise.resolve(),
          recovery: () => aRecoveryOverview(),
          recover: () => Promise.resolve(),
          endOutage: () => undefined,
          maintenance: () => Promise.reject(new Error('nobody asks')),
          maintain: () => Promise.resolve(),
          restart: (request, onProgress) => {
            asked.push(request);
            if (request.cluster === 99)
              return Promise.reject(new ControlError(404, 'There is no cluster 99.', 'Clusters are 0 to 3.'));
            onProgress({ done: true, ok: true, text: 'restarted' });
            return Promise.resolve();
          },
        },
        log: { warn: () => undefined },
      });
      await server.listen();
    });
    afterEach(() => server.close());

    it('status: 0 when well, 1 when degraded; JSON is what the supervisor says', async () => {
      expect((await cli('status')).code).toBe(0);
      const { stdout } = await cli('status', '--json');
      expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(status)));
      status = { ...status, verdict: 'degraded', problems: ['Cluster 1 is in a crash loop.'] };
      const degraded = await cli('status');
      expect(degraded.code).toBe(1);
      expect(degraded.stdout).toContain('Cluster 1 is in a crash loop.');
    });

    it('colours only where they can be seen', async () => {
      expect((await cli('status')).stdout).not.toContain('\u001b[');
      const forced = await runCli(['status'], { cwd: dir, env: { FORCE_COLOR: '1' } });
      expect(forced.stdout).toContain('\u001b[');
      const both = await runCli(['status'], { cwd: dir, env: { FORCE_COLOR: '1', NO_COLOR: '1' } });
      expect(both.stdout).not.toContain('\u001b[');
    });

    it('restart asks for what was named, and passes a refusal on with its hint', async () => {
      expect((await cli('restart', '--cluster', '2')).stdout).toContain('restarted');
      expect((await cli('restart', '--shard', '17')).code).toBe(0);
      expect((await cli('restart')).code).toBe(0);
      expect(asked).toEqual([{ cluster: 2 }, { shard: 17 }, {}]);
      const refused = await cli('restart', '--cluster', '99');
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('There is no cluster 99.');
      expect(refused.stderr).toContain('Clusters are 0 to 3.');
    });

    it('stop prints its progress', async () => {
      const { code, stdout } = await cli('stop');
      expect(code).toBe(0);
      expect(stdout).toContain('stopped');
    });

    it('status --watch goes on until it is interrupted', async () => {
      const watching = startCli(['status', '--watch', '--json'], { cwd: dir });
      await until(() => watching.output().split('\n').length > 2);
      watching.child.kill('SIGINT');
      expect((await watching.ended).code).toBe(0);
      for (const line of watching.output().trim().split('\n'))
        expect(JSON.parse(line)).toMatchObject({ verdict: 'well' });
    });
  });

  describe('logs', () => {
    const line = (fields: object): string =>
      `${JSON.stringify({ level: 'info', time: new Date().toISOString(), ...fields })}\n`;

    beforeEach(() => {
      writeConfig();
      mkdirSync(join(stateDir, 'logs'), { recursive: true, mode: 0o700 });
    });

    it('shows the last lines of a dead supervisor, by cluster and level', async () => {
      const file = join(stateDir, 'logs', 'botctl.000001.log');
      writeFileSync(
        file,
        line({ msg: 'one', cluster: 1 }) + line({ msg: 'two', cluster: 2 }) + line({ msg: 'three', level: 'error' }),
      );
      const messages = async (...args: string[]): Promise<string[]> =>
        (await cli('logs', '--json', ...args)).stdout
          .trim()
          .split('\n')
          .map((text) => (JSON.parse(text) as { msg: string }).msg);
      expect(await messages()).toEqual(['one', 'two', 'three']);
      expect(await messages('-n', '1')).toEqual(['three']);
      expect(await messages('--cluster', '2')).toEqual(['two']);
      expect(await messages('--level', 'error')).toEqual(['three']);
      expect((await cli('logs')).stdout).toContain('[cluster 1] one');
    });

    it('-f goes on with new lines, over a rotation', async () => {
      const [first, second] = [1, 2].map((number) => join(stateDir, 'logs', `botctl.00000${number}.log`)) as [
        string,
        string,
      ];
      writeFileSync(first, line({ msg: 'before' }));
      const following = startCli(['logs', '-f', '--json'], { cwd: dir });
      await until(() => following.output().includes('before'));
      appendFileSync(first, line({ msg: 'same file' }));
      await until(() => following.output().includes('same file'));
      writeFileSync(second, line({ msg: 'next file' }));
      await until(() => following.output().includes('next file'));
      following.child.kill('SIGINT');
      expect((await following.ended).code).toBe(0);
    });
  });

  describe('sandbox', () => {
    it('takes orders by --url, and shows its report', async () => {
      const sandbox = new Sandbox({ guilds: 4 });
      const { apiUrl } = await sandbox.listen();
      try {
        expect((await cli('sandbox', 'rate', '3', '--url', apiUrl)).stdout).toBe('3 events per second\n');
        expect(sandbox.report().rate).toBe(3);
        const drop = await cli('sandbox', 'drop', '--shard', '3', '--code', '4000', '--url', apiUrl);
        expect(drop).toMatchObject({ code: 0, stdout: 'drop: shard 3, code 4000\n' });
        expect((await cli('sandbox', 'outage', '--seconds', '0', '--forget-sessions', '--url', apiUrl)).code).toBe(0);
        const wrong = await cli('sandbox', 'drop', '--code', '1006', '--url', apiUrl);
        expect(wrong.code).toBe(1);
        expect(wrong.stderr).toContain('code: expected 1000, or a number from 3000 to 4999');
        expect(JSON.parse((await cli('sandbox', 'report', '--json', '--url', apiUrl)).stdout)).toMatchObject({
          identifies: 0,
        });
        expect((await cli('sandbox', 'report', '--url', apiUrl)).stdout).toMatch(
          /^identifies +0 \(1000 of 1000 left\)$/m,
        );
      } finally {
        await sandbox.close();
      }
      const gone = await cli('sandbox', 'report', '--url', apiUrl);
      expect(gone.code).toBe(1);
      expect(gone.stderr).toContain('no sandbox answers');
    });

    it('runs in the foreground until it is interrupted', async () => {
      const running = startCli(['sandbox', '--port', '0', '--guilds', '7'], { cwd: dir });
      await until(() => running.output().includes('BOTCTL_DISCORD_API='));
      running.child.kill('SIGINT');
      const { code, stdout } = await running.ended;
      expect(code).toBe(0);
      expect(stdout).toMatch(/^violations +0$/m);
    });
  });

  describe('doctor', () => {
    it('checks machine, config and Discord, each with its fix', async () => {
      const sandbox = new Sandbox({ guilds: 4, shards: 3 });
      const { apiUrl } = await sandbox.listen();
      try {
        writeConfig(
          `bot: { entry: ./bot.js, token: "\${DISCORD_TOKEN}" }\ndiscord: { api: "${apiUrl}" }\nhttp: { port: 0 }\n`,
        );
        const env = { DISCORD_TOKEN: 'a-good-token' };
        const well = await runCli(['doctor', '--json'], { cwd: dir, env });
        const findings = JSON.parse(well.stdout) as {
          check: string;
          result: string;
          text: string;
          fix: string | null;
        }[];
        expect(well.code).toBe(0);
        expect(findings.find(({ check }) => check === 'Discord')?.text).toContain(
          'token accepted; 3 shards recommended',
        );
        expect(findings.find(({ check }) => check === 'discord.js')).toMatchObject({ result: 'warn' });
        for (const { result, fix } of findings) expect(fix === null).toBe(result === 'ok');
        const wrong = await runCli(['doctor'], { cwd: dir, env: { DISCORD_TOKEN: 'wrong-token' } });
        expect(wrong.code).toBe(1);
        expect(wrong.stdout).toContain('Discord refused the token');
        expect(wrong.stdout).not.toContain('wrong-token');
      } finally {
        await sandbox.close();
      }
    });
  });

  it('has an example whose config is good', async () => {
    const { code } = await cli('config', 'check', '--sandbox', '--config', EXAMPLE);
    expect(code).toBe(0);
  });
});
