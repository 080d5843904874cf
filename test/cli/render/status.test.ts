import { renderStatus, type RenderStatusOptions } from '../../../src/cli/render/status';
import { visibleWidth } from '../../../src/cli/render/style';
import type { Status } from '../../../src/control/contract';
import { NOW, aCluster, aShard, aStatus } from '../../control/status.fixture';

function render(status: Status, over: Partial<RenderStatusOptions> = {}): string {
  return renderStatus(status, { width: 80, color: false, unicode: true, now: NOW, ...over });
}

/** Cluster 2 died, shard 3 resumes. */
function degraded(): Status {
  const status = aStatus(4, 4, {
    verdict: 'degraded',
    problems: [
      'Cluster 2 died 3 times in 60 s (exit code 1): it is started again in 12 s. See botctl logs --cluster 2.',
    ],
  });
  status.clusters[2] = aCluster(2, [8, 9, 10, 11], {
    state: 'backoff',
    pid: null,
    rssBytes: null,
    cpuPercent: null,
    loopDelayP99Ms: null,
    uptimeSeconds: null,
    guilds: 0,
    restarts: 3,
    lastExit: 'exit code 1',
    retryAt: NOW + 12_000,
    message: 'It ended while starting',
  });
  for (const id of [8, 9, 10, 11]) status.shards[id] = aShard(id, 2, { state: 'dead', pingMs: null, guilds: 0 });
  status.shards[3] = aShard(3, 0, { state: 'resuming', closes: 2, lastCloseCode: 4000 });
  return status;
}

test('a bot that is well, 80 columns', () => {
  expect(render(aStatus())).toBe(`\
● my-bot is well: 16/16 shards ready in 4 clusters, 992 guilds

CLUSTER  STATE    SHARDS  READY  GUILDS  MEMORY  CPU         UP  RESTARTS   PID
      0  ● ready  0-3       4/4     248  180 MB  3 %  2 h 3 min         0  4000
      1  ● ready  4-7       4/4     248  180 MB  3 %  2 h 3 min         0  4001
      2  ● ready  8-11      4/4     248  180 MB  3 %  2 h 3 min         0  4002
      3  ● ready  12-15     4/4     248  180 MB  3 %  2 h 3 min         0  4003

Shards      16 ready; ping 41 ms, at most 41 ms
            ● 0   ● 1   ● 2   ● 3   ● 4   ● 5   ● 6   ● 7
            ● 8   ● 9   ● 10  ● 11  ● 12  ● 13  ● 14  ● 15

Identifies  984 of 1,000 left, reset in 20 h, 100 kept back, 1 at a time
Postgres    up, embedded 15.18 at 127.0.0.1:54329, 4 database shards
Redis       off
Supervisor  running, up 2 h 3 min, pid 3999, 71 MB, botctl 0.1.0,
            http://127.0.0.1:9090
`);
});

test('a degraded bot, without Unicode: the problem comes first, with what to do', () => {
  expect(render(degraded(), { unicode: false })).toBe(`\
! my-bot is degraded: 11/16 shards ready in 4 clusters, 744 guilds

! Cluster 2 died 3 times in 60 s (exit code 1): it is started again in 12 s. See
  botctl logs --cluster 2.

CLUSTER  STATE      SHARDS  READY  GUILDS  MEMORY         UP  RESTARTS   PID
      0  * ready    0-3       3/4     248  180 MB  2 h 3 min         0  4000
      1  * ready    4-7       4/4     248  180 MB  2 h 3 min         0  4001
      2  ! backoff  8-11      0/4       0       -          -         3     -
      3  * ready    12-15     4/4     248  180 MB  2 h 3 min         0  4003
! cluster 2: It ended while starting; last exit: exit code 1; next attempt in
  12 s

Shards      11 ready, 4 dead, 1 resuming; ping 41 ms, at most 41 ms
            * 0           * 1           * 2           ~ 3 resuming
            * 4           * 5           * 6           * 7
            ! 8 dead      ! 9 dead      ! 10 dead     ! 11 dead
            * 12          * 13          * 14          * 15

Identifies  984 of 1,000 left, reset in 20 h, 100 kept back, 1 at a time
Postgres    up, embedded 15.18 at 127.0.0.1:54329, 4 database shards
Redis       off
Supervisor  running, up 2 h 3 min, pid 3999, 71 MB, botctl 0.1.0,
            http://127.0.0.1:9090
`);
});

