import type {
  CacheStatus,
  ClusterStatus,
  IdentifyStatus,
  PostgresStatus,
  ServerStatus,
  ShardStatus,
  Status,
} from '../../control/contract';
import { capacityLine } from './capacity';
import { renderColumns, type Column } from './columns';
import { formatBytes, formatCount, formatDuration, formatPlural, formatRanges, plainText } from './format';
import { HEALTH_TONES, summary } from './health';
import { PHASE_TONES, rolloutLine } from './releases';
import { SEVERITY_TONES, incidentLine } from './incidents';
import { maintenanceFact } from './maintenance';
import { restLine } from './rest';
import { CLUSTER_TONES, SHARD_TONES, headlineOf } from './states';
import { Style, visibleWidth, type StyleOptions } from './style';

export interface RenderStatusOptions extends StyleOptions {
  /** Columns of the screen. */
  width: number;
  /** ms since the epoch. */
  now: number;
  /** One row per shard instead of the summary. */
  allShards?: boolean;
}

/** More shards than this are summarised. */
const MAX_GRID_SHARDS = 32;
const MAX_NAMED_PROBLEMS = 12;

/** The whole answer of `botctl status`, most important first, ending with a line end. */
export function renderStatus(status: Status, options: RenderStatusOptions): string {
  return new StatusPage(status, options).render();
}

class StatusPage {
  readonly #style: Style;

  constructor(
    private readonly status: Status,
    private readonly options: RenderStatusOptions,
  ) {
    this.#style = new Style(options);
  }

  render(): string {
    const answers = this.status.clusters.length > 0 || this.status.shards.length > 0;
    const blocks = answers
      ? [this.#headline(), this.#problems(), this.#incidents(), this.#clusters(), this.#shards(), this.#facts()]
      : [this.#headline(), this.#problems()];
    return `${blocks
      .filter((lines) => lines.length > 0)
      .map((lines) => lines.join('\n'))
      .join('\n\n')}\n`;
  }

  #headline(): string[] {
    const { bot, clusters, shards, supervisor } = this.status;
    const { tone, word } = headlineOf(this.status);
    const ready = shards.filter((shard) => shard.state === 'ready').length;
    const guilds = clusters.reduce((sum, cluster) => sum + cluster.guilds, 0);
    const gone = shards.reduce((sum, shard) => sum + shard.unavailableGuilds, 0);
    const total = bot.totalShards ?? shards.length;
    const unavailable = gone === 0 ? '' : `, ${formatCount(gone)} of them unavailable`;
    const extent =
      clusters.length === 0
        ? ''
        : `: ${formatCount(ready)}/${formatCount(total)} shards ready in ${formatPlural(clusters.length, 'cluster')}, ${formatPlural(guilds, 'guild')}${unavailable}`;
    const sandbox = supervisor.sandbox ? this.#style.paint('quiet', ' (sandbox)') : '';
    const name = this.#style.paint('strong', plainText(bot.name));
    const lines = this.#wrap(
      `${name} ${this.#style.paint(tone, word)}${extent}${sandbox}`,
      `${this.#style.sign(tone)} `,
    );
    if (supervisor.message !== null) lines.push(...this.#wrap(plainText(supervisor.message), '  '));
    return lines;
  }

  #problems(): string[] {
    const { problems } = this.status;
    const shown = problems.slice(0, MAX_NAMED_PROBLEMS);
    const lines = shown.flatMap((problem) => this.#wrap(plainText(problem), `${this.#style.sign('bad')} `));
    if (problems.length > shown.length) lines.push(`  and ${problems.length - shown.length} more: see --json`);
    return lines;
  }

  #incidents(): string[] {
    const { incidents } = this.status;
    return incidents.flatMap((incident) => {
      const tone = incident.state === 'mitigated' ? 'quiet' : SEVERITY_TONES[incident.severity];
      return this.#wrap(incidentLine(incident, this.#style, this.options.now), `${this.#style.sign(tone)} `);
    });
  }

