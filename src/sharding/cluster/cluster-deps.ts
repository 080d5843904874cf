import type { BootRecord } from '../../ipc/messages';
import type { BotSpec } from '../bot-spec';
import type { BroadcastMember } from '../broadcast';
import type { Clock } from '../../clock';
import type { ConnectGate } from '../connect/connect-gate';
import type { MasterEventListener } from '../events';
import type { HandoffSettings } from '../handoff/handoff';
import type { Turns } from '../handoff/turns';
import type { LocalIdentifyQueue } from '../identify/local-identify-queue';
import type { Roster } from '../roster';
import type { SessionStore } from '../session-store';
import type { ClusterProcess } from './cluster-process';
import type { RestartPolicyOptions } from './restart-policy';

/** Durations in ms. */
export interface ClusterSettings {
  spawnTimeoutMs: number;
  hangTimeoutMs: number;
  stopTimeoutMs: number;
  sampleIntervalMs: number;
  graceMs: number;
  /** See AgentTimings. */
  checkpointMs: number;
  restart: RestartPolicyOptions;
  /** null: a process is always stopped before the next one starts. */
  handoff: HandoffSettings | null;
}

/** The part of the boot record that the cluster itself knows. */
export type ClusterBoot = Pick<
  BootRecord,
  'clusterId' | 'incarnation' | 'shardIds' | 'totalShards' | 'parkDir' | 'timings' | 'resume' | 'handoff'
>;

/** What a cluster is given by the master, and shares with the others. */
export interface ClusterDeps {
  clock: Clock;
  settings: ClusterSettings;
  totalShards: number;
  roster: Roster;
  sessions: SessionStore;
  queue: LocalIdentifyQueue;
  gate: ConnectGate;
  /** Of handoffs: each has its cut when the one before it serves as fast as before. */
  turns: Turns;
  /** Owner-only folder for sockets, with a path short enough for them. */
  socketDir: string;
  /** @throws LaunchError */
  launch: (spec: BotSpec, boot: ClusterBoot, outFile: string, errFile: string) => ClusterProcess;
  emit: MasterEventListener;
  /** False: a crash loop waits for another turn, for the sake of the identifies that it would spend. */
  mayRetryCrashLoop: () => boolean;
  onBotMessage: (from: BroadcastMember, message: unknown) => void;
  onGone: (cluster: BroadcastMember, reason: string) => void;
  /** Discord closed a shard with a code that no restart cures. */
  onFatal: (closeCode: number, message: string) => void;
}
