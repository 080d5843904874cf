import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LayoutFile, sameClusters, startingPlan, type Layout } from '../../src/supervisor/layout';

const range = { totalShards: 4, shardIds: [0, 1, 2, 3] };
const layout: Layout = {
  totalShards: 4,
  shardsPerCluster: 2,
  clusters: [
    { id: 0, shardIds: [0, 1, 2] },
    { id: 1, shardIds: [3] },
  ],
};

describe('the layout', () => {
  let dir: string;
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'botctl-layout-'))));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('is there again for the next supervisor, until it is cleared; a torn file is none', () => {
    const file = new LayoutFile(dir);
    expect(file.read()).toBeNull();
    file.write(layout);
    expect(new LayoutFile(dir).read()).toEqual(layout);
    writeFileSync(join(dir, 'layout.json'), '{"clusters": [');
    expect(file.read()).toBeNull();
    file.clear();
    file.clear();
    expect(file.read()).toBeNull();
  });

  it('counts for the same shards and the same config only', () => {
    expect(startingPlan(layout, range, 2).clusters).toEqual(layout.clusters);
    const configured = startingPlan(null, range, 2).clusters;
    expect(configured.map(({ shardIds }) => shardIds)).toEqual([[0, 1], [2, 3]]); // prettier-ignore
    expect(startingPlan({ ...layout, totalShards: 8 }, range, 2).clusters).toEqual(configured);
    expect(startingPlan({ ...layout, shardsPerCluster: 3 }, range, 2).clusters).toEqual(configured);
    expect(startingPlan(layout, { ...range, shardIds: [0, 1, 2] }, 2).clusters).not.toEqual(layout.clusters);
    expect(sameClusters(layout.clusters, configured)).toBe(false);
    expect(sameClusters(configured, startingPlan(null, range, 2).clusters)).toBe(true);
  });
});
