import { withEntry, type Timeline } from '../../src/incidents/timeline';

it('keeps the beginning and the end, and says how much is missing in between', () => {
  let line: Timeline = { timeline: [], timelineDropped: 0 };
  for (let at = 0; at < 1_000; at++) line = withEntry(line, { at, kind: 'note', text: `note ${at}` });
  expect(line.timeline).toHaveLength(100);
  expect(line.timelineDropped).toBe(900);
  expect(line.timeline.slice(0, 20).map(({ at }) => at)).toEqual(Array.from({ length: 20 }, (_, at) => at));
  expect(line.timeline.at(-1)).toEqual({ at: 999, kind: 'note', text: 'note 999' });
});

it('cuts a text that is too long', () => {
  const { timeline } = withEntry(
    { timeline: [], timelineDropped: 0 },
    { at: 0, kind: 'note', text: 'x'.repeat(5_000) },
  );
  expect(timeline[0]!.text).toHaveLength(501);
});