test('--shards lists each one', () => {
  const status = degraded();
  status.shards = status.shards.slice(2, 4);
  expect(render(status, { allShards: true, width: 100 })).toContain(`
SHARD  STATE       CLUSTER  GUILDS   PING  LAST ACK  LAST EVENT  RESUMES  IDENTIFIES    CLOSES
    2  ● ready           0      62  41 ms      12 s      300 ms        0           1         0
    3  ◐ resuming        0      62  41 ms      12 s      300 ms        0           1  2 (4000)
`);
});

test('many shards are counted, and the bad ones named', () => {
  const status = aStatus(63, 8);
  for (let id = 100; id < 120; id++) status.shards[id] = aShard(id, 12, { state: 'stale' });
  expect(render(status)).toContain(`
Shards      484 ready, 20 stale; ping 41 ms, at most 41 ms
            100 stale, 101 stale, 102 stale, 103 stale, 104 stale, 105 stale,
            106 stale, 107 stale, 108 stale, 109 stale, 110 stale, 111 stale,
            and 8 more (--shards lists all)
`);
});

test.each([
  ['dead', '○ my-bot is not running\n  Start it with botctl start.\n'],
  ['deaf', '▲ my-bot does not answer\n  Start it with botctl start.\n'],
  ['starting', '◐ my-bot is starting\n  Start it with botctl start.\n'],
] as const)('a supervisor that is %s is one headline and what to do', (state, text) => {
  const status = aStatus(0, 0, { verdict: 'down' });
  status.supervisor = { ...status.supervisor, state, message: 'Start it with botctl start.' };
  expect(render(status)).toBe(text);
});

test('starting and stopping are said in the headline too', () => {
  const status = aStatus(4, 4, { verdict: 'degraded' });
  status.supervisor.state = 'stopping';
  status.supervisor.sandbox = true;
  expect(render(status).split('\n')[0]).toBe(
    '◐ my-bot is stopping: 16/16 shards ready in 4 clusters, 992 guilds (sandbox)',
  );
});

test('the budget, the gateway and the servers say what is wrong', () => {
  const status = aStatus(1, 1, {
    identify: {
      total: 1000,
      remaining: 99,
      reserve: 100,
      resetAt: NOW - 1,
      maxConcurrency: 16,
      queued: 3,
      blocked: 'the daily budget is at its reserve',
    },
    gateway: { gate: 'backing-off', retryAt: NOW + 5000, reason: 'connections are refused' },
    redis: { kind: 'external', state: 'down', address: '10.0.0.5:6379', version: null, message: 'ECONNREFUSED' },
  });
  expect(render(status, { width: 140 })).toContain(`
Gateway     backing-off, next attempt in 5 s: connections are refused
Identifies  99 of 1,000 left, reset now, 100 kept back, 16 at a time, 3 waiting; held: the daily budget is at its reserve
Postgres    up, embedded 15.18 at 127.0.0.1:54329, 4 database shards
Redis       down, external at 10.0.0.5:6379: ECONNREFUSED
`);
  status.identify.total = null;
  expect(render(status)).toContain('\nIdentifies  budget not known yet\n');
});

test.each([40, 60, 80, 100, 120, 200])('fits into %d columns', (width) => {
  for (const line of render(degraded(), { width, color: true }).split('\n')) {
    expect(visibleWidth(line)).toBeLessThanOrEqual(width);
  }
});

test('colour changes no word, and only appears when asked for', () => {
  const colored = render(degraded(), { color: true });
  expect(colored).toContain('\u001b[32m');
  expect(colored.replace(/\u001b\[[\d;]*m/g, '')).toBe(render(degraded()));
});

test('what a bot says cannot forge the screen', () => {
  const status = degraded();
  status.bot.name = 'evil\u001b[2J\nbot';
  status.clusters[2]!.message = '\u001b]0;x\u0007bad\r\nline';
  status.problems = ['\u001b[1A\u001b[2Kall is well'];
  const text = render(status);
  expect(text).not.toMatch(/[\u001b\u0007\r]/);
  expect(text).toContain('▲ evil bot is degraded');
  expect(text).toContain('▲ cluster 2: bad line');
});
