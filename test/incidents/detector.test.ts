import { Scene, START, aBot, aFinding, severe } from './support/scene';

describe('one incident', () => {
  it('opens when its condition has held for long enough, and not before', () => {
    const scene = new Scene({ 'error-rate': { forMs: 20_000 } }).set('error-rate', 'bot');
    expect(scene.look(2).told).toEqual([]);
    expect(scene.look().told).toEqual(['opened error-rate bot']);
    expect(scene.only()).toMatchObject({ state: 'open', holds: true, openedAt: START + 20_000, affected: ['bot'] });
  });

  it('a condition that goes away in between begins anew', () => {
    const scene = new Scene({ 'error-rate': { forMs: 20_000 } });
    for (let turn = 0; turn < 10; turn++) scene.set('error-rate', 'bot').look(2).set('error-rate').look();
    expect(scene.told).toEqual([]);
  });

  it('is resolved at the time at which the condition went away, once that is certain', () => {
    const scene = new Scene({ 'error-rate': { clearMs: 60_000 } }).set('error-rate', 'bot').look(3);
    const gone = scene.set('error-rate').now;
    scene.look(6);
    expect(scene.only()).toMatchObject({ state: 'mitigated', holds: false, mitigatedAt: gone });
    scene.look();
    expect(scene.open).toEqual([]);
    expect(scene.book.past.at(-1)).toMatchObject({ state: 'resolved', resolvedAt: gone });
    expect(scene.told).toEqual(['opened error-rate bot', 'resolved error-rate bot']);
  });

  it('that flaps for an hour stays one, with a short timeline', () => {
    const scene = new Scene({ 'error-rate': { clearMs: 60_000 } });
    for (let turn = 0; turn < 60; turn++) scene.set('error-rate', 'bot').look(3).set('error-rate').look(3);
    expect(scene.told).toEqual(['opened error-rate bot']);
    expect(scene.only().timeline.length).toBeLessThan(6);
    expect(scene.only().timeline.at(-1)).toMatchObject({
      kind: 'mitigated',
      text: expect.stringMatching(/×60/) as string,
    });
  });

  it('that comes back soon is the same one, and each time it must stay away longer', () => {
    const scene = new Scene({ 'error-rate': { clearMs: 60_000 } });
    const turns: number[] = [];
    for (let time = 0; time < 5; time++) {
      scene.set('error-rate', 'bot').look().set('error-rate');
      let looks = 0;
      for (; scene.open.length > 0; looks++) scene.look();
      turns.push(looks);
    }
    expect(turns).toEqual([7, 13, 25, 49, 49]);
    expect(scene.told.filter((line) => line.startsWith('opened'))).toHaveLength(1);
    expect(scene.book.past).toHaveLength(1);
    expect(scene.book.past[0]).toMatchObject({ reopened: 4 });
  });

  it('that comes back much later is another one', () => {
    const scene = new Scene({ 'error-rate': {} }).set('error-rate', 'bot').look().set('error-rate').look(80);
    scene.set('error-rate', 'bot').look();
    expect(scene.told.at(-1)).toBe('opened error-rate bot');
    expect(scene.only().id).toBe('i2');
  });

  it('tells severity up, and down without a word', () => {
    const scene = new Scene({ 'error-rate': {} }).set('error-rate', severe('bot', 'warning')).look();
    scene.set('error-rate', severe('bot', 'critical')).look().set('error-rate', severe('bot', 'warning')).look();
    expect(scene.told).toEqual(['opened error-rate bot', 'escalated error-rate bot']);
    expect(scene.only().timeline.map(({ kind }) => kind)).toEqual(['opened', 'escalated', 'eased']);
  });

  it('resolved by hand stays so until its condition has gone away once', () => {
    const scene = new Scene({ 'error-rate': {} }).set('error-rate', 'bot').look();
    scene.detector.dismiss(scene.only());
    scene.book.resolve(scene.only(), scene.now, scene.now, 'by hand');
    expect(scene.look(30).open).toEqual([]);
    scene.set('error-rate').look().set('error-rate', 'bot').look();
    expect(scene.told.at(-1)).toBe('reopened error-rate bot');
  });

  it('neither opens nor ends by a clock that is set, or a machine that slept', () => {
    const scene = new Scene({ 'error-rate': { forMs: 60_000, clearMs: 60_000 } }).set('error-rate', 'bot').look();
    scene.now += 3_600_000;
    expect(scene.look(2).told).toEqual([]);
    scene.now -= 7_200_000;
    expect(scene.look(5).told).toEqual(['opened error-rate bot']);
    scene.set('error-rate').look();
    scene.now += 3_600_000;
    scene.look();
    expect(scene.only().state).toBe('mitigated');
  });

  it('is not called over while too little is known', () => {
    const scene = new Scene({ 'error-rate': {} }).set('error-rate', 'bot').look().set('error-rate');
    for (let turn = 0; turn < 20; turn++)
      scene.detector.step({ ...aWindowAt(scene), now: (scene.now += 10_000) }, false);
    expect(scene.only().state).toBe('open');
  });
});

