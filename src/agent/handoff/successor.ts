import { once } from 'node:events';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Client } from 'discord.js';
import { encodeFrame } from '../../ipc/frames';
import { TOOK_OVER_FILE, type DroppedState, type HandoffReport, type ShardSession } from '../../ipc/messages';
import { processStartTime } from '../../ipc/process-start-time';
import { SnapshotError, type GatewayStream, type HeaderRecord, type SnapshotMeta } from '../snapshot';
import type { BotState } from './bot-state';
import { CacheReceiver } from './cache-receiver';
import { readRecords, type CutRecord, type FromPredecessor, type FromSuccessor } from './wire';

/** A client that is given its sessions, and waits for them in `login()`. */
export interface TakingClient {
  readonly client: Client;
  readonly manager: GatewayStream;
  readonly meta: SnapshotMeta;
  setSessions(sessions: ShardSession[]): void;
  /** Opens the connections; resolves when all have had HELLO, and sends nothing on them. */
  connect(): Promise<void>;
  /** Sends RESUME on all. `answered` tells the first sign of Discord; `resumed` when all have been resumed or refused. */
  resume(on: { answered: () => void; settled: (lastAt: number | null) => void }): void;
}

export interface SuccessorOptions {
  socketPath: string;
  /** How many processes hand over to this one. */
  predecessors: number;
  parkDir: string;
  state: BotState;
  report: (report: HandoffReport) => void;
  /** The client serves: what is to be told of it. */
  serving: (gapMs: number | null, dropped: DroppedState) => void;
}

/** The predecessors' events are applied within this time, ms, when the successor counts as level. */
const LEVEL_MS = 25;
/** When one shard has been answered, the others are waited for so long, ms, before the successor says that it serves. */
const STRAGGLER_MS = 3_000;

/** One handoff, seen by a process that takes over. Until the cut it may die at any time without harm. */
export class Successor {
  #allow: () => void = () => undefined;
  readonly #allowed = new Promise<void>((resolve) => (this.#allow = resolve));
  #hasTaken = false;

  constructor(private readonly options: SuccessorOptions) {}

  /** From here on this process is the cluster. */
  get hasTaken(): boolean {
    return this.#hasTaken;
  }

  /** The supervisor lets it ask for the cut. */
  allow(): void {
    this.#allow();
  }

  /**
   * Resolves when the client is ready and has sent its RESUMEs.
   * @throws when the predecessor or the copy fails before the cut: this process has to end
   */
  async run(taking: TakingClient): Promise<void> {
    const receiver = new CacheReceiver(taking.manager, taking.client, taking.meta);
    const headers = new Headers(this.options.predecessors, receiver);
    const intakes = (await this.#accept()).map((socket) => new Intake(socket, receiver, headers));
    const say = (record: FromSuccessor): void => intakes.forEach((intake) => intake.say(record));
    const failed = Promise.race(intakes.map((intake) => intake.failed));
    failed.catch(() => undefined); // after the cut nobody waits for it
    say({ k: 'successor', pid: process.pid, startTime: processStartTime(process.pid) ?? '' });

    const sessions = await Promise.all(intakes.map(({ copied }) => copied));
    this.options.report({ step: 'copied', guilds: taking.client.guilds.cache.size });
    taking.setSessions(sessions.flat());
    await Promise.race([taking.connect(), failed]);
    await this.#level(intakes);
    this.options.report({ step: 'level' });
    await Promise.race([this.#allowed, failed]);
    say({ k: 'cut' });
    const cut = together(await Promise.all(intakes.map((intake) => intake.cut)));

    this.#hasTaken = true;
    this.#mark();
    this.options.report({ step: 'taken' });
    taking.setSessions(cut.sessions);
    await this.options.state.import(cut.states);
    await receiver.release();
    this.#resume(taking, intakes, cut);
  }

  #resume(taking: TakingClient, intakes: readonly Intake[], cut: Cut): void {
    let timer: NodeJS.Timeout | null = null;
    let told = false;
    const settled = (lastAt: number | null): void => {
      if (told) return;
      told = true;
      if (timer !== null) clearTimeout(timer);
      this.options.serving(lastAt === null ? null : lastAt - cut.at, cut.dropped);
      for (const intake of intakes) intake.end();
    };
    taking.resume({
      answered: () => {
        if (timer !== null) return;
        for (const intake of intakes) intake.say({ k: 'serving' });
        timer = setTimeout(() => settled(null), STRAGGLER_MS);
      },
      settled,
    });
  }

  async #accept(): Promise<Socket[]> {
    const { socketPath, predecessors, report } = this.options;
    rmSync(socketPath, { force: true });
    const server = createServer();
    server.listen(socketPath);
    await once(server, 'listening');
    chmodSync(socketPath, 0o600);
    report({ step: 'waiting' });
    const sockets = await new Promise<Socket[]>((resolve) => {
      const accepted: Socket[] = [];
      server.on('connection', (socket) => {
        socket.on('error', () => undefined); // told by the end of the records
        if (accepted.push(socket) === predecessors) resolve(accepted);
      });
    });
    server.close();
    return sockets;
  }

  /** As long as the predecessors' events wait here, they would lengthen the gap. */
  async #level(intakes: readonly Intake[]): Promise<void> {
    for (let id = 1, took = Infinity; took > LEVEL_MS; id++) {
      const sentAt = performance.now();
      await Promise.all(intakes.map((intake) => intake.mark(id)));
      took = performance.now() - sentAt;
    }
  }

