import type { Client } from 'pg';
import { backendOf } from './session';

const LOOK_MS = 1_000;

/** What a backend is busy with, in one row: a phase and how much of how much. */
const LOOKS = [
  `SELECT phase, heap_blks_scanned AS done, heap_blks_total AS total FROM pg_stat_progress_vacuum WHERE pid = $1`,
  `SELECT phase, sample_blks_scanned AS done, sample_blks_total AS total FROM pg_stat_progress_analyze WHERE pid = $1`,
  `SELECT phase, CASE WHEN blocks_total > 0 THEN blocks_done ELSE tuples_done END AS done,
          CASE WHEN blocks_total > 0 THEN blocks_total ELSE tuples_total END AS total
     FROM pg_stat_progress_create_index WHERE pid = $1`,
];
const LOOK = LOOKS.map((text) => `(${text})`).join(' UNION ALL ');

interface Row {
  phase: string;
  done: string | null;
  total: string | null;
}

/** "scanning heap 40 %", or null while there is nothing to tell. Pure. */
export function progressText({ phase, done, total }: { phase: string; done: number; total: number }): string {
  if (!(total > 0)) return phase;
  return `${phase} ${Math.min(100, Math.floor((100 * done) / total))} %`;
}

/** Tells what the worker's statement is at, once a second, on a connection of its own, while `work` runs. */
export async function withProgress<T>(
  worker: Client,
  connect: () => Promise<Client>,
  tell: (text: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  let watch: Client | null = null;
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(async () => {
      watch ??= await connect();
      const { rows } = await watch.query<Row>(LOOK, [backendOf(worker)]);
      const [row] = rows;
      if (row !== undefined) tell(progressText({ phase: row.phase, done: Number(row.done), total: Number(row.total) }));
    }, undefined);
    looking = looking.catch(() => undefined); // only a view: the work goes on without it
  }, LOOK_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await looking;
    await (watch as Client | null)?.end().catch(() => undefined);
  }
}
