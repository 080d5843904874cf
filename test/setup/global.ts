import { spawnSync } from 'node:child_process';
import { redisServer } from './redis-server';

/** A dead mirror must not hang the tests, ms. */
const APT_TIMEOUT_MS = 180_000;

/** Runs once before all tests: the tests use real servers, so what is missing is installed or explained. */
export default function setup(): void {
  if (redisServer() !== null) return;
  const isRoot = process.getuid?.() === 0;
  const apt = isRoot && spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0;
  if (apt) {
    console.log('\nThe tests need a redis-server: installing it with apt-get.');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    for (const args of [
      ['update', '-qq'],
      ['install', '-y', '-qq', 'redis-server'],
    ]) {
      spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env, timeout: APT_TIMEOUT_MS });
    }
    if (redisServer() !== null) return;
  }
  throw new Error(
    'The tests need a redis-server on PATH. Install it: `apt-get install redis-server` (Debian, Ubuntu), ' +
      '`dnf install valkey` (Fedora), `brew install redis` (macOS), `apk add redis` (Alpine).',
  );
}
