import type { Incident, IncidentType, Scope, Signal } from '../types';

/** Nobody is told of what fits until then. */
export interface Silence {
  id: string;
  /** Absent: any. */
  type?: IncidentType;
  scope?: Scope;
  until: number;
  by: string;
  at: number;
  reason?: string;
}

/** What one target was told of an incident. */
export interface Told {
  /** The highest severity that it was told. */
  severity: Incident['severity'] | null;
  resolved: boolean;
  /** Of how many reopenings. */
  reopened: number;
  at: number;
}

/** What is told of one incident, by target. */
export type ToldByTarget = Readonly<Record<string, Told>>;

/** One line of the local log; a later one of the same thing replaces the earlier. */
export type LogRecord =
  | { kind: 'incident'; incident: Incident }
  | { kind: 'told'; id: string; told: ToldByTarget }
  | { kind: 'silence'; silence: Silence }
  | { kind: 'signal'; signal: Signal };

/** What the log knows. */
export interface LogState {
  incidents: Incident[];
  told: Map<string, ToldByTarget>;
  silences: Silence[];
  /** Facts that hold until somebody says that they do not. */
  signals: Signal[];
}
