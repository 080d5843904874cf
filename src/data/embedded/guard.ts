import { spawn } from 'node:child_process';
import type { ProcessIdentity } from './process-identity';
import { identify, isRunning } from './process-identity';
import type { ServerFolder } from './server-folder';

/** A server without a living owner is stopped after this time, ms. */
export const ORPHAN_MS = 600_000;
/** How often the guard looks, at most, s. */
const LOOK_SECONDS = 15;
/** What the server gets to end by itself before it is killed, s. */
const STOP_SECONDS = 30;

/*
 * A shell, because it lives as long as the server and costs 1 MB where Node costs 40.
 * Arguments: owner file, server's pid, its start time, seconds without owner, seconds between looks, signal.
 */
const SCRIPT = `
started() {
  if [ -r /proc/self/stat ]; then
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    set -- \${stat##*) }
    [ "$1" != Z ] && echo "\${20}"
  else
    LC_ALL=C ps -o lstart= -p "$1" | sed 's/^ *//; s/ *$//'
  fi
}
running() { [ -n "$1" ] && [ -n "$2" ] && [ "$(started "$1")" = "$2" ]; }
owned() {
  { read -r pid; read -r start; } 2>/dev/null < "$owner" || return 1
  running "$pid" "$start"
}
owner=$1 server=$2 born=$3 limit=$4 look=$5 signal=$6 alone=0
while running "$server" "$born"; do
  if owned; then alone=0; else alone=$((alone + look)); fi
  if [ "$alone" -gt "$limit" ]; then
    kill -s "$signal" "$server"
    left=${STOP_SECONDS}
    while [ "$left" -gt 0 ] && running "$server" "$born"; do sleep 1; left=$((left - 1)); done
    running "$server" "$born" && kill -s KILL "$server"
    exit 0
  fi
  sleep "$look"
done
`;

/**
 * Starts a small process of its own that stops the server when it has had no living owner for `orphanMs`, unless one
 * already watches it. The guard ends with the server.
 *
 * @param signal the server's signal for an orderly end
 */
export function ensureGuard(
  folder: ServerFolder,
  server: ProcessIdentity,
  signal: 'INT' | 'TERM',
  orphanMs: number,
): void {
  const present = folder.guard;
  if (present !== null && isRunning(present)) return;
  const limit = Math.max(1, Math.round(orphanMs / 1000));
  const look = Math.max(1, Math.min(LOOK_SECONDS, Math.round(limit / 4)));
  const { pid, startTime } = server;
  const args = [folder.ownerFile, pid, startTime, limit, look, signal].map(String);
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'botctl-guard', ...args], {
    cwd: '/',
    detached: true,
    stdio: 'ignore',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
  });
  child.on('error', () => undefined); // no shell: the server then lives until it is stopped
  child.unref();
  folder.guard = child.pid === undefined ? null : identify(child.pid);
}

/** Ends the guard and what it waits for. */
export function endGuard(folder: ServerFolder): void {
  const guard = folder.guard;
  if (guard === null || !isRunning(guard)) return;
  try {
    process.kill(-guard.pid, 'SIGKILL');
  } catch {
    // ended by itself
  }
}
