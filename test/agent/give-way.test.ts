import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { GiveWay, type ProcessorTime } from '../../src/agent/give-way';

/** A thread whose account the test writes. */
class Thread {
  time: ProcessorTime | null = { ranMs: 0, waitedMs: 0 };
  at = 0;
  readonly way = new GiveWay(
    () => this.time && { ...this.time },
    () => this.at,
  );

  /** It runs, and before that stands in line. */
  works(ranMs: number, waitedMs: number): number {
    this.at += ranMs + waitedMs;
    if (this.time !== null) this.time = { ranMs: this.time.ranMs + ranMs, waitedMs: this.time.waitedMs + waitedMs };
    return this.way.due();
  }
}

describe('GiveWay', () => {
  it('does not pause as long as there is a processor for it', () => {
    const thread = new Thread();
    expect([thread.works(10, 0), thread.works(10, 0.5), thread.works(200, 10)]).toEqual([0, 0, 0]);
  });

  it('leaves the processor to others for twice the time that it ran while it had to wait for it', () => {
    const thread = new Thread();
    expect(thread.works(6, 3)).toBe(12);
    expect(thread.works(6, 0)).toBe(0);
    expect(thread.works(5, 30)).toBe(10);
  });

  it('looks at the account only every few milliseconds', () => {
    const thread = new Thread();
    expect([thread.works(1, 1), thread.works(1, 0.5), thread.works(0.5, 0.5)]).toEqual([0, 0, 5]);
  });

  it('pauses for at most 40 ms at a time, and 4 s in all, so that it gets done', () => {
    const thread = new Thread();
    expect(thread.works(100, 100)).toBe(40);
    const pauses = Array.from({ length: 200 }, () => thread.works(100, 100));
    expect(pauses.reduce((sum, ms) => sum + ms, 40)).toBe(4_000);
    expect(pauses.at(-1)).toBe(0);
  });

  it('never pauses where the system keeps no account', () => {
    const thread = new Thread();
    thread.time = null;
    const way = new GiveWay(
      () => null,
      () => thread.at,
    );
    thread.at = 1_000;
    expect([way.due(), thread.works(50, 50)]).toEqual([0, 0]);
  });
});

const onLinux = existsSync('/proc/self/schedstat') ? describe : describe.skip;

onLinux('GiveWay in a process that loads modules', () => {
  const started: ChildProcess[] = [];
  afterEach(() => started.forEach((child) => child.kill('SIGKILL')));

  it('pauses beside processes that use every processor, and no more once loading is over', async () => {
    for (let burner = 0; burner < cpus().length * 2; burner++) {
      started.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
    }
    const child = fork(join(__dirname, 'support/loads-modules.ts'), { execArgv: ['--import', 'tsx'] });
    started.push(child);
    const [{ whileLoading, afterwards }] = (await once(child, 'message')) as [
      { whileLoading: number; afterwards: number },
    ];
    expect(whileLoading).toBeGreaterThan(0);
    expect(afterwards).toBe(0);
  });
});
