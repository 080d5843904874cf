import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  CHECKPOINT_FILE,
  PARKED_FILE,
  type AgentToSupervisor,
  type CheckpointNote,
  type HandoffReport,
  type ParkedRecord,
  type Sample,
  type SupervisorToAgent,
} from '../../ipc/messages';
import type { AgentLink } from '../agent-server';
import type { BotSpec } from '../bot-spec';
import type { Clock } from '../../clock';
import type { ClusterProcess, ProcessExit } from './cluster-process';
import type { ConnectGate } from '../connect/connect-gate';
import type { HangDetector } from './hang-detector';
import type { LocalIdentifyQueue } from '../identify/local-identify-queue';
import { OutputTail, type OutputLine, type OutputStream } from './output';
import { PermitDesk } from './permit-desk';
import { Pulse } from './pulse';
import { RemedyDesk } from './remedy-desk';
import type { Roster, RosterEntry } from '../roster';
import type { SavedSessions } from '../session-store';

export interface IncarnationOptions {
  id: string;
  spec: BotSpec;
  dir: string;
  process: ClusterProcess;
  /** ms since the epoch. */
  spawnedAt: number;
  /** An earlier supervisor started it. */
  adopted: boolean;
  /** An operator asked for it: its identifies may use the reserve. */
  operator: boolean;
  /** Bytes of its output files that an earlier supervisor has read. */
  offsets: { out: number; err: number };
  /** The incarnations that it is to succeed. */
  successorOf: readonly string[];
  queue: LocalIdentifyQueue;
  gate: ConnectGate;
  clock: Clock;
  onLine: (line: OutputLine) => void;
  onSkipped: (bytes: number) => void;
}

/** Everything that belongs to one process of a cluster and ends with it. */
export class Incarnation {
  readonly id: string;
  readonly spec: BotSpec;
  readonly dir: string;
  readonly process: ClusterProcess;
  readonly spawnedAt: number;
  readonly adopted: boolean;
  readonly desk: PermitDesk;
  readonly remedies: RemedyDesk;
  readonly pulse: Pulse;
  readonly tails: Record<OutputStream, OutputTail>;
  link: AgentLink | null = null;
  hang: HangDetector | null = null;
  loggedIn = false;
  /** Its agent has its hook in discord.js. null: not known yet. */
  hooked: boolean | null = null;
  /** A bot whose agent sees nothing said `_ready` over discord.js's own channel. */
  saidReady = false;
  readyAt: number | null = null;
  hung = false;
  /** Why we ended it; null when it ended by itself. */
  killedFor: string | null = null;
  /** Files that it resumes from; nobody else's. */
  resumeSnapshots: string[] = [];
  cancelWatchdog: () => void = () => undefined;
  /** It has saved its sessions as its last act. */
  hasParked = false;
  onParked: ((frame: Extract<AgentToSupervisor, { t: 'parked' }>) => void) | null = null;
  onHandoff: ((report: HandoffReport) => void) | null = null;
  /** Samples that wait for the last one of its predecessor. */
  readonly untold: Sample[] = [];
  /** Empty once it has taken over. */
  successorOf: readonly string[];
  /** It has given its sessions away: what it says of shards is not the cluster's any more. */
  ceding = false;
  /** Another one has taken over; it finishes its work and ends. */
  retired = false;
  /** Resolves when all that concerns its end is done. */
  ended: Promise<void> = Promise.resolve();

