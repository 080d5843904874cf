import { routeOf } from '../../src/rest-guard/route';

const C = '100000000000000001';
const M = '200000000000000002';
/** Snowflakes of 2015 and of the time at which the tests ask. */
const NOW = 1_700_000_000_000;
const fresh = String((BigInt(NOW) - 1_420_070_400_000n) << 22n);

describe('routeOf', () => {
  it.each([
    ['POST', `/api/v10/channels/${C}/messages`, 'POST /channels/:id/messages', C, 'messages', 'normal', false],
    ['GET', `/api/v10/channels/${C}/messages?limit=100`, 'GET /channels/:id/messages', C, 'messages', 'bulk', false],
    [
      'DELETE',
      `/api/channels/${C}/messages/${fresh}`,
      'DELETE /channels/:id/messages/:id',
      C,
      'messages',
      'normal',
      false,
    ],
    [
      'DELETE',
      `/api/channels/${C}/messages/${M}`,
      'DELETE /channels/:id/messages/:id old',
      C,
      'messages',
      'normal',
      false,
    ],
    [
      'PUT',
      `/api/v10/channels/${C}/messages/${M}/reactions/%F0%9F%91%8D/@me`,
      'PUT /channels/:id/messages/:id/reactions/:reaction/:reaction',
      C,
      'reactions',
      'normal',
      false,
    ],
    ['GET', `/api/v10/guilds/${C}/members/${M}`, 'GET /guilds/:id/members/:id', C, 'members', 'normal', false],
    ['GET', `/api/v10/users/${C}`, 'GET /users/:id', '', 'users', 'normal', false],
    ['POST', `/api/v10/webhooks/${C}/tok`, 'POST /webhooks/:id/:token', `${C}/tok`, 'webhooks', 'interaction', true],
    ['GET', `/api/v10/webhooks/${C}`, 'GET /webhooks/:id', C, 'webhooks', 'normal', false],
    [
      'POST',
      `/api/v10/interactions/${C}/tok/callback`,
      'POST /interactions/:id/:token/callback',
      `${C}/tok`,
      'interactions',
      'interaction',
      true,
    ],
    ['PUT', `/api/v10/applications/${C}/commands`, 'PUT /applications/:id/commands', '', 'commands', 'bulk', false],
    ['GET', '/api/v10/gateway/bot', 'GET /gateway/bot', '', 'gateway', 'normal', false],
  ])('%s %s', (method, path, template, major, kind, priority, exempt) => {
    expect(routeOf(method, path, NOW)).toMatchObject({ template, major, class: kind, priority, exempt });
  });
});
