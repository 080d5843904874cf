import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import type { HandoffGap } from '../../src/ipc/messages';
import { until } from '../support/until';

export const PEERS = ['botctl', 'ShardingManager', 'hybrid-sharding'] as const;
export type PeerName = (typeof PEERS)[number];

export interface PeerOptions {
  api: string;
  shards: number;
  shardsPerCluster: number;
  task?: 'broadcast';
  hang?: boolean;
  /** It will be deployed anew. */
  deploys?: boolean;
  /** Of hybrid-sharding's re-cluster. */
  mode?: 'gracefulSwitch' | 'rolling';
}

interface Note {
  at: number;
  pid: number;
  event: string;
  shards?: number[];
  p50?: number;
  p99?: number;
  ms?: number;
  how?: string;
}

const BOTS = resolve(__dirname, 'bots');
const BIN = resolve(__dirname, '../../dist/bin/botctl.js');
const TOKEN = 'a-token-for-the-sandbox';

/** One manager with the same bot beneath, in a folder of its own. */
export class Peer {
  readonly dir = mkdtempSync(join(tmpdir(), 'botctl-bench-'));
  readonly file = join(this.dir, 'notes');
  readonly #child: ChildProcess;
  readonly startedAt: number;

  constructor(
    readonly name: PeerName,
    private readonly options: PeerOptions,
  ) {
    writeFileSync(this.file, '');
    const env: NodeJS.ProcessEnv = {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      DISCORD_TOKEN: TOKEN,
      TEST_DISCORD_API: options.api,
      BENCH_FILE: this.file,
      BENCH_SHARDS: String(options.shards),
      BENCH_PER_CLUSTER: String(options.shardsPerCluster),
      ...(options.task !== undefined && { BENCH_TASK: options.task }),
      ...(options.hang === true && { BENCH_HANG: '1' }),
      ...(name === 'hybrid-sharding' && { PEER: 'hybrid' }),
      ...(options.mode !== undefined && { BENCH_MODE: options.mode }),
    };
    if (options.deploys === true) this.#copyBot();
    this.startedAt = Date.now();
    this.#child = spawn(process.execPath, this.#args(), { cwd: this.dir, env, stdio: 'ignore', detached: true });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  notes(): Note[] {
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Note);
  }

  /** Resolves with the ms from the launch until the last shard was ready. */
  async untilReady(timeoutMs = 150_000): Promise<number> {
    const ready = (): Note[] => this.notes().filter(({ event }) => event === 'ready');
    await until(() => new Set(ready().flatMap(({ shards }) => shards ?? [])).size === this.options.shards, {
      timeoutMs,
    });
    return Math.max(...ready().map(({ at }) => at)) - this.startedAt;
  }

  async untilNote(event: string, timeoutMs = 120_000): Promise<Note> {
    let found: Note | undefined;
    await until(() => (found = this.notes().find((note) => note.event === event)) !== undefined, { timeoutMs });
    if (found === undefined) throw new Error(`no note ${event}`);
    return found;
  }

  /** Pid of the process that serves a shard. */
  processOf(shard: number): number {
    const note = this.notes().findLast(({ event, shards }) => event === 'ready' && shards?.includes(shard) === true);
    return note?.pid ?? 0;
  }

  /** Proportional set size in MB: of the manager, and of all that it started. */
  memory(): { manager: number; children: number } {
    const children = this.#pids().filter((pid) => pid !== this.pid);
    return { manager: pss(this.pid), children: children.reduce((sum, pid) => sum + pss(pid), 0) };
  }

  /** What the deploy cost each cluster. */
  async gaps(): Promise<HandoffGap[]> {
    if (this.name !== 'botctl') return [];
    const config = join(this.dir, 'botctl.yaml');
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] };
    const { stdout } = await promisify(execFile)(process.execPath, [BIN, 'releases', '--json', '--config', config], {
      env,
    });
    const { history } = JSON.parse(stdout) as { history: { clusters: HandoffGap[] }[] };
    return history[0]?.clusters ?? [];
  }

  /** Begins to move everything to a new version: botctl's own command, or the signal on which the peers do theirs. */
  async deploy(): Promise<void> {
    if (this.name !== 'botctl') {
      process.kill(this.pid, 'SIGUSR2');
      return;
    }
    appendFileSync(join(this.#botDir, 'bench.cjs'), '// a new version\n');
    const config = join(this.dir, 'botctl.yaml');
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], DISCORD_TOKEN: TOKEN };
    const child = spawn(process.execPath, [BIN, 'deploy', '--rolling', '--config', config], { cwd: this.dir, env });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`botctl deploy: exit code ${String(code)}\n${said}\n${this.#log()}`);
  }

  /** The end of botctl's log. */
  #log(): string {
    const dir = join(this.dir, 'state/logs');
    const text = readdirSync(dir).map((name) => readFileSync(join(dir, name), 'utf8'));
    return text.join('').slice(-4_000);
  }

  get #botDir(): string {
    return join(this.dir, 'bot');
  }

  /** A folder of its own, so that a release of it is small, as that of a bot. */
  #copyBot(): void {
    mkdirSync(this.#botDir);
    copyFileSync(join(BOTS, 'bench.cjs'), join(this.#botDir, 'bench.cjs'));
    symlinkSync(resolve(__dirname, '../../node_modules'), join(this.#botDir, 'node_modules'));
  }

  async end(): Promise<void> {
    const closed = once(this.#child, 'exit');
    const ended = this.#child.exitCode !== null || this.#child.signalCode !== null;
    for (const pid of this.#pids()) kill(pid);
    if (!ended) await closed;
    await until(() => {
      const left = this.#pids();
      left.forEach(kill);
      return left.length === 0;
    });
    rmSync(this.dir, { recursive: true, force: true });
  }

  #args(): string[] {
    if (this.name === 'ShardingManager') return [join(BOTS, 'sharding-manager.cjs')];
    if (this.name === 'hybrid-sharding') return [join(BOTS, 'hybrid.cjs')];
    const config = join(this.dir, 'botctl.yaml');
    writeFileSync(
      config,
      stringify({
        bot: {
          name: 'bench',
          entry: join(this.options.deploys === true ? this.#botDir : BOTS, 'bench.cjs'),
          cwd: this.dir,
        },
        ...(this.options.deploys === true && {
          deploy: { root: this.#botDir, stability: 0, pause: 0, limits: { latency: '10m' } },
        }),
        discord: { api: this.options.api },
        // The sandbox has no REST limit here, and the peers keep none over all processes.
        rest: { globalPerSecond: 5_000 },
        sharding: { totalShards: this.options.shards, shardsPerCluster: this.options.shardsPerCluster },
        postgres: { embedded: { enabled: false } },
        redis: { embedded: { enabled: false } },
        http: { enabled: false },
        stateDir: join(this.dir, 'state'),
      }),
    );
    return [BIN, 'start', '--config', config];
  }

  /** The manager and everything whose environment names our notes file. */
  #pids(): number[] {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && pid !== process.pid && isAliveWith(pid, this.file));
  }
}

function isAliveWith(pid: number, text: string): boolean {
  try {
    if (!existsSync(`/proc/${pid}/environ`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
      return false;
    return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(text);
  } catch {
    return false;
  }
}

function pss(pid: number): number {
  try {
    const kb = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
    return Number(kb ?? 0) / 1024;
  } catch {
    return 0;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}
