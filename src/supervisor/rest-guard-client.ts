import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { REPORT_PATH } from '../ipc/rest-guard';
import type { GuardReport } from '../rest-guard/stats';

/** Asks the guard for its figures, and for the events after `since`. Rejects when it does not answer within `timeoutMs`. */
export function fetchGuardReport(socketPath: string, since: number, timeoutMs: number): Promise<GuardReport> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: `${REPORT_PATH}?since=${since}`, agent: false }, (response) => {
      json(response).then((report) => resolve(report as GuardReport), reject);
    });
    const timer = setTimeout(() => call.destroy(new Error('no answer')), timeoutMs);
    call.on('error', reject);
    call.on('close', () => {
      clearTimeout(timer);
      reject(new Error('closed before its answer'));
    });
    call.end();
  });
}
