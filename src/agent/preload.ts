import { isMainThread } from 'node:worker_threads';
import { Agent } from './agent';
import { applyEnvironment, removeOwnPreload, takeBootRecord } from './boot';

// Loaded by `node --require`. Without a boot record (a worker thread, a process the bot started) it does nothing.
if (isMainThread) {
  removeOwnPreload(process.execArgv, __filename);
  const boot = takeBootRecord(process.env);
  if (boot !== null) {
    applyEnvironment(process.env, boot);
    new Agent(boot).start();
  }
}
