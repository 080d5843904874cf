import { text } from 'node:stream/consumers';
import { Discord } from './discord';
import { EventLog } from './events';
import { Guard } from './guard';
import { GuardServer } from './server';
import type { GuardSettings } from './settings';

/** Requests under way have this long to be answered when the guard is told to end, ms. */
const CLOSE_MS = 5_000;

/** The guard as a process of its own: settings as JSON on stdin, one line on stdout when it listens. */
async function main(): Promise<void> {
  // Whoever read our output may be gone.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const settings = JSON.parse(await text(process.stdin)) as GuardSettings;
  const events = new EventLog();
  const discord = new Discord(settings.api);
  const guard = new Guard(settings, discord, events.emit);
  let linger: NodeJS.Timeout | null = null;
  const stop = (): void => {
    setTimeout(() => process.exit(0), CLOSE_MS).unref();
    void server.close().then(() => process.exit(0));
  };
  const stay = (): void => {
    if (linger !== null) clearTimeout(linger);
    linger = setTimeout(stop, settings.lingerMs);
  };
  const server = new GuardServer({
    socketPath: settings.socketPath,
    basePath: new URL(settings.api).pathname.replace(/\/$/, ''),
    guard,
    events,
    onSupervisor: stay,
  });
  process.on('SIGTERM', stop);
  // Ctrl-C in a terminal is for the supervisor: the clusters still need us while they stop.
  process.on('SIGINT', () => undefined);
  await server.listen();
  stay();
  process.stdout.write(`${JSON.stringify({ pid: process.pid })}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
