import type { MaintenanceReport } from './maintenance-contract';

/** One line of progress of a long request (newline-delimited JSON). */
export interface Progress {
  done: boolean;
  ok?: boolean;
  text: string;
  /** How much is done, as a share of 1. */
  share?: number;
  /** With the last line of `botctl maintain --now`. */
  report?: MaintenanceReport;
}
