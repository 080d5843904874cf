import type { HealthStatus } from '../../../src/control/contract';
import { renderHealth } from '../../../src/cli/render/health';
import { aStatus, NOW } from '../../control/status.fixture';

const PLAIN = { color: false, unicode: false, width: 100, now: NOW, live: false };

const HEALTH: HealthStatus = {
  state: 'unhealthy',
  roundAt: NOW - 9_000,
  intervalMs: 30_000,
  checks: [
    {
      name: 'shards',
      state: 'unhealthy',
      since: NOW - 125_000,
      scopes: 2_000,
      failing: 3,
      unhealthy: 21,
      message: 'no heartbeat acknowledged for 3m (at most 2m)',
      named: [
        { scope: 'shard 7', since: NOW - 125_000, message: 'no heartbeat acknowledged for 3m (at most 2m)' },
        { scope: 'shard 9', since: NOW - 90_000, message: 'resuming,\n not connected for 2m' },
      ],
    },
    {
      name: 'disk',
      state: 'healthy',
      since: NOW - 3_600_000,
      scopes: 1,
      failing: 0,
      unhealthy: 0,
      message: '9 GB of 20 GB free',
      named: [],
    },
  ],
};

it('shows what is wrong first, and names it', () => {
  expect(renderHealth(aStatus(4, 4, { health: HEALTH }), PLAIN)).toBe(
    `! my-bot is unhealthy: shards; 2 checks, looked at 9 s ago, every 30 s

CHECK   STATE              FOR         OF  MESSAGE
shards  ! unhealthy  2 min 5 s  1976/2000  no heartbeat acknowledged for 3m (at most 2m)
disk    * healthy          1 h          1  9 GB of 20 GB free

! shards, shard 7: no heartbeat acknowledged for 3m (at most 2m)
! shards, shard 9: resuming, not connected for 2m
  and 19 more: see /readyz?verbose
`,
  );
});

it('says so when nothing is looked at', () => {
  const supervisor = { ...aStatus().supervisor, state: 'dead' as const };
  expect(renderHealth(aStatus(0, 0, { supervisor, verdict: 'down' }), PLAIN)).toBe(
    'o my-bot is not running; nothing is looked at\n',
  );
});

it('with --live only the supervisor counts', () => {
  expect(renderHealth(aStatus(4, 4, { health: HEALTH, verdict: 'degraded' }), { ...PLAIN, live: true })).toBe(
    '* my-bot is alive\n',
  );
  const supervisor = { ...aStatus().supervisor, state: 'deaf' as const };
  expect(renderHealth(aStatus(0, 0, { supervisor }), { ...PLAIN, live: true })).toBe('! my-bot does not answer\n');
});
