import { setTimeout as delay } from 'node:timers/promises';
import { DeferQueue } from '../../../src/data/defer';
import { PgTarget } from './pg-target';

export interface WriterSettings {
  mode: 'write' | 'adopt' | 'drain';
  dir: string;
  flags: string;
  owner: string;
  urls: string[];
  guilds: string[];
  /** The first number of this process; numbers of a guild rise, from process to process too. */
  from: number;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as WriterSettings;
const OUTSTANDING = 60;
const INSERT = 'INSERT INTO landed (guild_id, n, padding) VALUES ($1, $2, $3)';

/** The pipe to the parent is written at once, so what was said was said, also when we are killed. */
function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Defers numbered statements until it is killed, and says which were acknowledged. */
async function write(queue: DeferQueue): Promise<void> {
  let outstanding = 0;
  for (let n = settings.from; ; n += 1) {
    const guild = settings.guilds[Math.floor(Math.random() * settings.guilds.length)]!;
    const padding = 'x'.repeat(Math.random() < 0.3 ? 16_000 : 100);
    const calls = Math.random() < 0.05 ? 2 : 1; // the same key twice is done once
    for (let call = 0; call < calls; call += 1) {
      outstanding += 1;
      void queue
        .defer(BigInt(guild), INSERT, [guild, n, padding], { key: `${guild}:${n}` })
        .then(
          ({ outcome }) => say(`ack ${guild} ${n} ${outcome}`),
          (error: unknown) => say(`refused ${guild} ${n} ${(error as { code?: string }).code ?? String(error)}`),
        )
        .finally(() => (outstanding -= 1));
    }
    do await delay(Math.random() < 0.5 ? 0 : 1);
    while (outstanding > OUTSTANDING);
  }
}

async function main(): Promise<void> {
  const { mode, dir, flags, owner, urls } = settings;
  const log = (level: string, message: string): void => say(`log ${level} ${message}`);
  const target = new PgTarget(urls, flags);
  const queue = await DeferQueue.open({ dir, owner, target, log, maxBytes: 1024 * 1024 });
  say(`open ${queue.stats().pending}`);
  if (mode === 'write') return write(queue);
  if (mode === 'adopt') say(`adopted ${await queue.adoptOrphans()}`);
  while ((await queue.flush({ timeoutMs: 1_000 })) > 0) say(`left ${queue.stats().pending}`);
  await queue.close();
  await target.end();
  say('drained');
}

void main();
