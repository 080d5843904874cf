import type { ClusterStatus, Status } from '../../../control/contract.js';
import { byId, say } from './dom.mjs';
import { bytes, count, duration, orDash, ranges, until } from './format.mjs';
import { LiveTable, type Note } from './table.mjs';
import { CLUSTER_TONES } from './tones.mjs';

/** More clusters than this are shown on demand; those that are not ready always are. */
const MAX_AT_FIRST = 16;

interface Row extends ClusterStatus {
  readyShards: number;
}

export class ClusterTable {
  readonly #more = byId('more-clusters');
  readonly #table = new LiveTable<Row>(
    byId('clusters'),
    [
      { title: 'Cluster', value: ({ id }) => String(id) },
      { title: 'State', text: true, value: ({ state }) => ({ text: state, tone: CLUSTER_TONES[state] }) },
      { title: 'Shards', text: true, wide: true, value: ({ shards }) => ranges(shards) },
      { title: 'Ready', value: ({ readyShards, shards }) => `${readyShards} / ${shards.length}` },
      { title: 'Guilds', wide: true, value: ({ guilds }) => count(guilds) },
      { title: 'Memory', value: ({ rssBytes }) => orDash(rssBytes, bytes) },
      { title: 'CPU', wide: true, value: ({ cpuPercent }) => orDash(cpuPercent, (n) => `${Math.round(n)} %`) },
      {
        title: 'Loop p99',
        wide: true,
        value: ({ loopDelayP99Ms }) => orDash(loopDelayP99Ms, (n) => `${Math.round(n)} ms`),
      },
      { title: 'Up', value: ({ uptimeSeconds }) => orDash(uptimeSeconds, (n) => duration(n * 1_000)) },
      { title: 'Restarts', value: ({ restarts }) => count(restarts) },
      { title: 'Release', wide: true, value: ({ release }) => release },
    ],
    ({ id }) => String(id),
    noteOf,
  );
  #all = false;
  #last: Status | null = null;

  constructor() {
    this.#more.addEventListener('click', () => {
      this.#all = !this.#all;
      if (this.#last !== null) this.draw(this.#last);
    });
  }

  draw(status: Status): void {
    this.#last = status;
    const ready = new Map<number, number>();
    for (const { state, cluster } of status.shards) {
      if (state === 'ready') ready.set(cluster, (ready.get(cluster) ?? 0) + 1);
    }
    const rows = status.clusters.map((cluster): Row => ({ ...cluster, readyShards: ready.get(cluster.id) ?? 0 }));
    const many = rows.length > MAX_AT_FIRST;
    this.#table.draw(many && !this.#all ? mostUrgent(rows) : rows);
    this.#more.hidden = !many;
    this.#more.setAttribute('aria-expanded', String(this.#all));
    say(this.#more, this.#all ? 'Show fewer' : `Show all ${count(rows.length)}`);
  }
}

function mostUrgent(rows: readonly Row[]): Row[] {
  const urgent = rows.filter(({ state }) => state !== 'ready');
  const others = rows.filter(({ state }) => state === 'ready');
  return [...urgent, ...others].slice(0, MAX_AT_FIRST).sort((a, b) => a.id - b.id);
}

function noteOf({ state, notices, message, lastExit, retryAt }: Row): Note | null {
  const notes = [...notices];
  if (state !== 'ready') {
    if (message !== null) notes.unshift(message);
    if (lastExit !== null) notes.push(`last exit: ${lastExit}`);
    if (retryAt !== null) notes.push(`next attempt ${until(retryAt)}`);
  }
  return notes.length === 0 ? null : { text: notes.join('; '), tone: CLUSTER_TONES[state] };
}
