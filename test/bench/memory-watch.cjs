// Sums up the memory (PSS) of all processes whose environment names a file; tells the greatest sum when it is ended.
// A process of its own: reading it would hold up the sandbox.
const { readdirSync, readFileSync } = require('node:fs');

const [, , text] = process.argv;
const EVERY_MS = 250;
let peak = 0;

function pss(pid) {
  try {
    if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(text)) return 0;
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0; // ended meanwhile
  }
}

setInterval(() => {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  peak = Math.max(
    peak,
    pids.reduce((sum, pid) => sum + pss(pid), 0),
  );
}, EVERY_MS);
process.on('message', () => {
  process.send(peak);
  peak = 0;
});
process.on('disconnect', () => process.exit());
