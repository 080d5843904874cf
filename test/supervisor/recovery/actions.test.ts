import type { Status } from '../../../src/control/contract';
import { findActions } from '../../../src/supervisor/recovery/actions';
import { aCluster, aShard, aStatus, NOW } from '../../control/status.fixture';

const ALL = (state: 'backoff' | 'hung') => Array.from({ length: 5 }, (_, id) => aCluster(id, [id], { state }));

describe('findActions', () => {
  it.each<[string, Partial<Status>, Status['actions']]>([
    ['nothing is wrong', {}, []],
    [
      'a cluster died',
      { clusters: [aCluster(0, [0]), aCluster(1, [1], { state: 'backoff', retryAt: NOW + 4_000 })] },
      [{ text: 'Cluster 1 starts again', at: NOW + 4_000 }],
    ],
    [
      'many died',
      { clusters: ALL('backoff').map((cluster) => ({ ...cluster, retryAt: NOW + 1_000 * (9 - cluster.id) })) },
      [{ text: '5 clusters start again, the first of them', at: NOW + 5_000 }],
    ],
    ['many hang', { clusters: ALL('hung') }, [{ text: '5 clusters are killed and replaced', at: null }]],
    [
      'the gateway is away: what the shards do for themselves is not told',
      {
        gateway: { gate: 'backing-off', retryAt: NOW + 2_000, reason: 'HTTP 502' },
        shards: [aShard(0, 0, { state: 'connecting' })],
      },
      [{ text: 'All shards wait together; one connection tries the gateway again', at: NOW + 2_000 }],
    ],
    [
      'shards come back',
      {
        shards: [
          aShard(0, 0, { state: 'resuming' }),
          aShard(1, 0, { state: 'resuming' }),
          aShard(2, 0, { state: 'identifying' }),
        ],
      },
      [
        { text: 'Shards 0, 1 resume their sessions', at: null },
        { text: 'Shard 2 identifies', at: null },
      ],
    ],
    [
      'no identifies are left',
      {
        identify: {
          ...aStatus().identify,
          remaining: 100,
          queued: 3,
          blocked: '100 of 1000 identifies left',
          resetAt: NOW + 60_000,
        },
      },
      [{ text: '3 shards wait for leave to identify; more is allowed', at: NOW + 60_000 }],
    ],
    [
      'servers are down',
      {
        postgres: { ...aStatus().postgres, state: 'down' },
        redis: { ...aStatus().redis, kind: 'external', state: 'down' },
      },
      [
        { text: 'Postgres is started again', at: null },
        { text: 'Redis is tried again every few seconds', at: null },
      ],
    ],
    [
      'writes wait, a guild moves',
      {
        data: {
          problem: null,
          shards: [],
          cache: null,
          deferred: { pending: 1, bytes: 10, oldestAgeMs: 5, deadLetters: 0 },
          move: { unit: 'guild 7', from: 0, to: 2, phase: 'copying', rows: null },
        },
      },
      [
        { text: '1 write waits on disk, to be done in order and once', at: null },
        { text: 'guild 7 moves from database shard 0 to 2: copying', at: null },
      ],
    ],
  ])('%s', (_, over, expected) => {
    expect(findActions(aStatus(1, 2, over), null)).toEqual(expected);
  });

  it('says that nothing is tried while a fatal cause holds all clusters', () => {
    const [only, ...others] = findActions(aStatus(1, 2, { clusters: ALL('backoff') }), 'The token is refused.');
    expect(only?.text).toContain('botctl restart');
    expect(others).toEqual([]);
  });
});
