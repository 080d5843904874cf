import { Answers, type Answered } from '../../../src/agent/handoff/answers';

describe('Discord answers the shards of a successor', () => {
  let now: number;
  let first: number[];
  let settled: (Answered | null)[];
  let answers: Answers;
  const at = (time: number, happens: () => void): void => {
    now = time;
    happens();
  };

  beforeEach(() => {
    [now, first, settled] = [0, [], []];
    answers = new Answers({
      shardIds: [4, 5],
      onFirst: () => first.push(now),
      onSettled: (answered) => settled.push(answered),
      now: () => now,
    });
  });

  it('the gap ends with the first event of the last shard, not when all that was missed is there', () => {
    at(10, () => answers.event(4));
    at(20, () => answers.event(4));
    at(25, () => answers.event(5));
    at(40, () => answers.resumed(4));
    expect(settled).toEqual([]);
    at(70, () => answers.resumed(5));
    expect(first).toEqual([40]);
    expect(settled).toEqual([{ heardAt: 25, caughtUpAt: 70 }]);
  });

  it('RESUMED is the first that a shard hears which has missed nothing', () => {
    at(10, () => answers.event(4));
    at(30, () => answers.resumed(4));
    at(50, () => answers.resumed(5));
    expect(settled).toEqual([{ heardAt: 50, caughtUpAt: 50 }]);
  });

  it.each([
    [4, 5],
    [5, 4],
  ])('nothing is measured where a session was refused: shard %d, then shard %d resumed', (refused, other) => {
    at(10, () => answers.identified(refused));
    at(20, () => answers.resumed(other));
    expect(first).toEqual([10]);
    expect(settled).toEqual([null]);
  });

  it('nor where the refused one comes last, or a session is lost and resumed again meanwhile', () => {
    at(10, () => answers.resumed(4));
    at(15, () => answers.resumed(4));
    expect(settled).toEqual([]);
    at(20, () => answers.identified(5));
    at(30, () => answers.resumed(5));
    expect(settled).toEqual([null]);
  });
});
