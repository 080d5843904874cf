import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IncidentDetail, IncidentList } from '../../src/control/incidents';
import { Sandbox } from '../../src/sandbox';
import { Endpoint } from '../incidents/support/endpoint';
import { until } from '../support/until';
import { Botctl } from './support/botctl';

let sandbox: Sandbox;
let endpoint: Endpoint;
let botctl: Botctl;
let hook: string;

beforeAll(async () => {
  sandbox = new Sandbox({
    guilds: 40,
    shards: 4,
    maxConcurrency: 16,
    identifyIntervalMs: 50,
    heartbeatIntervalMs: 1_000,
  });
  endpoint = new Endpoint();
  hook = `${await endpoint.listen()}/hooks/a-secret-that-nobody-sees`;
  botctl = new Botctl({
    bot: 'plain.cjs',
    api: (await sandbox.listen()).apiUrl,
    config: {
      sharding: { shardsPerCluster: 2, restart: { backoffMin: '100ms' }, graceTime: '50s' },
      identify: { interval: '50ms' },
      incidents: {
        interval: '500ms',
        notifyGroup: '100ms',
        detect: {
          clusterCrash: { clear: '2s' },
          shardStuck: { clear: '2s' },
          discordOutage: { clear: '2s' },
          guildDrop: { for: '1s', clear: '2s' },
        },
        notify: [{ webhook: hook, secret: 'signing-secret-of-the-test' }],
      },
    },
  });
  botctl.start();
  await botctl.untilReady();
});
afterAll(async () => {
  await botctl.cli('stop');
  await botctl.dispose();
  await sandbox.close();
  await endpoint.close();
});

interface Message {
  notices: { event: string; incident: { id: string; rule: string; scope: string } | null }[];
}

/** What was told, as `event rule scope`. */
function told(): string[] {
  return endpoint.received.flatMap(({ body }) =>
    (body as Message).notices.map(({ event, incident }) =>
      `${event} ${incident?.rule ?? ''} ${incident?.scope ?? ''}`.trim(),
    ),
  );
}

async function list(...args: string[]): Promise<IncidentList> {
  return JSON.parse((await botctl.cli('incidents', 'list', '--json', ...args)).stdout) as IncidentList;
}

const untilTold = (text: string) =>
  until(() => told().includes(text), {
    what: () => `${text} in ${told().join('; ')}\n${botctl.logs().slice(-3_000)}`,
  });

it('one fault is one incident: told once when it opens and once when it is over, across a kill of the supervisor', async () => {
  const [cluster] = (await botctl.status()).clusters;
  process.kill(cluster!.pid!, 'SIGKILL');
  await untilTold('opened cluster-crash cluster:0');
  const status = await botctl.untilStatus(
    ({ incidents }) => incidents.length > 0 && incidents[0]!.rule === 'cluster-crash',
  );
  expect(status.incidents).toHaveLength(1);
  await until(() => readFileSync(join(botctl.stateDir, 'incidents/incidents.jsonl'), 'utf8').includes('"kind":"told"'));

  process.kill(status.supervisor.pid!, 'SIGKILL');
  await until(async () => (await botctl.cli('incidents')).code === 3);
  expect((await botctl.cli('incidents')).stdout).toMatch(/what it knew last[^]*cluster-crash/);
  botctl.start();
  await untilTold('resolved cluster-crash cluster:0');
  expect(told()).toEqual(['opened cluster-crash cluster:0', 'resolved cluster-crash cluster:0']);

  const { incidents } = await list('--all');
  expect(incidents).toMatchObject([{ rule: 'cluster-crash', state: 'resolved', scope: 'cluster:0' }]);
  expect((await botctl.cli('incidents')).code).toBe(0);
  const { stdout: report } = await botctl.cli('incidents', 'show', incidents[0]!.id.slice(-4), '--report');
  expect(report).toMatch(/^# Incident .*cluster-crash\n[^]*## Timeline[^]*opened[^]*mitigated[^]*resolved/);
});

it('an outage of Discord is one incident, whatever it brings; its history is there', async () => {
  await botctl.untilReady();
  endpoint.received.length = 0;
  sandbox.fault('outage', { seconds: 8 });
  await untilTold('opened discord-outage bot');
  const [open] = (await list()).incidents.filter(({ parent }) => parent === null);
  const { code, stdout } = await botctl.cli('incidents', 'ack', open!.id);
  expect([code, stdout]).toEqual([0, expect.stringContaining('is acknowledged')]);
  await untilTold('resolved discord-outage bot');
  expect(told()).toEqual(['opened discord-outage bot', 'resolved discord-outage bot']);
  const shown = JSON.parse((await botctl.cli('incidents', 'show', open!.id, '--json')).stdout) as IncidentDetail;
  expect(shown.incident).toMatchObject({ state: 'resolved', acknowledged: { at: expect.any(Number) as number } });
});

it('an outage that takes guilds away is one, and the guilds are counted while it lasts', async () => {
  await botctl.untilReady();
  endpoint.received.length = 0;
  sandbox.fault('guild-outage', { guilds: 15, seconds: 6 });
  await untilTold('opened guild-drop bot');
  expect((await botctl.cli('status')).stdout).toContain('40 guilds, 15 of them unavailable');
  await untilTold('resolved guild-drop bot');
  expect(told()).toEqual(['opened guild-drop bot', 'resolved guild-drop bot']);
  expect((await botctl.cli('status')).stdout).not.toContain('unavailable');
});

it('orders on the command line: test, silence, and what is wrong with them', async () => {
  endpoint.received.length = 0;
  expect(await botctl.cli('incidents', 'test-notify')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/webhook: taken/) as string,
  });
  expect(told()).toEqual(['test']);
  endpoint.answers.push((response) => response.writeHead(404).end());
  expect(await botctl.cli('incidents', 'test-notify', 'webhook')).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/HTTP 404/) as string,
  });

  expect(
    (await botctl.cli('incidents', 'silence', '--type', 'redis-down', '--for', '30m', '--reason', 'planned')).code,
  ).toBe(0);
  const { stdout } = await botctl.cli('incidents', 'silences');
  expect(stdout).toMatch(/redis-down +29 min .*planned/);
  const id = /s-\w{4}/.exec(stdout)?.[0] ?? '';
  expect((await botctl.cli('incidents', 'silence', id, '--end')).code).toBe(0);
  expect((await botctl.cli('incidents', 'silences')).stdout).toMatch(/Nothing is silenced/);

  expect(await botctl.cli('incidents', 'silence', '--type', 'nonsense')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/no incident type nonsense/) as string,
  });
  expect(await botctl.cli('incidents', 'show', 'zzzz')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/no incident zzzz/) as string,
  });
});

it('the address of the webhook is nowhere to be seen', async () => {
  endpoint.answers.push((response) => response.writeHead(500).end());
  const outputs = await Promise.all([
    botctl.cli('incidents', 'list', '--json', '--all'),
    botctl.cli('config', 'show'),
    botctl.cli('incidents', 'test-notify'),
  ]);
  const seen = outputs.map(({ stdout, stderr }) => stdout + stderr).join('') + botctl.logs();
  expect(seen).not.toMatch(/a-secret-that-nobody-sees|signing-secret-of-the-test/);
});
