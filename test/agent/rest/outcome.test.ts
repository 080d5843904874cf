import { DirectPace } from '../../../src/agent/rest/direct-pace';
import { guardAnswerError, isRepeatable } from '../../../src/agent/rest/outcome';

describe('what may be sent twice', () => {
  it.each([
    [{ method: 'GET' }, true],
    [{}, true],
    [{ method: 'POST', body: '{"content":"x"}' }, false],
    [{ method: 'POST', body: '{"nonce":"1","enforce_nonce":true}' }, true],
    [{ method: 'POST', body: '{"nonce":"1"}' }, false],
    [{ method: 'DELETE' }, false],
    [{ method: 'PATCH', body: '{}' }, false],
    [{ method: 'POST', body: new FormData() }, false],
  ])('%j: %s', (init, repeatable) => {
    expect(isRepeatable(init)).toBe(repeatable);
  });

  it('only that looks to @discordjs/rest like an error after which it tries again', () => {
    for (const why of ['timeout', 'broken'] as const) {
      const again = guardAnswerError(why, 'socket', true);
      expect(again?.name === 'AbortError' || again?.message.includes('ECONNRESET')).toBe(true);
      const never = guardAnswerError(why, 'socket', false);
      expect(never?.name).toBe('RestAnswerLostError');
      expect(never?.message).not.toMatch(/ECONNRESET/);
    }
    expect(guardAnswerError('unreachable', 'ENOTFOUND getaddrinfo', false)).toMatchObject({ code: 'ENOTFOUND' });
    expect(guardAnswerError('queue-full', '', false)).toBeNull();
  });
});

describe('DirectPace', () => {
  it('gives out its number of turns per second, and lets interactions pass', () => {
    let now = 0;
    const pace = new DirectPace(2, () => now);
    const url = 'https://discord.com/api/v10/users/1';
    expect([pace.take(url), pace.take(url), pace.take(url), pace.take(url), pace.take(url)]).toEqual([
      0, 0, 1_000, 1_000, 2_000,
    ]);
    expect(pace.take('https://discord.com/api/v10/interactions/1/token/callback')).toBe(0);
    now = 10_000;
    expect(pace.take(url)).toBe(0);
  });
});
