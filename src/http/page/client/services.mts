import type {
  CacheStatus,
  DatabaseShardStatus,
  DataStatus,
  DeferredStatus,
  GatewayStatus,
  IdentifyStatus,
  ServerStatus,
  Status,
} from '../../../control/contract.js';
import type { DeployStatus } from '../../../control/deploy-contract.js';
import { byId, el, put } from './dom.mjs';
import { bytes, count, duration, plural, until } from './format.mjs';
import { LiveTable } from './table.mjs';
import { SERVER_TONES, type Tone } from './tones.mjs';

/** What the bot stands on: identify budget, gateway, servers, pools, cache, deferred writes. */
export class Services {
  readonly #databases = new LiveTable<DatabaseShardStatus>(
    byId('databases'),
    [
      { title: 'Database shard', value: ({ shard }) => String(shard) },
      { title: 'Address', text: true, wide: true, value: ({ address }) => address },
      { title: 'Buckets', value: ({ buckets }) => count(buckets) },
      { title: 'Pinned guilds', wide: true, value: ({ pinnedGuilds }) => count(pinnedGuilds) },
      { title: 'In use', value: ({ pools }) => `${count(pools.inUse)} / ${count(pools.max)}` },
      { title: 'Idle', wide: true, value: ({ pools }) => count(pools.idle) },
      {
        title: 'Waiting',
        value: ({ pools }) => (pools.waiting > 0 ? { text: count(pools.waiting), tone: 'busy' } : { text: '0' }),
      },
      { title: 'Wait p99', value: ({ pools }) => `${Math.round(pools.acquireP99Ms)} ms` },
      {
        title: 'Time-outs',
        wide: true,
        value: ({ pools }) =>
          pools.acquireTimeouts > 0 ? { text: count(pools.acquireTimeouts), tone: 'bad' } : { text: '0' },
      },
    ],
    ({ shard }) => String(shard),
  );

  draw({ identify, gateway, postgres, redis, data, deploy }: Status): void {
    const shards = postgres.shards > 0 ? plural(postgres.shards, 'database shard') : '';
    put(
      byId('facts'),
      budget(identify),
      gate(gateway),
      server('Postgres', postgres, shards),
      server('Redis', redis, ''),
      data?.cache == null ? null : cache(data.cache),
      data?.deferred == null ? null : deferred(data.deferred),
      deploy === null ? null : release(deploy),
    );
    this.#drawDatabases(data);
  }

  #drawDatabases(data: DataStatus | null): void {
    byId('databases-card').hidden = data === null || data.shards.length === 0;
    if (data !== null) this.#databases.draw(data.shards);
  }
}

function card(title: string, figure: Node | string, ...lines: (Node | string | null)[]): HTMLElement {
  const shown = lines.filter((line) => line !== null && line !== '');
  return el(
    'section',
    'card fact',
    el('h3', '', title),
    el('p', 'figure', figure),
    ...shown.map((line) => (typeof line === 'string' ? el('p', 'small', line) : line)),
  );
}

function state(tone: Tone, word: string): HTMLElement {
  return el('span', `state ${tone}`, word);
}

function budget({ total, remaining, reserve, resetAt, maxConcurrency, queued, blocked }: IdentifyStatus): HTMLElement {
  if (total === null || remaining === null) return card('Identify budget', '–', 'not known yet');
  const low = reserve !== null && remaining <= reserve;
  const parts: string[] = [];
  if (resetAt !== null) parts.push(`reset ${until(resetAt)}`);
  if (reserve !== null) parts.push(`${count(reserve)} kept back`);
  if (maxConcurrency !== null) parts.push(`${count(maxConcurrency)} at a time`);
  if (queued > 0) parts.push(`${count(queued)} waiting`);
  return card(
    'Identify budget',
    `${count(remaining)} of ${count(total)} left`,
    bar(remaining / Math.max(1, total), low),
    parts.join(', '),
    blocked === null ? null : el('p', 'small bad', `held: ${blocked}`),
  );
}

