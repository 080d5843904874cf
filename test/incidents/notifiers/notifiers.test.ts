import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandNotifier } from '../../../src/incidents/notifiers/command';
import { discordNotifier } from '../../../src/incidents/notifiers/discord';
import { retryAfter } from '../../../src/incidents/notifiers/http';
import { incidentNotice, type Notice } from '../../../src/incidents/notifiers/notice';
import { SendError, type Notifier } from '../../../src/incidents/notifiers/notifier';
import { pagerDutyNotifier } from '../../../src/incidents/notifiers/pagerduty';
import { slackNotifier } from '../../../src/incidents/notifiers/slack';
import { webhookNotifier } from '../../../src/incidents/notifiers/webhook';
import { until } from '../../support/until';
import { Endpoint } from '../support/endpoint';
import { Scene, START, severe } from '../support/scene';

const SECRET_PATH = '/hooks/123456/a-very-secret-token';
let endpoint: Endpoint;
let url: string;
let dir: string;

beforeEach(async () => {
  endpoint = new Endpoint();
  url = (await endpoint.listen()) + SECRET_PATH;
  dir = mkdtempSync(join(tmpdir(), 'botctl-notify-'));
});
afterEach(async () => {
  await endpoint.close();
  rmSync(dir, { recursive: true, force: true });
});

const incident = new Scene({ 'database-down': {} }).set('database-down', severe('db:2', 'critical')).look().only();

function notice(kind: 'opened' | 'escalated' | 'resolved' = 'opened'): Notice {
  const over = { ...incident, state: 'resolved', resolvedAt: START + 90_000 } as const;
  return incidentNotice(kind, kind === 'resolved' ? over : incident, 'my-bot');
}

function send(notifier: Notifier, notices: Notice[] = [notice()], timeoutMs = 20_000): Promise<void> {
  return notifier.send(notices, AbortSignal.timeout(timeoutMs));
}

async function failureOf(sending: Promise<void>): Promise<SendError> {
  const error: unknown = await sending.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SendError)) throw new Error(`expected a SendError, got ${String(error)}`);
  return error;
}

it('Discord: an embed for each incident, that mentions nobody', async () => {
  await send(discordNotifier('discord', url), [notice(), notice('resolved')]);
  expect(endpoint.received[0]).toMatchObject({
    path: SECRET_PATH,
    body: {
      allowed_mentions: { parse: [] },
      embeds: [
        { title: 'database-down (database shard 2)', description: 'db:2 is not well', color: 0xd83c3e },
        {
          title: 'Resolved: database-down (database shard 2)',
          description: 'After 90 s. It was: db:2 is not well',
          color: 0x2e9e5b,
        },
      ],
    },
  });
});

it("Discord: texts of any length stay within Discord's limits", async () => {
  const long = { ...notice(), title: 'x'.repeat(1_000), text: 'y'.repeat(10_000) };
  const { most, ...discord } = discordNotifier('discord', url);
  await send(
    { most, ...discord },
    Array.from({ length: most }, () => long),
  );
  const { embeds } = endpoint.received[0]!.body as {
    embeds: { title: string; description: string; footer: { text: string } }[];
  };
  expect(embeds.length).toBeLessThanOrEqual(10);
  expect(Math.max(...embeds.map(({ title }) => title.length))).toBeLessThanOrEqual(256);
  const all = embeds.reduce(
    (sum, { title, description, footer }) => sum + title.length + description.length + footer.text.length,
    0,
  );
  expect(all).toBeLessThanOrEqual(6_000);
});

it('Slack: an attachment for each, with its own signs escaped', async () => {
  await send(slackNotifier('slack', url), [{ ...notice(), text: '<!channel> a & b' }]);
  expect(endpoint.received[0]!.body).toMatchObject({
    text: 'database-down (database shard 2)',
    attachments: [{ color: '#d83c3e', text: '&lt;!channel&gt; a &amp; b' }],
  });
});

it('PagerDuty: one alert per incident, resolved by the same key', async () => {
  const pagerDuty = pagerDutyNotifier('pagerduty', 'r0ut1ng-key', url);
  await send(pagerDuty);
  await send(pagerDuty, [notice('resolved')]);
  const [opened, resolved] = endpoint.received.map(({ body }) => body as Record<string, unknown>);
  expect(opened).toMatchObject({
    routing_key: 'r0ut1ng-key',
    event_action: 'trigger',
    payload: { severity: 'critical', source: 'my-bot', component: 'db:2', class: 'database-down' },
  });
  expect(resolved).toEqual({ routing_key: 'r0ut1ng-key', event_action: 'resolve', dedup_key: opened!['dedup_key'] });
});