  #clusters(): string[] {
    const lines = renderColumns(this.status.clusters, this.#clusterColumns(), this.options.width, (text) =>
      this.#style.paint('quiet', text),
    );
    return [...lines, ...this.status.clusters.flatMap((cluster) => this.#clusterNotes(cluster))];
  }

  #clusterColumns(): Column<ClusterStatus>[] {
    const ready = new Map<number, number>();
    for (const shard of this.status.shards) {
      if (shard.state === 'ready') ready.set(shard.cluster, (ready.get(shard.cluster) ?? 0) + 1);
    }
    const columns: Column<ClusterStatus>[] = [
      { title: 'CLUSTER', align: 'right', rank: 100, value: (c) => `${c.id}` },
      { title: 'STATE', rank: 100, value: (c) => this.#tinted(CLUSTER_TONES[c.state], c.state) },
      { title: 'SHARDS', rank: 70, value: (c) => formatRanges(c.shards) },
      { title: 'READY', align: 'right', rank: 90, value: (c) => `${ready.get(c.id) ?? 0}/${c.shards.length}` },
      { title: 'GUILDS', align: 'right', rank: 80, value: (c) => formatCount(c.guilds) },
      { title: 'MEMORY', align: 'right', rank: 85, value: (c) => orDash(c.rssBytes, formatBytes) },
      { title: 'CPU', align: 'right', rank: 40, value: (c) => orDash(c.cpuPercent, (n) => `${Math.round(n)} %`) },
      { title: 'LOOP', align: 'right', rank: 30, value: (c) => orDash(c.loopDelayP99Ms, (n) => `${Math.round(n)} ms`) },
      { title: 'UP', align: 'right', rank: 75, value: (c) => orDash(c.uptimeSeconds, (n) => formatDuration(n * 1000)) },
      { title: 'RESTARTS', align: 'right', rank: 72, value: (c) => formatCount(c.restarts) },
      { title: 'PID', align: 'right', rank: 50, value: (c) => orDash(c.pid, String) },
      { title: 'RELEASE', rank: 10, value: (c) => plainText(c.release) },
    ];
    return columns;
  }

  #clusterNotes(cluster: ClusterStatus): string[] {
    const notes = cluster.notices.map(plainText);
    if (cluster.state !== 'ready') {
      if (cluster.message !== null) notes.unshift(plainText(cluster.message));
      if (cluster.lastExit !== null) notes.push(`last exit: ${plainText(cluster.lastExit)}`);
      if (cluster.retryAt !== null) notes.push(`next attempt ${this.#until(cluster.retryAt)}`);
    }
    if (notes.length === 0) return [];
    return this.#wrap(notes.join('; '), `${this.#style.sign(CLUSTER_TONES[cluster.state])} cluster ${cluster.id}: `, 2);
  }

