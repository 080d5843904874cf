import { Pulse } from '../../../src/sharding/cluster/pulse';
import { FakeClock } from '../../support/fake-clock';

/** A process whose event loop answers after so long, ms; null: never. */
function processWith(answerMs: () => number | null): { pulse: Pulse; clock: FakeClock; asked: () => number } {
  const clock = new FakeClock();
  let asked = 0;
  const pulse: Pulse = new Pulse(clock, (id) => {
    asked++;
    const ms = answerMs();
    if (ms !== null) clock.after(ms, () => pulse.onPong(id));
  });
  return { pulse, clock, asked: () => asked };
}

/** How long `calm` took, ms. */
async function took({ pulse, clock }: { pulse: Pulse; clock: FakeClock }): Promise<number> {
  const begin = clock.now();
  const ends: number[] = [];
  void pulse.calm(3_000).then(() => ends.push(clock.now()));
  for (let n = 0; n < 500 && ends.length === 0; n++) await clock.advance(10);
  return (ends[0] ?? Infinity) - begin;
}

test('a process that answers at once is calm after a few answers', async () => {
  const calm = processWith(() => 1);
  expect(await took(calm)).toBeLessThan(300);
  expect(calm.asked()).toBe(5);
});

test('one slow answer, and it begins anew', async () => {
  const answers = [1, 1, 1, 1, 200];
  expect(await took(processWith(() => answers.shift() ?? 1))).toBeGreaterThan(600);
});

test.each([
  ['slow all the time', 400],
  ['silent', null],
])('a process that is %s is not waited for any longer than was said', async (_, answerMs) => {
  const ms = await took(processWith(() => answerMs));
  expect(ms).toBeGreaterThanOrEqual(3_000);
  expect(ms).toBeLessThan(3_500);
});
