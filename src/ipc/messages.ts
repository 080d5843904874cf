/**
 * The typed messages between the supervisor and the agent in each cluster.
 *
 * Transport: a Unix stream socket, one JSON object per line (see frames.ts). The agent connects, sends `hello` first,
 * and is answered by `welcome` or `leave`. When the socket ends, the agent keeps serving and connects again until its
 * grace time is over. Every frame of an agent belongs to the incarnation named in its `hello`.
 */

import type { DataSample } from './data-sample';
import type { BotCheckSample } from './health-sample';
import type { Readings } from './readings';
import type { Degradation, Remedy, RemedyOutcome } from './remedies';
import type { RestGuardBoot } from './rest-guard';

/** Raised whenever a frame changes its meaning. Supervisor and agent of different versions do not adopt each other. */
export const PROTOCOL_VERSION = 2;

/** What a shard is doing, told from events of the gateway connection. */
export type ShardPhase =
  | 'idle' // not connected, nothing under way
  | 'connecting' // waits for the connect gate, or the WebSocket is being opened
  | 'queued' // HELLO received, waits for an identify permit
  | 'identifying' // IDENTIFY sent, READY not yet received
  | 'guilds' // READY received, guilds are still arriving
  | 'resuming' // RESUME sent, RESUMED not yet received
  | 'ready'
  | 'disconnected' // closed, will reconnect
  | 'dead'; // closed with a code after which discord.js does not reconnect

/** What Discord needs to resume a shard. */
export interface ShardSession {
  shardId: number;
  shardCount: number;
  sessionId: string;
  sequence: number;
  resumeUrl: string;
  /** Time of the last event or heartbeat ack seen on it, ms since the epoch. */
  aliveAt: number;
}

/** The facts of one shard, as measured by the agent. Times are ms since the epoch, counters since the agent's start. */
export interface ShardReport {
  id: number;
  phase: ShardPhase;
  /** Time of the last change of `phase`. */
  since: number;
  /** Round trip of the last acknowledged heartbeat in ms, -1 before the first one. */
  pingMs: number;
  lastAckAt: number | null;
  lastEventAt: number | null;
  heartbeatIntervalMs: number | null;
  guilds: number;
  /** Those of them that Discord has taken away for the time of an outage. */
  unavailableGuilds: number;
  events: number;
  identifies: number;
  resumes: number;
  closes: number;
  lastCloseCode: number | null;
}

/** Sent every `sampleIntervalMs`, and as the last thing of a process that ends in order. Counters since its start. */
export interface Sample {
  /** Grows with each sample of the process. */
  seq?: number;
  at: number;
  uptimeMs: number;
  rssBytes: number;
  heapUsedBytes: number;
  heapLimitBytes: number;
  cpuUserMs: number;
  cpuSystemMs: number;
  /** Event-loop delay in the last interval, ms: mean, 99th percentile and maximum. */
  loopDelayMeanMs: number;
  loopDelayP99Ms: number;
  loopDelayMaxMs: number;
  unhandledRejections: number;
  shards: ShardReport[];
  /** Absent while the bot uses neither database nor cache of the SDK. */
  data?: DataSample;
  /** Absent while the bot has no checks of its own. */
  health?: BotCheckSample[];
  readings?: Readings;
}

/** Why a cluster runs with less than the full agent; shown in `status`. */
export type NoticeCode =
  | 'no-discord-js' // login was never seen, yet a gateway was asked for, or the entry runs another library
  | 'unsupported-discord-js' // hook found a version it does not know
  | 'bundled-discord-js' // discord.js is inside a bundle: no permits, no sessions
  | 'several-clients' // more than one client logged in
  | 'custom-strategy' // the bot has its own sharding strategy: no session handoff
  | 'shards-overridden' // the bot set `shards`/`shardCount` itself; the plan's values were used
  | 'sharding-manager' // the entry starts discord.js's own ShardingManager
  | 'snapshot-failed' // the caches could not be saved; the next start identifies
  | 'rest-direct' // REST calls do not pass the guard, or not at the moment
  | 'session-not-resumed' // a saved session was refused or timed out
  | 'interactions-lost' // the process before was killed while it worked on them
  | 'agent-error'; // an error inside the agent, contained

/** Running things of the bot that end with its process. */
export interface DroppedState {
  collectors: number;
  voiceConnections: number;
}

/** How long a handoff kept events from the bot, ms from the cut; null: not measured, or not all sessions were resumed. */
export interface HandoffGap {
  /** No event was dispatched: until the last shard had its first one, or RESUMED where it had missed none. */
  gapMs: number | null;
  /** Events came late: until the last shard had everything that it had missed. */
  caughtUpMs: number | null;
}

export const GAP_UNKNOWN: HandoffGap = { gapMs: null, caughtUpMs: null };