  #shards(): string[] {
    const { shards } = this.status;
    if (this.options.allShards === true) {
      return renderColumns(shards, this.#shardColumns(), this.options.width, (text) =>
        this.#style.paint('quiet', text),
      );
    }
    return shards.length > MAX_GRID_SHARDS ? this.#shardSummary() : this.#shardGrid();
  }

  #shardColumns(): Column<ShardStatus>[] {
    const age = (ms: number | null): string => orDash(ms, formatDuration);
    return [
      { title: 'SHARD', align: 'right', rank: 100, value: (s) => `${s.id}` },
      { title: 'STATE', rank: 100, value: (s) => this.#tinted(SHARD_TONES[s.state], s.state) },
      { title: 'CLUSTER', align: 'right', rank: 90, value: (s) => `${s.cluster}` },
      { title: 'GUILDS', align: 'right', rank: 80, value: (s) => formatCount(s.guilds) },
      { title: 'PING', align: 'right', rank: 85, value: (s) => orDash(s.pingMs, (n) => `${Math.round(n)} ms`) },
      { title: 'LAST ACK', align: 'right', rank: 60, value: (s) => age(s.lastAckAgeMs) },
      { title: 'LAST EVENT', align: 'right', rank: 55, value: (s) => age(s.lastEventAgeMs) },
      { title: 'RESUMES', align: 'right', rank: 50, value: (s) => formatCount(s.resumes) },
      { title: 'IDENTIFIES', align: 'right', rank: 45, value: (s) => formatCount(s.identifies) },
      { title: 'CLOSES', align: 'right', rank: 40, value: (s) => closes(s) },
    ];
  }

  /** Only signs that say something: a grid of ready shards needs no words, the others get theirs. */
  #shardGrid(): string[] {
    const cells = this.status.shards.map((shard) => {
      const tone = SHARD_TONES[shard.state];
      const word = shard.state === 'ready' ? '' : ` ${this.#style.paint(tone, shard.state)}`;
      return `${this.#style.sign(tone)} ${shard.id}${word}`;
    });
    return [...this.#fact('Shards', this.#shardCounts()), ...this.#flow(cells)];
  }

  #shardSummary(): string[] {
    const bad = this.status.shards.filter((shard) => SHARD_TONES[shard.state] === 'bad');
    const named = bad.slice(0, MAX_NAMED_PROBLEMS).map((shard) => `${shard.id} ${shard.state}`);
    const rest =
      bad.length > named.length ? `, and ${formatCount(bad.length - named.length)} more (--shards lists all)` : '';
    const lines = this.#fact('Shards', this.#shardCounts());
    if (bad.length > 0) lines.push(...this.#wrap(named.join(', ') + rest, ' '.repeat(LABEL_WIDTH)));
    return lines;
  }

  #shardCounts(): string {
    const counts = new Map<ShardStatus['state'], number>();
    for (const { state } of this.status.shards) counts.set(state, (counts.get(state) ?? 0) + 1);
    const words = [...counts]
      .sort(([, a], [, b]) => b - a)
      .map(([state, count]) => this.#style.paint(SHARD_TONES[state], `${formatCount(count)} ${state}`));
    const pings = this.status.shards
      .flatMap((shard) => (shard.pingMs === null ? [] : [shard.pingMs]))
      .sort((a, b) => a - b);
    const middle = pings[Math.floor(pings.length / 2)];
    const ping =
      middle === undefined ? '' : `; ping ${Math.round(middle)} ms, at most ${Math.round(pings.at(-1) ?? middle)} ms`;
    return words.join(', ') + ping;
  }

  #facts(): string[] {
    const { supervisor, gateway, rest, postgres, redis, capacity } = this.status;
    const retry = gateway.retryAt === null ? '' : `, next attempt ${this.#until(gateway.retryAt)}`;
    const gate =
      gateway.gate === 'passing'
        ? []
        : [`${gateway.gate}${retry}${gateway.reason === null ? '' : `: ${plainText(gateway.reason)}`}`];
    const running = [
      supervisor.state,
      supervisor.uptimeSeconds === null ? null : `up ${formatDuration(supervisor.uptimeSeconds * 1000)}`,
      supervisor.pid === null ? null : `pid ${supervisor.pid}`,
      supervisor.rssBytes === null ? null : formatBytes(supervisor.rssBytes),
      supervisor.version === null ? null : `botctl ${supervisor.version}`,
      supervisor.http,
    ].filter((part) => part !== null);
    return [
      ...this.#health(),
      ...gate.flatMap((text) => this.#fact('Gateway', text)),
      ...this.#fact('Identifies', this.#identify(this.status.identify)),
      ...(rest === null ? [] : this.#fact('REST', restLine(rest, this.#style))),
      ...this.#fact('Postgres', this.#postgres(postgres)),
      ...this.#fact('Redis', this.#server(redis)),
      ...this.#data(),
      ...this.#deploy(),
      ...(capacity === null ? [] : this.#fact('Capacity', capacityLine(capacity, this.#style))),
      ...this.#maintenance(),
      ...this.#fact('Supervisor', running.join(', ')),
    ];
  }

  /** What is unhealthy is named among the problems. */
  #health(): string[] {
    const { health } = this.status;
    if (health === null) return [];
    const state = this.#style.paint(HEALTH_TONES[health.state], health.state);
    return this.#fact('Health', `${state}: ${summary(health, this.options.now)}`);
  }

  #identify(identify: IdentifyStatus): string {
    const { total, remaining, reserve, resetAt, maxConcurrency, queued, blocked } = identify;
    if (total === null || remaining === null) return 'budget not known yet';
    const low = reserve !== null && remaining <= reserve;
    const left = `${formatCount(remaining)} of ${formatCount(total)} left`;
    const parts = [low ? this.#style.paint('bad', left) : left];
    if (resetAt !== null) parts.push(`reset ${this.#until(resetAt)}`);
    if (reserve !== null) parts.push(`${formatCount(reserve)} kept back`);
    if (maxConcurrency !== null) parts.push(`${maxConcurrency} at a time`);
    if (queued > 0) parts.push(`${formatCount(queued)} waiting`);
    const why = blocked === null ? '' : `; ${this.#style.paint('bad', `held: ${plainText(blocked)}`)}`;
    return parts.join(', ') + why;
  }

  /** Only what says something: a bot that uses neither database nor cache has none of it. */
  /** What failed is named among the problems. */
  #maintenance(): string[] {
    const { maintenance } = this.status;
    if (maintenance === null) return [];
    return this.#fact('Care', maintenanceFact(maintenance, this.options.now));
  }

  #data(): string[] {
    const { data } = this.status;
    if (data === null) return [];
    const lines: string[] = [];
    const pools = data.shards.map((shard) => shard.pools).filter(({ processes }) => processes > 0);
    if (pools.length > 0) {
      const sum = (of: (pool: (typeof pools)[number]) => number): number => pools.reduce((n, pool) => n + of(pool), 0);
      const waiting = sum((pool) => pool.waiting);
      const timeouts = sum((pool) => pool.acquireTimeouts);
      const parts = [
        `${formatCount(sum((pool) => pool.inUse))} of ${formatCount(sum((pool) => pool.total))} connections in use`,
        `at most ${formatCount(sum((pool) => pool.max))}`,
      ];
      if (waiting > 0) parts.push(this.#style.paint('busy', `${formatCount(waiting)} waiting`));
      if (timeouts > 0) parts.push(this.#style.paint('bad', formatPlural(timeouts, 'time-out')));
      lines.push(...this.#fact('Pools', parts.join(', ')));
    }
    if (data.cache !== null) lines.push(...this.#fact('Cache', this.#cache(data.cache)));
    const { deferred, move } = data;
    if (deferred !== null && deferred.pending + deferred.deadLetters > 0) {
      const age = deferred.oldestAgeMs === null ? '' : `, the oldest for ${formatDuration(deferred.oldestAgeMs)}`;
      const dead = deferred.deadLetters === 0 ? '' : `; ${formatCount(deferred.deadLetters)} cannot succeed`;
      const text = `${formatPlural(deferred.pending, 'write')} on disk${age}${dead}`;
      lines.push(...this.#fact('Deferred', this.#style.paint('bad', text)));
    }
    if (move !== null) {
      lines.push(...this.#fact('Moving', `${move.unit} from database shard ${move.from} to ${move.to}: ${move.phase}`));
    }
    return lines;
  }

  /** Nothing while the bot runs from its own folder and always has. */
  #deploy(): string[] {
    const { deploy } = this.status;
    if (deploy === null) return [];
    const { current, previous, rollout, last } = deploy;
    if (rollout !== null) return this.#fact('Rollout', rolloutLine(rollout, this.#style));
    if (current === 'live' && last === null) return [];
    const ago = last?.endedAt == null ? '' : ` ${formatDuration(this.options.now - last.endedAt)} ago`;
    const why = last?.reason == null ? '' : ` (${plainText(last.reason)})`;
    const before = previous === null ? '' : `, before it ${previous}`;
    const end =
      last === null ? '' : `; last ${last.kind}: ${this.#style.paint(PHASE_TONES[last.phase], last.phase)}${ago}${why}`;
    return this.#fact('Release', `${current}${before}${end}`);
  }

  #cache({ l1, l2, loads }: CacheStatus): string {
    const share = (hits: number, misses: number): string =>
      hits + misses === 0 ? '-' : `${Math.round((100 * hits) / (hits + misses))} %`;
    const parts = [
      `memory ${share(l1.hits, l1.misses)} hits (${formatPlural(l1.entries, 'entry', 'entries')}, ${formatBytes(l1.bytes)})`,
    ];
    if (l2 !== null) {
      const open =
        l2.open === 0
          ? ''
          : this.#style.paint('bad', `, not in use by ${formatPlural(l2.open, 'process', 'processes')}`);
      parts.push(`Redis ${share(l2.hits, l2.misses)} hits${open}`);
    }
    parts.push(formatPlural(loads, 'load'));
    return parts.join('; ');
  }

  #postgres(postgres: PostgresStatus): string {
    const shards =
      postgres.shards > 0 && postgres.state === 'up' ? `, ${formatPlural(postgres.shards, 'database shard')}` : '';
    return this.#server(postgres) + shards;
  }

  #server(server: ServerStatus): string {
    const tone =
      server.state === 'up' ? 'good' : server.state === 'off' ? 'quiet' : server.state === 'down' ? 'bad' : 'busy';
    const version = server.version === null ? '' : ` ${plainText(server.version)}`;
    const kind = server.kind === 'off' ? '' : `, ${server.kind}${version}`;
    const address = server.address === null ? '' : ` at ${plainText(server.address)}`;
    const message = server.message === null ? '' : `: ${plainText(server.message)}`;
    return `${this.#style.paint(tone, server.state)}${kind}${address}${message}`;
  }

  #fact(label: string, text: string): string[] {
    return this.#wrap(text, this.#label(label));
  }

  #label(text: string): string {
    return this.#style.paint('quiet', text.padEnd(LABEL_WIDTH));
  }

  #tinted(tone: Parameters<Style['paint']>[0], word: string): string {
    return `${this.#style.sign(tone)} ${this.#style.paint(tone, word)}`;
  }

  #until(at: number): string {
    return at <= this.options.now ? 'now' : `in ${formatDuration(at - this.options.now)}`;
  }

  /** Words over as many lines as needed. Keeps colours that words carry. */
  #wrap(text: string, prefix: string, indent = visibleWidth(prefix)): string[] {
    const room = Math.max(20, this.options.width - visibleWidth(prefix));
    const lines: string[] = [];
    let line = '';
    for (const word of text.replace(/[\r\n\t]+/g, ' ').split(WORD_GAP)) {
      if (line !== '' && visibleWidth(line) + 1 + visibleWidth(word) > room) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
    return lines.map((words, index) => (index === 0 ? prefix : ' '.repeat(indent)) + words);
  }

  /** Cells of one width in as many columns as fit, in powers of two, which is how shards are counted. */
  #flow(cells: readonly string[]): string[] {
    const width = Math.max(0, ...cells.map(visibleWidth)) + 2;
    const room = this.options.width - LABEL_WIDTH;
    let perLine = 16;
    while (perLine > 1 && perLine * width > room) perLine /= 2;
    const lines: string[] = [];
    for (let at = 0; at < cells.length; at += perLine) {
      const row = cells.slice(at, at + perLine).map((cell) => cell + ' '.repeat(width - visibleWidth(cell)));
      lines.push((' '.repeat(LABEL_WIDTH) + row.join('')).trimEnd());
    }
    return lines;
  }
}

const LABEL_WIDTH = 12;
/** A number and its unit stay on one line. */
const WORD_GAP = / (?!(?:ms|s|min|h|d|B|kB|MB|GB)\b)/;

function orDash<T>(value: T | null, format: (value: T) => string): string {
  return value === null ? '-' : format(value);
}

function closes(shard: ShardStatus): string {
  return shard.lastCloseCode === null
    ? formatCount(shard.closes)
    : `${formatCount(shard.closes)} (${shard.lastCloseCode})`;
}
