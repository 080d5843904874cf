import { Turns } from '../../../src/sharding/handoff/turns';

const never = new AbortController().signal;

test('one at a time, in the order of asking', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const take = async (name: string): Promise<() => void> => {
    const end = await turns.take(never);
    seen.push(name);
    return end;
  };
  const [first, second, third] = ['a', 'b', 'c'].map(take);
  const endFirst = await first!;
  await Promise.resolve();
  expect(seen).toEqual(['a']);
  endFirst();
  (await second!)();
  (await third!)();
  expect(seen).toEqual(['a', 'b', 'c']);
});

test('who gives up lets the others by, and nobody before his turn', async () => {
  const turns = new Turns();
  const end = await turns.take(never);
  const abort = new AbortController();
  const given = turns.take(abort.signal);
  let has = false;
  const next = turns.take(never).then((done) => {
    has = true;
    return done;
  });
  abort.abort(new Error('given up'));
  await expect(given).rejects.toThrow('given up');
  await Promise.resolve();
  expect(has).toBe(false);
  end();
  (await next)();
  await expect(turns.take(AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
  (await turns.take(never))();
});
