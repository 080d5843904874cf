import { isMainThread } from 'node:worker_threads';
import { Agent } from './agent';
import { applyEnvironment, removeOwnPreload, takeBootRecord } from './boot';
import { outlastFullDisk } from './full-disk';
import { Preflight } from './preflight';

// Loaded by `node --require`. Without a boot record (a worker thread, a process the bot started) it does nothing.
if (isMainThread) {
  removeOwnPreload(process.execArgv, __filename);
  const boot = takeBootRecord(process.env);
  if (boot !== null) {
    applyEnvironment(process.env, boot);
    outlastFullDisk();
    if (boot.preflightFile === undefined) new Agent(boot).start();
    else new Preflight(boot, boot.preflightFile).start();
  }
}
