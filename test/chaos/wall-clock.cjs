// Loaded into the supervisor and the clusters: their wall clock is off by as many ms as the file CHAOS_CLOCK says. What
// is measured by the monotonic clock, as timers are, goes on as before.
const { readFileSync } = require('node:fs');

const LOOK_MS = 50;
const file = process.env.CHAOS_CLOCK;
const Real = Date;
let offset = 0;

function look() {
  try {
    offset = Number(readFileSync(file, 'utf8'));
  } catch {
    // there is no such file yet
  }
}

if (file !== undefined) {
  look();
  setInterval(look, LOOK_MS).unref();
  const now = () => Real.now() + offset;
  globalThis.Date = new Proxy(Real, {
    construct: (target, args, as) => Reflect.construct(target, args.length === 0 ? [now()] : args, as),
    apply: () => new Real(now()).toString(),
    get: (target, key, receiver) => (key === 'now' ? now : Reflect.get(target, key, receiver)),
  });
}