/** How far a handoff is, told by the process of which it says so. */
export type HandoffReport =
  /** Successor: it is in login() and listens for its predecessor. */
  | { step: 'waiting' }
  /** Successor: the caches are filled; from here on it follows the predecessor's events. */
  | { step: 'copied'; guilds: number }
  /** Successor: its caches are level with the predecessor's, its connections have had HELLO: only the cut is missing. */
  | { step: 'level' }
  /** Successor: it has been given the sessions. */
  | { step: 'taken' }
  /** Successor: Discord has answered it. */
  | ({
      step: 'serving';
      shards: ShardReport[];
      sessions: ShardSession[];
      dropped: DroppedState | null;
      /** After a reshard: events that no bot was told of. */
      missed: number;
    } & HandoffGap)
  /** Either, before the cut: the predecessor goes on as before. `restart`: stopping and starting would do. */
  | { step: 'failed'; reason: string; restart: boolean }
  /** Predecessor, after the cut: the successor is dead, the sessions are taken back. */
  | { step: 'rolled-back'; reason: string }
  /** Predecessor: its running work is done, or not waited for any longer; it is about to end. */
  | { step: 'retired'; tookMs: number; done: boolean };

/** First frame of an agent, on each connection. */
export interface Hello {
  t: 'hello';
  protocol: number;
  clusterId: number;
  incarnation: string;
  pid: number;
  /** Kernel start time of the process, see process-start-time.ts. Opaque; equal only for the same process. */
  startTime: string;
  shardIds: number[];
  totalShards: number;
  release: string;
  node: string;
  discordJs: string | null;
  /** False on the first connection of this process, true when it comes back after losing a supervisor. */
  reattached: boolean;
  shards: ShardReport[];
  sessions: ShardSession[];
}

export type AgentToSupervisor =
  | Hello
  /** The bot called `process.send(message)`: discord.js's dialect or the bot's own message. */
  | { t: 'bot'; message: unknown }
  /** A shard wants to open a connection, in order to identify or to resume. Answered by `go` with the same id. */
  | { t: 'connect'; id: number; shardId: number; intent: 'identify' | 'resume' }
  /** A shard has had HELLO and wants to send IDENTIFY. Answered by `go` with the same id. */
  | { t: 'identify'; id: number; shardId: number }
  /** The wait `id` is no longer wanted (socket closed meanwhile, client destroyed). Also valid after `go`: unspent. */
  | { t: 'cancel'; id: number }
  /** The IDENTIFY of permit `id` was written to the socket at this moment. */
  | { t: 'identified'; id: number; shardId: number }
  /** How a connection attempt went: `hello` received, or closed/refused before it. */
  | { t: 'connected'; shardId: number; ok: true }
  | { t: 'connected'; shardId: number; ok: false; code: number | null; reason: string }
  /** A shard changed its phase, sent at once. `closeCode` on disconnected/dead. */
  | { t: 'shard'; report: ShardReport; closeCode?: number; replayed?: number }
  /** Sessions that changed since the last such frame; at most one frame a second. `null`: the session is gone. */
  | { t: 'sessions'; sessions: (ShardSession | { shardId: number; session: null })[] }
  | { t: 'sample'; sample: Sample }
  /** login() was called (once per client). */
  | { t: 'login'; clients: number; discordJs: string }
  /** All shards of all clients of this cluster are ready (clientReady). */
  | { t: 'ready' }
  | { t: 'notice'; code: NoticeCode; text: string }
  /** What the notice said holds no longer. */
  | { t: 'notice-over'; code: NoticeCode }
  /** Answer to `ping`. */
  | { t: 'pong'; id: number }
  /** Answer to `park`: gateway connections are closed resumably. `snapshot`: file with the caches, or null. */
  | { t: 'parked'; sessions: ShardSession[]; snapshot: string | null; guilds: number; tookMs: number }
  | { t: 'handoff'; report: HandoffReport }
  /** Answer to `rotate`: what the file held beyond `consumed`, base64, before it was emptied. */
  | { t: 'rotated'; stream: 'out' | 'err'; ok: boolean; tail: string }
  /** Answer to `remedy`. */
  | ({ t: 'remedied'; id: number } & RemedyOutcome)
  /** The main thread's last words, from process.on('exit'), uncaughtException included. Best effort. */
  | { t: 'exiting'; code: number };