function gate({ gate: now, reason, retryAt }: GatewayStatus): HTMLElement {
  const retry = retryAt === null ? null : `next attempt ${until(retryAt)}`;
  switch (now) {
    case 'passing':
      return card('Gateway', state('good', 'open'), 'connections pass');
    case 'backing-off':
      return card('Gateway', state('bad', 'backing off'), reason, retry);
    case 'probing':
      return card('Gateway', state('busy', 'probing'), reason, retry);
  }
}

function server(title: string, { kind, state: now, version, address, message }: ServerStatus, extra: string) {
  const what = [version === null ? kind : `${kind} ${version}`, address ?? '', extra].filter((part) => part !== '');
  return card(title, state(SERVER_TONES[now], now), kind === 'off' ? 'not in use' : what.join(', '), message);
}

function cache({ l1, l2, l3, loads, loadErrors }: CacheStatus): HTMLElement {
  const redis = l2 === null ? '' : `, Redis ${share(l2.hits, l2.misses)}`;
  const postgres = l3.hits + l3.misses === 0 ? '' : `, Postgres ${share(l3.hits, l3.misses)}`;
  const open =
    l2 === null || l2.open === 0 ? null : `Redis is left alone by ${plural(l2.open, 'process', 'processes')}`;
  return card(
    'Cache',
    `${share(l1.hits, l1.misses)} from memory`,
    `${plural(l1.entries, 'entry', 'entries')}, ${bytes(l1.bytes)}${redis}${postgres}`,
    `${plural(loads, 'load')}${loadErrors === 0 ? '' : `, ${count(loadErrors)} failed`}`,
    open === null ? null : el('p', 'small bad', open),
  );
}

function deferred({ pending, bytes: size, oldestAgeMs, deadLetters }: DeferredStatus): HTMLElement {
  if (pending + deadLetters === 0) return card('Deferred writes', state('good', 'none'), 'nothing waits on disk');
  const age = oldestAgeMs === null ? '' : `, the oldest for ${duration(oldestAgeMs)}`;
  return card(
    'Deferred writes',
    state(pending > 0 ? 'busy' : 'bad', plural(pending, 'waits', 'wait')),
    `${bytes(size)} on disk${age}`,
    deadLetters === 0 ? null : el('p', 'small bad', `${count(deadLetters)} cannot succeed: see the log`),
  );
}

/** Nothing while the bot runs from its own folder and always has. */
function release({ current, previous, rollout, last }: DeployStatus): HTMLElement | null {
  if (rollout !== null) {
    const { clusters, to, from, phase, paused, doing } = rollout;
    const on = clusters.filter(({ step }) => step === 'replaced').length;
    const word = paused ? 'paused' : phase === 'rolling-back' ? 'rolling back' : 'under way';
    return card(
      'Rollout',
      state('busy', word),
      bar(on / Math.max(1, clusters.length), false),
      `${from} → ${to}: ${on} of ${clusters.length} clusters`,
      doing,
    );
  }
  if (current === 'live' && last === null) return null;
  const failed = last !== null && last.phase !== 'done';
  const end =
    last === null ? null : `last ${last.kind}: ${last.phase}${last.reason === null ? '' : `, ${last.reason}`}`;
  return card(
    'Release',
    current,
    previous === null ? null : `before it ${previous}`,
    failed ? el('p', 'small bad', end ?? '') : end,
  );
}

function share(hits: number, misses: number): string {
  return hits + misses === 0 ? '–' : `${Math.round((100 * hits) / (hits + misses))} %`;
}

/** Says in a picture what stands beside it in words. */
function bar(part: number, isLow: boolean): HTMLElement {
  const filled = el('i');
  filled.style.width = `${100 * Math.min(1, Math.max(0, part))}%`;
  const frame = el('div', isLow ? 'bar low' : 'bar', filled);
  frame.setAttribute('aria-hidden', 'true');
  return frame;
}
