import { spawnSync } from 'node:child_process';
import { has } from './prometheus';
import { redisServer } from './redis-server';

/** A dead mirror must not hang the tests, ms. */
const APT_TIMEOUT_MS = 180_000;

/** Runs once before all tests: the tests use real servers, so what is missing is installed or explained. */
export default function setup(): void {
  const missing = [...(redisServer() === null ? ['redis-server'] : []), ...(has('promtool') ? [] : ['prometheus'])];
  if (missing.length === 0) return;
  install(missing);
  if (!has('promtool')) {
    console.log('\nWithout promtool on PATH (package prometheus) the tests that need it are skipped.');
  }
  if (redisServer() !== null) return;
  throw new Error(
    'The tests need a redis-server on PATH. Install it: `apt-get install redis-server` (Debian, Ubuntu), ' +
      '`dnf install valkey` (Fedora), `brew install redis` (macOS), `apk add redis` (Alpine).',
  );
}

function install(packages: readonly string[]): void {
  const isRoot = process.getuid?.() === 0;
  const apt = isRoot && spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!apt) return;
  console.log(`\nThe tests use ${packages.join(' and ')}: installing with apt-get.`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const run = (...args: string[]): void => {
    spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env, timeout: APT_TIMEOUT_MS });
  };
  run('update', '-qq');
  // One that cannot be had must not keep the other away.
  for (const name of packages) run('install', '-y', '-qq', '--no-install-recommends', name);
}
