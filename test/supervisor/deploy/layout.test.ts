import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planClusters } from '../../../src/sharding/plan';
import { LayoutFile, layoutFor, sameClusters, type Layout } from '../../../src/supervisor/deploy/layout';

const configured = { totalShards: 'auto', shardsPerCluster: 2 } as const;
const layout: Layout = {
  totalShards: 4,
  configured,
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

  it('counts for the same config and the same shards only', () => {
    const plan = { totalShards: 4, clusters: layout.clusters };
    expect(layoutFor(layout, configured)).toEqual(plan);
    expect(layoutFor(layout, configured, [3, 2, 1, 0])).toEqual(plan);
    expect(layoutFor(layout, configured, [0, 1, 2])).toBeNull();
    expect(layoutFor(null, configured)).toBeNull();
    expect(layoutFor(layout, { ...configured, totalShards: 4 })).toBeNull();
    expect(layoutFor(layout, { ...configured, shardsPerCluster: 3 })).toBeNull();
    expect(layoutFor({ ...layout, totalShards: 8 }, configured)).toBeNull();
  });

  it('is told from that of the config', () => {
    const range = { totalShards: 4, shardIds: [0, 1, 2, 3] };
    const { clusters } = planClusters(range, 2);
    expect(sameClusters(layout.clusters, clusters)).toBe(false);
    expect(sameClusters(clusters, planClusters(range, 2).clusters)).toBe(true);
  });
});