function aWindowAt({ now }: Scene): Parameters<Scene['detector']['step']>[0] {
  const none = { figure: () => null, figures: () => [], latest: () => [] };
  return { now, metrics: none, bot: aBot(), checks: [], occurrences: [], signals: [] };
}

describe('many scopes', () => {
  it('are one incident when they have one cause', () => {
    const scene = new Scene({ 'cluster-crash': {} }).set('cluster-crash', ...clusters(64)).look(3);
    expect(scene.told).toEqual(['opened cluster-crash bot']);
    expect(scene.only().affected).toHaveLength(64);
  });

  it('two clusters are two incidents, which become one with the third', () => {
    const scene = new Scene({ 'cluster-crash': {} }).set('cluster-crash', ...clusters(2)).look();
    expect(scene.told).toEqual(['opened cluster-crash cluster:0', 'opened cluster-crash cluster:1']);
    scene.set('cluster-crash', ...clusters(3)).look();
    expect(scene.only()).toMatchObject({ id: 'i1', scope: 'bot', affected: ['cluster:0', 'cluster:1', 'cluster:2'] });
    expect(scene.told.at(-1)).toBe('(resolved cluster-crash cluster:1)');
  });

  it('one that has become wide stays one as it shrinks', () => {
    const scene = new Scene({ 'cluster-crash': {} }).set('cluster-crash', ...clusters(5)).look();
    scene.set('cluster-crash', 'cluster:4').look(3);
    expect(scene.told).toEqual(['opened cluster-crash bot']);
    expect(scene.only().affected).toEqual(['cluster:4']);
  });

  it('two databases are Postgres', () => {
    const scene = new Scene({ 'database-down': {} }).set('database-down', 'db:0', 'db:1').look();
    expect(scene.only()).toMatchObject({ scope: 'postgres', affected: ['db:0', 'db:1'] });
  });

  it('a bot that is told beside its shards takes them in', () => {
    const scene = new Scene({ 'shard-disconnects': {} }).set('shard-disconnects', 'bot', 'shard:1', 'shard:2').look();
    expect(scene.only()).toMatchObject({ scope: 'bot', affected: ['shard:1', 'shard:2'] });
  });
});

describe('a crash that becomes a crash loop', () => {
  it('is the same incident, escalated', () => {
    const scene = new Scene({ 'cluster-crash': {}, 'crash-loop': {} }).set('cluster-crash', 'cluster:2').look();
    scene.set('cluster-crash').set('crash-loop', severe('cluster:2', 'critical')).look(3);
    expect(scene.told).toEqual(['opened cluster-crash cluster:2', 'escalated crash-loop cluster:2']);
    expect(scene.only()).toMatchObject({ type: 'crash-loop', rule: 'crash-loop', severity: 'critical' });
  });

  it('also when all clusters do, one after the other', () => {
    const scene = new Scene({ 'cluster-crash': {}, 'crash-loop': {} }).set('cluster-crash', ...clusters(4)).look();
    for (let loops = 1; loops <= 4; loops++) {
      scene
        .set('crash-loop', ...clusters(loops))
        .set('cluster-crash', ...clusters(4).slice(loops))
        .look(2);
    }
    expect(scene.told).toEqual(['opened cluster-crash bot', 'escalated crash-loop bot']);
    expect(scene.only().affected).toHaveLength(4);
  });
});

