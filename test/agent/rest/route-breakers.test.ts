import { RestCircuitOpenError, RouteBreakers } from '../../../src/agent/rest/route-breakers';
import { until } from '../../support/until';

type Options = Parameters<RouteBreakers['install']>[0];

const MESSAGES = 'https://discord.com/api/v10/channels/81384788765712384/messages';
const MEMBERS = 'https://discord.com/api/v10/guilds/81384788765712384/members';

function scene() {
  const changes: string[] = [];
  const refused: string[] = [];
  let answer: () => Promise<{ status: number }> = () => Promise.resolve({ status: 200 });
  const options = { makeRequest: () => answer() } as unknown as Options;
  new RouteBreakers({
    onChange: (route, reason) => changes.push(`${route} ${reason === null ? 'closed' : 'open'}`),
    onRefused: (route) => refused.push(route),
  }).install(options);
  const call = async (url: string, method = 'POST'): Promise<number | string> => {
    try {
      return (await options.makeRequest(url, { method })).status;
    } catch (error) {
      return (error as Error).name;
    }
  };
  return { changes, refused, call, answers: (make: typeof answer) => void (answer = make) };
}

async function times(count: number, work: () => Promise<unknown>): Promise<void> {
  for (let n = 0; n < count; n++) await work();
}

it('opens for a kind of call at which Discord fails, not for others, and closes when a probe gets through', async () => {
  const { changes, refused, call, answers } = scene();
  answers(() => Promise.resolve({ status: 503 }));
  await times(8, () => call(MESSAGES));
  expect(changes).toEqual(['POST /channels/:id/messages open']);
  expect(await call(MESSAGES)).toBe(RestCircuitOpenError.name);
  expect(refused).toEqual(['POST /channels/:id/messages']);
  expect(await call(MEMBERS, 'GET')).toBe(503); // it has a circuit of its own

  answers(() => Promise.resolve({ status: 200 }));
  await until(async () => (await call(MESSAGES)) === 200);
  expect(changes).toEqual(['POST /channels/:id/messages open', 'POST /channels/:id/messages closed']);
});

it('opens when nothing answers', async () => {
  const { changes, call, answers } = scene();
  answers(() => Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })));
  await times(8, () => call(MESSAGES));
  expect(changes).toEqual(['POST /channels/:id/messages open']);
});

it.each([
  ['refusals', () => Promise.resolve({ status: 403 })],
  ['rate limits', () => Promise.resolve({ status: 429 })],
  ['calls that the bot takes back', () => Promise.reject(new DOMException('This operation was aborted', 'AbortError'))],
])('%s say nothing against Discord', async (_, answer) => {
  const { changes, call, answers } = scene();
  answers(answer);
  await times(30, () => call(MESSAGES));
  expect(changes).toEqual([]);
});

it('a few failures among many successes change nothing', async () => {
  const { changes, call, answers } = scene();
  for (let n = 0; n < 40; n++) {
    answers(() => Promise.resolve({ status: n % 4 === 0 ? 500 : 200 }));
    await call(MESSAGES);
  }
  expect(changes).toEqual([]);
});