  constructor(options: IncarnationOptions) {
    this.id = options.id;
    this.spec = options.spec;
    this.dir = options.dir;
    this.process = options.process;
    this.spawnedAt = options.spawnedAt;
    this.adopted = options.adopted;
    this.successorOf = options.successorOf;
    const send = (frame: SupervisorToAgent): void => this.send(frame);
    this.desk = new PermitDesk(options.id, options.queue, options.gate, options.operator, send);
    this.remedies = new RemedyDesk(options.clock);
    this.pulse = new Pulse(options.clock, (id) => send({ t: 'ping', id }));
    const tail = (stream: OutputStream): OutputTail => {
      return new OutputTail({
        file: join(options.dir, `${stream}.log`),
        stream,
        offset: options.offsets[stream],
        onLine: options.onLine,
        onFull: (consumed) => send({ t: 'rotate', stream, consumed }),
        onSkipped: options.onSkipped,
      });
    };
    this.tails = { out: tail('out'), err: tail('err') };
    this.tails.out.start();
    this.tails.err.start();
  }

  send(frame: SupervisorToAgent): void {
    this.link?.send(frame);
  }

  /** What the next supervisor has to know of it. */
  writeRoster(roster: Roster, plan: Pick<RosterEntry, 'clusterId' | 'shardIds' | 'totalShards' | 'restarts'>): void {
    roster.write({
      ...plan,
      incarnation: this.id,
      pid: this.process.pid,
      startTime: this.process.startTime,
      release: this.spec.release,
      fingerprint: this.spec.fingerprint,
      spawnedAt: this.spawnedAt,
      outOffset: this.tails.out.offset,
      errOffset: this.tails.err.offset,
      ...(this.successorOf.length > 0 && { successorOf: [...this.successorOf] }),
      ...(this.retired && { retired: true }),
    });
  }

  /** The process is gone: lets go of all that it had, once the last of its output is read. */
  async release(): Promise<void> {
    this.cancelWatchdog();
    this.hang?.stop();
    this.link?.close();
    this.link = null;
    this.desk.release();
    this.remedies.release();
    await Promise.all([this.tails.out.stop(), this.tails.err.stop()]);
  }

  discardResumeSnapshots(): void {
    for (const file of this.resumeSnapshots.splice(0)) rmSync(file, { force: true });
  }

  /** Why its process ended. */
  endReason(exit: ProcessExit): string {
    return this.killedFor ?? describeExit(exit);
  }
}

/** Makes the owner-only folder of a new incarnation. @throws what the file system throws */
export function newIncarnation(roster: Roster, clusterId: number): { id: string; dir: string } {
  const id = `c${clusterId}-${randomBytes(6).toString('hex')}`;
  const dir = join(roster.dir, id);
  mkdirSync(dir, { mode: 0o700 });
  return { id, dir };
}

/** What a process that has ended left in its folder for the next one: as its last act, or all the time. Else null. */
export function readLeft(dir: string): SavedSessions | null {
  const parked = readParked(dir);
  if (parked === null) return readCheckpoint(dir);
  const { totalShards, sessions, snapshot, at } = parked;
  return snapshot === null ? null : saved({ totalShards, sessions, snapshot, form: 'snapshot', savedAt: at });
}

function readCheckpoint(dir: string): SavedSessions | null {
  try {
    const note = JSON.parse(readFileSync(join(dir, CHECKPOINT_FILE), 'utf8')) as CheckpointNote;
    const { totalShards, sessions, file: snapshot } = note;
    return saved({ totalShards, sessions, snapshot, form: 'checkpoint', savedAt: statSync(snapshot).mtimeMs });
  } catch {
    return null;
  }
}

function saved(left: Omit<SavedSessions, 'shardIds'>): SavedSessions {
  return { ...left, shardIds: left.sessions.map(({ shardId }) => shardId) };
}

/** What an agent without a supervisor left in its folder, or null. */
function readParked(dir: string): ParkedRecord | null {
  try {
    const record = JSON.parse(readFileSync(join(dir, PARKED_FILE), 'utf8')) as ParkedRecord;
    return Array.isArray(record.sessions) ? record : null;
  } catch {
    return null;
  }
}

function describeExit({ code, signal }: ProcessExit): string {
  if (signal !== null) return `ended by ${signal}`;
  return code === null ? 'ended (exit status unknown)' : `exit code ${code}`;
}