describe('what follows from a cause', () => {
  const rules = {
    'database-down': {},
    'error-rate': { forMs: 20_000, windowMs: 300_000 },
    'slow-responses': { windowMs: 300_000 },
  };

  it('is kept, but nobody is told', () => {
    const scene = new Scene(rules)
      .set('database-down', 'postgres')
      .look(2)
      .set('error-rate', 'bot')
      .set('slow-responses', 'bot')
      .look(4);
    expect(scene.told).toEqual([
      'opened database-down postgres',
      '(opened error-rate bot)',
      '(opened slow-responses bot)',
    ]);
    expect(scene.open.map(({ parent }) => parent)).toEqual([null, 'i1', 'i1']);
  });

  it('also when both begin in one look', () => {
    const scene = new Scene(rules).set('slow-responses', 'bot').set('database-down', 'db:0').look();
    expect(scene.told).toEqual(['opened database-down db:0', '(opened slow-responses bot)']);
  });

  it('is held back while its cause is not certain yet', () => {
    const scene = new Scene({ ...rules, 'database-down': { forMs: 20_000 } });
    scene.set('slow-responses', 'bot').set('database-down', 'db:0').look(2);
    expect(scene.told).toEqual([]);
    expect(scene.look().told).toEqual(['opened database-down db:0', '(opened slow-responses bot)']);
  });

  it('comes under its cause when that is found a little later', () => {
    const scene = new Scene(rules).set('slow-responses', 'bot').look(3).set('database-down', 'db:0').look();
    expect(scene.told).toEqual(['opened slow-responses bot', 'opened database-down db:0']);
    scene.look();
    expect(scene.open.find(({ type }) => type === 'slow-responses')).toMatchObject({ parent: 'i2' });
  });

  it('what has been so for an hour has another cause', () => {
    const scene = new Scene(rules).set('slow-responses', 'bot').look(360).set('database-down', 'db:0').look(3);
    expect(scene.open.map(({ parent }) => parent)).toEqual([null, null]);
  });

  it('fades away after its cause without a word', () => {
    const scene = new Scene(rules).set('database-down', 'db:0').look(2).set('slow-responses', 'bot').look(2);
    scene.set('database-down').look(20);
    scene.set('slow-responses').look(10);
    expect(scene.told.filter((line) => !line.startsWith('('))).toEqual([
      'opened database-down db:0',
      'resolved database-down db:0',
    ]);
    expect(scene.open).toEqual([]);
  });

  it('stands for itself when it stays longer than its cause can explain', () => {
    const scene = new Scene(rules).set('database-down', 'db:0').look(2).set('slow-responses', 'bot').look(2);
    scene.set('database-down').look(60);
    expect(scene.told.at(-1)).toBe('opened slow-responses bot');
    expect(scene.only()).toMatchObject({ parent: null, type: 'slow-responses' });
  });

  it('only where the scopes touch: a shard in its cluster', () => {
    const scene = new Scene({ 'cluster-hung': {}, 'shard-stuck': {} });
    scene.set('cluster-hung', 'cluster:1').look().set('shard-stuck', 'shard:4', 'shard:0').look();
    expect(scene.told).toEqual(
      ['opened cluster-hung cluster:1', '(opened shard-stuck shard:4)', 'opened shard-stuck shard:0'].sort((a, b) =>
        a.includes('shard:0') && b.includes('shard:4') ? -1 : 0,
      ),
    );
  });

  it('an outage of Discord explains all that it brings', () => {
    const scene = new Scene({ 'discord-outage': {}, 'shard-stuck': {}, 'guild-drop': {}, 'error-rate': {} });
    const shards = Array.from({ length: 16 }, (_, id) => `shard:${id}` as const);
    scene
      .set('discord-outage', 'bot')
      .set('shard-stuck', ...shards)
      .set('guild-drop', 'bot')
      .set('error-rate', 'rest')
      .look(3);
    expect(scene.told.filter((line) => !line.startsWith('('))).toEqual(['opened discord-outage bot']);
  });

  it('failing calls to Discord explain failing answers, not the other way round', () => {
    const scene = new Scene({ 'error-rate': {} }).set('error-rate', 'bot', 'rest').look();
    scene.look();
    expect(scene.open.find(({ scope }) => scope === 'rest')).toMatchObject({ parent: null });
    expect(scene.open.find(({ scope }) => scope === 'bot')?.parent).not.toBeNull();
  });
});

function clusters(count: number): ReturnType<typeof aFinding>[] {
  return Array.from({ length: count }, (_, id) => aFinding(`cluster:${id}`));
}
