import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { REPORT_PATH, SLOW_PATH } from '../../ipc/rest-guard';
import type { GuardReport } from '../../rest-guard/stats';

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

/** Has the guard use only this share of Discord's limit for so long, ms. Rejects when it does not answer. */
export function slowGuard(socketPath: string, share: number, forMs: number, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `${SLOW_PATH}?share=${share}&forMs=${forMs}`;
    const call = request({ socketPath, path, method: 'POST', agent: false }, (response) => {
      response.resume();
      if (response.statusCode === 204) resolve();
      else reject(new Error(`the guard answers ${response.statusCode ?? 0}`));
    });
    const timer = setTimeout(() => call.destroy(new Error('no answer')), timeoutMs);
    call.on('error', reject);
    call.on('close', () => clearTimeout(timer));
    call.end();
  });
}