export type SupervisorToAgent =
  | {
      t: 'welcome';
      supervisorPid: number;
      /** Fresh timings; they replace those of the boot record. */
      timings: AgentTimings;
    }
  /** Not wanted here (other plan, other version): park with the given deadline and exit. */
  | { t: 'leave'; reason: string; deadlineMs: number }
  /** Deliver as process 'message' event to the bot. */
  | { t: 'bot'; message: unknown }
  | { t: 'go'; id: number }
  | { t: 'ping'; id: number }
  /** Close all gateway connections resumably, drain, save sessions and caches, answer `parked`. Do not exit. */
  | { t: 'park'; drainMs: number; snapshot: boolean }
  /** Empty the output file after everything up to `consumed` bytes was read by the supervisor. */
  | { t: 'rotate'; stream: 'out' | 'err'; consumed: number }
  /** Reconnect one shard by RESUME. */
  | { t: 'reconnect'; shardId: number }
  /** Do something about what is wrong; answered by `remedied` with the same id. */
  | { t: 'remedy'; id: number; remedy: Remedy }
  /** All that does not serve, as far as the supervisor knows; replaces what was said before. */
  | { t: 'degraded'; dependencies: Degradation[] }
  /** To a predecessor: stream the caches to those who succeed it, and give them the sessions when all ask for them. */
  | {
      t: 'hand-over';
      heirs: Heir[];
      messagesPerChannel: number;
      drainMs: number;
      /** The heirs have shards out of another number, this one, with sessions and caches of their own. */
      reshard?: number;
    }
  /** To a successor that is level: ask for the sessions now. */
  | { t: 'take-over' };

/** A process that takes shards over. */
export interface Heir {
  /** It listens there. */
  socketPath: string;
  /** Those of its shards that this predecessor has; after a `reshard`, all of its own. */
  shardIds: number[];
  /** It takes all shards of this predecessor, and no others: should it fail, they can be taken back. */
  isSole: boolean;
}

export interface AgentTimings {
  sampleIntervalMs: number;
  /** How long a cluster serves without a supervisor before it parks and exits. 0: at once. */
  graceMs: number;
  /** How often the caches are copied for a process that may be killed; 0: never, it identifies then. */
  checkpointMs: number;
}

/** The /gateway/bot answer that the supervisor fetched; the bot's own call is answered from it. */
export interface GatewayBot {
  url: string;
  shards: number;
  session_start_limit: { total: number; remaining: number; reset_after: number; max_concurrency: number };
}

/**
 * What a cluster is told at birth, through an unlinked owner-only file on descriptor `BOOT_FD`, so that no secret is in
 * its arguments, its initial environment or a named file. The agent reads it synchronously, then closes it.
 */
export interface BootRecord {
  protocol: number;
  clusterId: number;
  incarnation: string;
  shardIds: number[];
  totalShards: number;
  release: string;
  socketPath: string;
  /** Owner-only folder for this cluster's sessions and snapshot when no supervisor is there to take them. */
  parkDir: string;
  /** Added to process.env before the bot's code runs (DISCORD_TOKEN, database URLs, …). */
  env: Record<string, string>;
  /** REST base URL (`discord.api`), e.g. https://discord.com/api; bots use it without knowing. */
  discordApi: string;
  /** null: REST calls go to Discord directly. */
  restGuard: RestGuardBoot | null;
  gateway: GatewayBot;
  timings: AgentTimings;
  /** Sessions to resume and the caches that belong to them, from each process that had some; absent: identify. */
  resume?: SavedPart[];
  /** Only show whether the bot gets as far as `login()`, and write here how far it came. */
  preflightFile?: string;
  /**
   * This process succeeds others: it waits in login() and listens on this socket for what they hand over. `predecessors`:
   * how many there are. `reshard`: theirs are shards out of another number; it identifies, and waits with its events.
   */
  handoff?: { socketPath: string; predecessors: number; reshard: boolean };
}

/** Sessions, and the file with the caches that belong to them. */
export interface SavedPart {
  sessions: ShardSession[];
  /** Path of the file; it may hold further shards. */
  snapshot: string;
  form: SavedForm;
}

/** `snapshot`: what a process wrote as its last act. `checkpoint`: what one that was killed had kept up to then. */
export type SavedForm = 'snapshot' | 'checkpoint';

/** Descriptor on which a cluster finds its boot record. */
export const BOOT_FD = 3;

/** Environment variable that marks the process the agent is meant for; removed by the agent, so children do not inherit. */
export const BOOT_MARK = 'BOTCTL_BOOT';

/** File in `parkDir`: the agent has begun to save its sessions and to end, without having been told to. */
export const LEAVING_FILE = 'leaving';

/** File in `parkDir` in which an agent that ends on its own leaves its sessions: JSON of `ParkedRecord`. */
export const PARKED_FILE = 'parked.json';

/** File in `parkDir` that tells where the checkpoint of a process is: JSON of `CheckpointNote`. */
export const CHECKPOINT_FILE = 'checkpoint.json';

export interface CheckpointNote {
  totalShards: number;
  /** Path of the checkpoint. Its sequences go on, while those of `sessions` are of the time of the copy. */
  file: string;
  sessions: ShardSession[];
}

/** File in `parkDir` that a successor makes when it has been given the sessions: from then on it is the cluster. */
export const TOOK_OVER_FILE = 'took-over';

export interface ParkedRecord {
  protocol: number;
  clusterId: number;
  incarnation: string;
  totalShards: number;
  at: number;
  sessions: ShardSession[];
  /** Path of the snapshot, or null when there is none. */
  snapshot: string | null;
}
