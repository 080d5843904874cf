import { setTimeout as delay } from 'node:timers/promises';
import type { DroppedState, HandoffGap, HandoffReport } from '../../ipc/messages';
import { processStartTime } from '../../ipc/process-start-time';
import type { BotState } from '../handoff/bot-state';
import { together } from '../handoff/cut';
import { Intake, listen } from '../handoff/intake';
import { markTaken } from '../handoff/successor';
import type { FromSuccessor } from '../handoff/wire';
import { MAX_SKEW_MS } from './dispatch-log';
import type { EventGate } from './event-gate';

/** A client of a new generation, which is about to connect. */
export interface JoiningClient {
  readonly gate: EventGate;
  guilds(): number;
  /** Opens the connections and identifies; resolves when all shards have their sessions. */
  connect(): Promise<void>;
}

export interface NewcomerOptions {
  socketPath: string;
  /** How many processes of the old generation there are. */
  predecessors: number;
  parkDir: string;
  state: BotState;
  report: (report: HandoffReport) => void;
  serving: (gap: HandoffGap, dropped: DroppedState, missed: number) => void;
}

/**
 * A process with shards of another count, beside those that serve the same guilds now. It has sessions of its own and takes
 * no one else's; its bot hears nothing until the others have stopped, and then of each event that they have not told.
 */
export class Newcomer {
  #allow: () => void = () => undefined;
  readonly #allowed = new Promise<void>((resolve) => (this.#allow = resolve));
  #hasTaken = false;

  constructor(private readonly options: NewcomerOptions) {}

  /** From here on its bot is told of the guilds of its shards. */
  get hasTaken(): boolean {
    return this.#hasTaken;
  }

  /** The supervisor lets it ask the others to stop. */
  allow(): void {
    this.#allow();
  }

  /** Resolves when the bot is told of everything. @throws when the others fail before they stop: this process has to end */
  async run({ gate, ...client }: JoiningClient): Promise<void> {
    const { socketPath, predecessors, report, state } = this.options;
    const accepted = listen(socketPath, predecessors, () => report({ step: 'waiting' }));
    gate.close();
    await Promise.all([client.connect(), gate.filled()]);
    report({ step: 'copied', guilds: client.guilds() });
    const noCaches = (): Promise<void> => Promise.reject(new Error('caches came from another generation'));
    const intakes = (await accepted).map((socket) => new Intake(socket, noCaches));
    const say = (record: FromSuccessor): void => intakes.forEach((intake) => intake.say(record));
    const failed = Promise.race(intakes.map((intake) => intake.failed));
    failed.catch(() => undefined); // after the cut nobody waits for it
    say({ k: 'successor', pid: process.pid, startTime: processStartTime(process.pid) ?? '' });
    report({ step: 'level' });
    await Promise.race([this.#allowed, failed]);

    gate.hold();
    // What has gone by here has come to the others by then.
    await Promise.race([delay(MAX_SKEW_MS), failed]);
    say({ k: 'cut' });
    const cut = together(await Promise.all(intakes.map((intake) => intake.cut)));
    this.#hasTaken = true;
    markTaken(this.options.parkDir);
    report({ step: 'taken' });
    await state.import(cut.states);
    const missed = await gate.open(cut.told);
    say({ k: 'serving' });
    const gapMs = Date.now() - cut.at;
    this.options.serving({ gapMs, caughtUpMs: gapMs }, cut.dropped, missed);
    for (const intake of intakes) intake.end();
  }
}
