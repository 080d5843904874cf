import { BotState } from '../../../src/agent/handoff/bot-state';

const NEVER = new Promise<never>(() => undefined);

describe("the bot's own state, from one process to the next", () => {
  let errors: string[];

  beforeEach(() => {
    errors = [];
    jest.useFakeTimers();
    jest
      .spyOn(console, 'error')
      .mockImplementation((...args: unknown[]) => void errors.push(args.map(String).join(' ')));
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  /** How long something took by the clock that is moved, ms. */
  async function took(work: Promise<unknown>): Promise<number> {
    const begin = Date.now();
    const isOver = jest.fn();
    void work.then(isOver);
    for (let ms = 0; ms < 60_000 && isOver.mock.calls.length === 0; ms += 100) await jest.advanceTimersByTimeAsync(100);
    return Date.now() - begin;
  }

  it('goes over by name, also from several processes, and to hooks that are registered later', async () => {
    const [from, to] = [new BotState(), new BotState()];
    from.register('games', { export: () => [1, 2], import: () => undefined });
    from.register('timers', { export: () => Promise.resolve({ at: 7 }), import: () => undefined });
    const state = await from.export();
    const [games, timers] = [jest.fn(), jest.fn()];
    to.register('games', { export: () => null, import: games });
    await to.import([state, { games: [3] }]);
    to.register('timers', { export: () => null, import: timers });
    expect(games.mock.calls).toEqual([[[1, 2]], [[3]]]);
    expect(timers.mock.calls).toEqual([[{ at: 7 }]]);
  });

  it('an export that fails, hangs or cannot be carried is left out, and nobody waits for it', async () => {
    const state = new BotState();
    state.register('hangs', { export: () => NEVER, import: () => undefined });
    state.register('throws', { export: () => Promise.reject(new Error('no')), import: () => undefined });
    state.register('circular', { export: () => 1n, import: () => undefined });
    state.register('good', { export: () => 'fine', import: () => undefined });
    const exported = state.export();
    expect(await took(exported)).toBe(1_000);
    expect(await exported).toEqual({ good: 'fine' });
    expect(errors.join('\n')).toMatch(/"hangs": export failed.*\n?.*not done within 1 s/);
    expect(errors).toHaveLength(3);
  });

  it('an import that hangs does not keep the events from the bot for ever, nor the others from theirs', async () => {
    const state = new BotState();
    const others = jest.fn();
    state.register('hangs', { export: () => null, import: () => NEVER });
    state.register('throws', { export: () => null, import: () => Promise.reject(new Error('no')) });
    state.register('good', { export: () => null, import: others });
    expect(await took(state.import([{ hangs: 1, throws: 2, good: 3 }]))).toBe(5_000);
    expect(others).toHaveBeenCalledWith(3);
    expect(errors).toEqual([
      expect.stringMatching(/"throws": import failed: Error: no/) as string,
      'lifecycle.onHandoff "hangs": import is not done within 5 s, events come meanwhile',
    ]);
  });
});
