import { until } from '../../support/until';
import { Member } from './members';
import { Scene } from './scene';

let scene: Scene;
let members: Member[];
beforeEach(() => {
  scene = new Scene();
  members = [];
});
afterEach(async () => {
  for (const member of members) member.kill();
  await scene.end();
});

const loads = (): string[] => members.flatMap((member) => member.loads);

test('a thousand gets of a cold key in each of four processes make one load', async () => {
  const { source } = await scene.redis();
  members = await Member.start(4, source, 100);
  const answers = await Promise.all(
    members.map((member) => member.tell({ do: 'getMany-times', key: 'cold', times: 1_000 })),
  );
  expect(loads()).toEqual(['cold']);
  const [first] = answers as { different: string[] }[];
  expect(first?.different).toHaveLength(1);
  for (const answer of answers) expect(answer).toMatchObject({ different: first?.different });
});

test('a process that dies while it loads holds the others up no longer than its lease', async () => {
  const { source } = await scene.redis();
  members = await Member.start(3, source, 0);
  const [dying, ...others] = members as [Member, Member, Member];
  void dying.tell({ do: 'hang-load', key: 'k' });
  await until(() => dying.loads.length === 1);
  const answers = Promise.all(others.map((member) => member.tell({ do: 'get', key: 'k' })));
  dying.kill();
  const [one, two] = await answers;
  expect(one).toMatch(/^k by m[12]$/);
  expect(two).toBe(one);
  expect(others.flatMap((member) => member.loads)).toEqual(['k']);
});

test('each write is seen in another process', async () => {
  const { source } = await scene.redis();
  members = await Member.start(2, source, 0);
  const [writer, reader] = members as [Member, Member];
  for (let round = 0; round < 50; round += 1) {
    const value = `v${round}`;
    const seen = reader.tell({ do: 'watch', key: 'k', value });
    await writer.tell({ do: 'set', key: 'k', value });
    expect(await seen).toBe(value); // how soon: npm run bench:data
  }
});
