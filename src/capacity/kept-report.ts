import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CapacityReport } from './report';

export const REPORT_FILE = 'report.json';

/** The last report of a supervisor that is no more. @returns null when there is none that can be read */
export function keptReport(dir: string): CapacityReport | null {
  try {
    return JSON.parse(readFileSync(join(dir, REPORT_FILE), 'utf8')) as CapacityReport;
  } catch {
    return null;
  }
}