  /** For the next supervisor, should this one not live to hear it. */
  #mark(): void {
    try {
      writeFileSync(join(this.options.parkDir, TOOK_OVER_FILE), '', { mode: 0o600 });
    } catch {
      // a full disk: only the next supervisor would have needed it
    }
  }
}

/** True when a restart would do: the new process is sound, only the old one's sessions are of no use to it. */
export function isForeign(error: unknown): boolean {
  return error instanceof SnapshotError;
}

/** What all predecessors gave at their cuts. */
interface Cut extends Pick<CutRecord, 'at' | 'sessions' | 'dropped'> {
  states: Record<string, unknown>[];
}

function together(cuts: readonly CutRecord[]): Cut {
  const inOrder = [...cuts].sort((a, b) => firstShard(a) - firstShard(b));
  return {
    at: Math.min(...cuts.map(({ at }) => at)),
    sessions: inOrder.flatMap(({ sessions }) => sessions),
    dropped: {
      collectors: cuts.reduce((sum, { dropped }) => sum + dropped.collectors, 0),
      voiceConnections: cuts.reduce((sum, { dropped }) => sum + dropped.voiceConnections, 0),
    },
    states: inOrder.map(({ state }) => state),
  };
}

function firstShard({ sessions }: CutRecord): number {
  return Math.min(...sessions.map(({ shardId }) => shardId));
}

/** The caches can be filled when all predecessors have said what they have. */
class Headers {
  readonly #found: HeaderRecord[] = [];
  readonly #begun: Promise<void>;
  #begin: () => void = () => undefined;

  constructor(
    private readonly count: number,
    receiver: CacheReceiver,
  ) {
    this.#begun = new Promise<void>((resolve) => (this.#begin = resolve)).then(() => receiver.begin(this.#found));
    this.#begun.catch(() => undefined); // told to whoever adds
  }

  /** Resolves when the caches take records. @throws SnapshotError */
  async add(header: HeaderRecord): Promise<void> {
    if (this.#found.push(header) === this.count) this.#begin();
    await this.#begun;
  }
}

/** Takes one predecessor's records in, in order, and tells what they mean. */
class Intake {
  readonly copied: Promise<ShardSession[]>;
  readonly cut: Promise<CutRecord>;
  /** Only ever rejects. */
  readonly failed: Promise<never>;
  readonly #marks = new Map<number, () => void>();
  #onCopied: (sessions: ShardSession[]) => void = () => undefined;
  #onCut: (record: CutRecord) => void = () => undefined;

  constructor(
    private readonly socket: Socket,
    private readonly receiver: CacheReceiver,
    private readonly headers: Headers,
  ) {
    const copied = new Promise<ShardSession[]>((resolve) => (this.#onCopied = resolve));
    const cut = new Promise<CutRecord>((resolve) => (this.#onCut = resolve));
    this.failed = this.#read().then(() => new Promise<never>(() => undefined));
    this.copied = Promise.race([copied, this.failed]);
    this.cut = Promise.race([cut, this.failed]);
    for (const promise of [this.failed, this.copied, this.cut]) promise.catch(() => undefined);
  }

  say(record: FromSuccessor): void {
    this.socket.write(encodeFrame(record));
  }

  end(): void {
    this.socket.end();
  }

  /** Resolves when all that the predecessor had said by now is taken in. */
  async mark(id: number): Promise<void> {
    this.say({ k: 'mark', id });
    await Promise.race([new Promise<void>((resolve) => this.#marks.set(id, resolve)), this.failed]);
  }

  async #read(): Promise<void> {
    for await (const record of readRecords<FromPredecessor>(this.socket)) {
      switch (record.k) {
        case 'header':
          await this.headers.add(record);
          break;
        case 'copied':
          this.#onCopied(record.sessions);
          break;
        case 'mark':
          this.#marks.get(record.id)?.();
          break;
        case 'cut':
          this.#onCut(record);
          this.socket.resume(); // it stays open: its end would tell the predecessor that this process is dead
          return;
        default:
          await this.receiver.take(record);
      }
    }
    throw new Error('the predecessor has ended');
  }
}
