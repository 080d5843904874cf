import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'discord.js';
import {
  GAP_UNKNOWN,
  TOOK_OVER_FILE,
  type DroppedState,
  type HandoffGap,
  type HandoffReport,
  type ShardSession,
} from '../../ipc/messages';
import { processStartTime } from '../../ipc/process-start-time';
import type { GiveWay } from '../give-way';
import { SnapshotError, type GatewayStream, type HeaderRecord, type SnapshotMeta } from '../snapshot';
import type { Answered, AnswersOptions } from './answers';
import type { BotState } from './bot-state';
import { CacheReceiver } from './cache-receiver';
import { together, type Cut } from './cut';
import { Intake, listen } from './intake';
import type { FromCaches, FromSuccessor } from './wire';

/** A client that is given its sessions, and waits for them in `login()`. */
export interface TakingClient {
  readonly client: Client;
  readonly manager: GatewayStream;
  readonly meta: SnapshotMeta;
  setSessions(sessions: ShardSession[]): void;
  /** Opens the connections; resolves when all have had HELLO, and sends nothing on them. */
  connect(): Promise<void>;
  /** Sends RESUME on all: Discord answers while the bot gets ready, which hears nothing before `listen`. */
  resume(): void;
  listen(on: Pick<AnswersOptions, 'onFirst' | 'onSettled'>): void;
}

export interface SuccessorOptions {
  socketPath: string;
  /** How many processes hand over to this one. */
  predecessors: number;
  parkDir: string;
  giveWay: GiveWay | null;
  state: BotState;
  report: (report: HandoffReport) => void;
  /** The client serves: what is to be told of it. */
  serving: (gap: HandoffGap, dropped: DroppedState) => void;
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
    const receiver = new CacheReceiver(taking.manager, taking.client, taking.meta, this.options.giveWay);
    const headers = new Headers(this.options.predecessors, receiver);
    const take = (record: FromCaches): Promise<void> => {
      return record.k === 'header' ? headers.add(record) : receiver.take(record);
    };
    const { socketPath, predecessors, report } = this.options;
    const sockets = await listen(socketPath, predecessors, () => report({ step: 'waiting' }));
    const intakes = sockets.map((socket) => new Intake(socket, take));
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
    markTaken(this.options.parkDir);
    this.options.report({ step: 'taken' });
    taking.setSessions(cut.sessions);
    taking.resume();
    await this.options.state.import(cut.states);
    await receiver.release();
    this.#listen(taking, intakes, cut);
  }

  #listen(taking: TakingClient, intakes: readonly Intake[], cut: Cut): void {
    let timer: NodeJS.Timeout | null = null;
    let told = false;
    const onSettled = (answered: Answered | null): void => {
      if (told) return;
      told = true;
      if (timer !== null) clearTimeout(timer);
      this.options.serving(gapSince(cut.at, answered), cut.dropped);
      for (const intake of intakes) intake.end();
    };
    taking.listen({
      onFirst: () => {
        for (const intake of intakes) intake.say({ k: 'serving' });
        timer = setTimeout(() => onSettled(null), STRAGGLER_MS);
      },
      onSettled,
    });
  }

  /** As long as the predecessors' events wait here, they would lengthen the gap. */
  async #level(intakes: readonly Intake[]): Promise<void> {
    for (let id = 1, took = Infinity; took > LEVEL_MS; id++) {
      const sentAt = performance.now();
      await Promise.all(intakes.map((intake) => intake.mark(id)));
      took = performance.now() - sentAt;
    }
  }
}

function gapSince(cutAt: number, answered: Answered | null): HandoffGap {
  if (answered === null) return GAP_UNKNOWN;
  return { gapMs: answered.heardAt - cutAt, caughtUpMs: answered.caughtUpAt - cutAt };
}

/** For the next supervisor, should this one not live to hear it. */
export function markTaken(parkDir: string): void {
  try {
    writeFileSync(join(parkDir, TOOK_OVER_FILE), '', { mode: 0o600 });
  } catch {
    // a full disk: only the next supervisor would have needed it
  }
}

/** True when a restart would do: the new process is sound, only the old one's sessions are of no use to it. */
export function isForeign(error: unknown): boolean {
  return error instanceof SnapshotError;
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
