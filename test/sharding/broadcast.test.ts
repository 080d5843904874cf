import { Broadcaster, type BroadcastMember } from '../../src/sharding/broadcast';
import { FakeClock } from '../support/fake-clock';

interface FakeMember extends BroadcastMember {
  inbox: Record<string, unknown>[];
  unavailable: string | null;
}

describe('Broadcaster', () => {
  let clock: FakeClock;
  let members: FakeMember[];
  let respawns: object[];
  let broadcaster: Broadcaster;

  beforeEach(() => {
    clock = new FakeClock();
    respawns = [];
    members = [0, 1, 2].map((id) => {
      const inbox: Record<string, unknown>[] = [];
      const deliver = (message: unknown): void => void inbox.push(message as Record<string, unknown>);
      return { id, shardIds: [id * 2, id * 2 + 1], unavailable: null, inbox, deliver, reply: deliver };
    });
    broadcaster = new Broadcaster({
      members: () => members,
      clock,
      timeoutMs: 10_000,
      respawnAll: (options) => respawns.push(options),
    });
  });

  const say = (from: number, message: object): boolean => broadcaster.onMessage(members[from]!, message);

  /** Answers the newest request of a member as discord.js's ShardClientUtil does. */
  function answer(id: number, result: unknown, index = -1): void {
    const request = members[id]!.inbox.filter((m) => '_eval' in m || '_fetchProp' in m).at(index)!;
    say(id, { ...request, _result: result });
  }

  const replies = (id: number): Record<string, unknown>[] => {
    return members[id]!.inbox.filter((m) => '_sEval' in m || '_sFetchProp' in m);
  };

  test('collects the results of all clusters in order', async () => {
    expect(say(0, { _sEval: 'x', _sEvalShard: undefined })).toBe(true);
    answer(2, 'c');
    answer(0, 'a');
    answer(1, 'b');
    await clock.advance(0);
    expect(replies(0)).toEqual([{ _sEval: 'x', _sEvalShard: undefined, _result: ['a', 'b', 'c'] }]);
  });

  test('asks only the cluster of the shard that is named, shard 0 included', async () => {
    say(1, { _sEval: 'x', _sEvalShard: 0 });
    expect(members.map(({ inbox }) => inbox.length)).toEqual([1, 0, 0]);
    answer(0, 'only');
    await clock.advance(0);
    expect(replies(1)).toEqual([{ _sEval: 'x', _sEvalShard: 0, _result: 'only' }]);
  });

  test('an unknown shard is an error', async () => {
    say(0, { _sFetchProp: 'guilds.cache.size', _sFetchPropShard: 99 });
    await clock.advance(0);
    expect(replies(0)[0]!['_error']).toMatchObject({ message: 'Shard 99 could not be found.' });
  });

  test('equal calls under way at once each get their own answers', async () => {
    say(0, { _sEval: 'same' });
    say(1, { _sEval: 'same' });
    for (const id of [0, 1, 2]) {
      answer(id, `first ${id}`, 0);
      answer(id, `second ${id}`, 1);
    }
    await clock.advance(0);
    expect(replies(0)[0]!['_result']).toEqual(['first 0', 'first 1', 'first 2']);
    expect(replies(1)[0]!['_result']).toEqual(['second 0', 'second 1', 'second 2']);
  });

  test('passes an error of the script on as it was thrown', async () => {
    say(0, { _sEval: 'boom' });
    const error = { name: 'TypeError', message: 'no', stack: 'TypeError: no\n at bot' };
    answer(0, 1);
    answer(1, 1);
    say(2, { ...members[2]!.inbox[0], _error: error });
    await clock.advance(0);
    expect(replies(0)[0]!['_error']).toEqual(error);
  });

  test('a cluster that hangs is named when its time is over, and its late answer is dropped', async () => {
    say(0, { _sEval: 'x' });
    answer(0, 1);
    answer(1, 1);
    await clock.advance(10_000);
    expect(replies(0)[0]!['_error']).toMatchObject({ message: 'cluster 2 did not answer within 10 s.' });
    answer(2, 'late');
    await clock.advance(0);
    expect(replies(0)).toHaveLength(1);
  });

  test('the late answer of an equal call is not taken for the answer of the next one', async () => {
    say(0, { _sEval: 'x', _sEvalShard: 2 });
    await clock.advance(10_000);
    expect(replies(0)[0]!['_error']).toMatchObject({ message: 'cluster 1 did not answer within 10 s.' });
    say(0, { _sEval: 'x', _sEvalShard: 2 });
    answer(1, 'late', 0);
    await clock.advance(0);
    expect(replies(0)).toHaveLength(1);
    answer(1, 'in time', 1);
    await clock.advance(0);
    expect(replies(0)[1]).toMatchObject({ _sEval: 'x', _result: 'in time' });
    // Nothing is overdue any more: the text is the bot's own again, which its engine has compiled already.
    say(0, { _sEval: 'x', _sEvalShard: 2 });
    expect(members[1]!.inbox.at(-1)).toEqual({ _eval: 'x' });
  });

  test('clusters that are not up are all named at once', async () => {
    members[1]!.unavailable = 'is not up yet';
    members[2]!.unavailable = 'is down (backoff)';
    say(0, { _sFetchProp: 'guilds.cache.size' });
    await clock.advance(0);
    expect(replies(0)[0]!['_error']).toMatchObject({
      message: 'cluster 1 is not up yet, cluster 2 is down (backoff).',
    });
  });

  test('a cluster that dies in the middle settles the call at once', async () => {
    say(0, { _sEval: 'x' });
    answer(0, 1);
    answer(2, 1);
    broadcaster.onMemberGone(1, 'died (exit code 1)');
    await clock.advance(0);
    expect(replies(0)[0]!['_error']).toMatchObject({ message: 'cluster 1 died (exit code 1).' });
  });

  test('respawnAll is handed on with its pace', () => {
    say(0, { _sRespawnAll: { shardDelay: 1, respawnDelay: 2, timeout: 3 } });
    expect(respawns).toEqual([{ shardDelay: 1, respawnDelay: 2, timeout: 3 }]);
  });

  test('leaves messages of the bot alone', () => {
    for (const message of [{ hello: 1 }, 'text', null, 7]) {
      expect(broadcaster.onMessage(members[0]!, message)).toBe(false);
    }
  });
});
