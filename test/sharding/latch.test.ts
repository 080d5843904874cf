import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FatalLatch } from '../../src/sharding/latch';

describe('FatalLatch', () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'botctl-latch-'));
    file = join(dir, 'fatal.json');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('holds over a restart with the same config, and not with another one', () => {
    new FatalLatch(file, 'config-a').set(4014, 'Discord refused a privileged intent.', 5);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(new FatalLatch(file, 'config-a').current).toMatchObject({ closeCode: 4014, at: 5 });
    expect(new FatalLatch(file, 'config-b').current).toBeNull();
  });

  it('is lifted for good', () => {
    const latch = new FatalLatch(file, 'config-a');
    latch.set(4004, 'refused', 5);
    latch.clear();
    latch.clear();
    expect(latch.current).toBeNull();
    expect(existsSync(file)).toBe(false);
  });

  it('takes a torn file for none, and holds in memory when the disk fails', () => {
    writeFileSync(file, '{"closeCode": 40');
    expect(new FatalLatch(file, 'config-a').current).toBeNull();
    const latch = new FatalLatch(join(dir, 'no-folder', 'fatal.json'), 'config-a');
    latch.set(4004, 'refused', 5);
    expect(latch.current?.closeCode).toBe(4004);
  });
});