it('webhook: signed, with a delivery that is the same in each attempt', async () => {
  const webhook = webhookNotifier('webhook', url, 'a-shared-secret');
  await send(webhook);
  await send(webhook);
  const [first, second] = endpoint.received;
  const [, seconds = '', hex = ''] =
    /^t=(\d+),v1=([0-9a-f]+)$/.exec(String(first!.headers['x-botctl-signature'])) ?? [];
  expect(hex).toBe(createHmac('sha256', 'a-shared-secret').update(`${seconds}.${first!.text}`).digest('hex'));
  expect(Math.abs(Number(seconds) * 1_000 - Date.now())).toBeLessThan(60_000);
  expect(second!.headers['x-botctl-delivery']).toBe(first!.headers['x-botctl-delivery']);
  expect(first!.body).toMatchObject({
    version: 1,
    notices: [{ event: 'opened', bot: 'my-bot', incident: { id: incident.id } }],
  });
});

describe('what goes wrong', () => {
  it.each([
    [429, { 'retry-after': '7' }, '', { retry: true, retryAfterMs: 7_000 }],
    [429, {}, '{"retry_after": 1.5}', { retry: true, retryAfterMs: 1_500 }],
    [500, {}, '', { retry: true, retryAfterMs: null }],
    [404, {}, '', { retry: false, retryAfterMs: null }],
    [401, { 'retry-after': '7' }, '', { retry: false, retryAfterMs: null }],
  ])('HTTP %d', async (status, headers, body, expected) => {
    endpoint.answers.push((response) => response.writeHead(status, headers).end(body));
    expect(await failureOf(send(discordNotifier('discord', url)))).toMatchObject({
      message: `HTTP ${status}`,
      ...expected,
    });
  });

  it('a redirect is not followed: the message would go to somebody else', async () => {
    endpoint.answers.push((response) => response.writeHead(302, { location: '/elsewhere' }).end());
    expect((await failureOf(send(slackNotifier('slack', url)))).message).toBe('HTTP 302');
    expect(endpoint.received).toHaveLength(1);
  });

  it('an endpoint that hangs, one that nobody listens on, one that hangs up', async () => {
    endpoint.answers.push(() => undefined);
    expect((await failureOf(send(slackNotifier('slack', url), [notice()], 200))).message).toBe('no answer in time');
    endpoint.answers.push((response) => response.destroy());
    expect((await failureOf(send(slackNotifier('slack', url)))).retry).toBe(true);
    const closed = new Endpoint();
    const nobody = slackNotifier('slack', await closed.listen());
    await closed.close();
    expect((await failureOf(send(nobody))).message).toBe('ECONNREFUSED');
  });

  it('the error names no address', async () => {
    endpoint.answers.push((response) => response.writeHead(403).end(SECRET_PATH));
    for (const address of [url, 'http://nowhere.invalid/very-secret']) {
      const { message, stack } = await failureOf(send(discordNotifier('discord', address)));
      expect(message + String(stack)).not.toMatch(/secret/);
    }
  });

  it.each([
    [null, '', null],
    ['12', '', 12_000],
    ['-3', '', null],
    ['999999', '', 3_600_000],
    ['soon', 'not json', null],
  ])('Retry-After %p, body %p: %p', (header, body, expected) => expect(retryAfter(header, body)).toBe(expected));

  it('Retry-After as a date', () => {
    const ms = retryAfter(new Date(Date.now() + 30_000).toUTCString(), '');
    expect(ms).toBeGreaterThan(20_000);
    expect(ms).toBeLessThanOrEqual(30_000);
  });
});

describe('command', () => {
  const run = (script: string, env: NodeJS.ProcessEnv = { PATH: process.env['PATH'] }) =>
    commandNotifier({ name: 'command', argv: ['/bin/sh', '-c', script], cwd: dir, env });

  it('gets the notice as JSON and the facts in its environment', async () => {
    await send(run('cat > notice.json; echo "$BOTCTL_EVENT $BOTCTL_INCIDENT $BOTCTL_SEVERITY" > facts'));
    expect(JSON.parse(readFileSync(join(dir, 'notice.json'), 'utf8'))).toMatchObject({
      event: 'opened',
      incident: { id: incident.id },
    });
    expect(readFileSync(join(dir, 'facts'), 'utf8')).toBe(`opened ${incident.id} critical\n`);
  });

  it('that fails is tried again, one that is not there is not', async () => {
    expect(await failureOf(send(run('exit 3')))).toMatchObject({ message: 'exit code 3', retry: true });
    const missing = commandNotifier({ name: 'command', argv: ['/does/not/exist'], cwd: dir, env: {} });
    expect(await failureOf(send(missing))).toMatchObject({ retry: false });
  });

  it('that hangs is ended with all that it started', async () => {
    const script = 'sleep 600 & echo $! > child; wait';
    const sending = failureOf(send(run(script), [notice()], 3_000));
    expect((await sending).message).toBe('the command did not end in time');
    expect(existsSync(join(dir, 'child'))).toBe(true);
    const child = Number(readFileSync(join(dir, 'child'), 'utf8'));
    await until(() => !isAlive(child));
  });
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
