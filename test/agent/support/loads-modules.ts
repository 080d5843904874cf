// Loads modules one after the other beside whatever else runs, and tells how often it paused.
import { rmSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GiveWay } from '../../../src/agent/give-way';
import { watchModules } from '../../../src/agent/module-hook';

const MODULES = 60;

const dir = mkdtempSync(join(tmpdir(), 'botctl-modules-'));
const require = createRequire(join(dir, 'index.js'));
const { wait } = Atomics;
let pauses = 0;
Object.assign(Atomics, {
  wait: (...args: unknown[]): unknown => {
    pauses++;
    return Reflect.apply(wait, Atomics, args);
  },
});

/** Modules that take some milliseconds each. */
function load(name: string): number {
  const before = pauses;
  for (let id = 0; id < MODULES; id++) {
    const file = join(dir, `${name}-${id}.js`);
    writeFileSync(file, 'for (const end = performance.now() + 6; performance.now() < end; );');
    require(file);
  }
  return pauses - before;
}

try {
  const giveWay = new GiveWay();
  let loading = true;
  watchModules({
    onLoad: () => {
      if (loading) giveWay.pauseNow();
    },
    onDiscordJs: () => undefined,
    onRest: () => undefined,
    onError: (error) => {
      throw error;
    },
  });
  const whileLoading = load('first');
  loading = false;
  process.send?.({ whileLoading, afterwards: load('second') });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
