import type { RolloutStatus } from '../../control/deploy-contract';
import type { CurrentRelease, Release } from '../../deploy/releases/release';
import { type Column, renderColumns } from './columns';
import { formatBytes, formatDuration, formatRanges, plainText } from './format';
import { Style, type StyleOptions, type Tone } from './style';

export type ListedRelease = Release & { clusters: number[] };
export type ListedRollout = Pick<
  RolloutStatus,
  'id' | 'kind' | 'from' | 'to' | 'phase' | 'reason' | 'startedAt' | 'endedAt'
> & { clusters: Pick<RolloutStatus['clusters'][number], 'id' | 'how' | 'gapMs' | 'caughtUpMs' | 'identifies'>[] };

export interface ReleasesView extends CurrentRelease {
  releases: ListedRelease[];
  rollout: RolloutStatus | null;
  history: ListedRollout[];
}

export interface RenderReleasesOptions extends StyleOptions {
  width: number;
  /** ms since the epoch. */
  now: number;
}

const SHOWN_HISTORY = 10;

export const PHASE_TONES: Record<RolloutStatus['phase'], Tone> = {
  running: 'busy',
  'rolling-back': 'busy',
  done: 'good',
  'rolled-back': 'bad',
  halted: 'bad',
  failed: 'bad',
};

/** The whole answer of `botctl releases`. */
export function renderReleases(view: ReleasesView, options: RenderReleasesOptions): string {
  const style = new Style(options);
  const title = (text: string): string => style.paint('quiet', text);
  const blocks: string[][] = [
    [headline(view, style)],
    view.releases.length === 0 ? [] : renderColumns(view.releases, releaseColumns(view, options), options.width, title),
    view.rollout === null ? [] : [rolloutLine(view.rollout, style)],
    view.history.length === 0
      ? []
      : renderColumns(view.history.slice(0, SHOWN_HISTORY), historyColumns(options, style), options.width, title),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** One line about a rollout that is under way. */
export function rolloutLine(rollout: RolloutStatus, style: Style): string {
  const { from, to, clusters, phase, paused, doing } = rollout;
  const on = clusters.filter(({ step }) => step === 'replaced').length;
  const word = paused ? 'paused' : phase === 'rolling-back' ? 'rolling back' : 'under way';
  const now = doing === null ? '' : `; ${plainText(doing)}`;
  return `${style.sign('busy')} ${from} -> ${to} ${word}: ${on} of ${clusters.length} clusters on ${to}${now}`;
}

function headline({ current, releases }: ReleasesView, style: Style): string {
  if (releases.length === 0) return `${style.sign('quiet')} Nothing was deployed yet. Deploy with: botctl deploy`;
  const what = current === 'live' ? "the bot's own folder" : `release ${current}`;
  return `${style.sign('good')} start uses ${what}`;
}

function releaseColumns({ current, previous }: ReleasesView, { now }: RenderReleasesOptions): Column<ListedRelease>[] {
  return [
    { title: 'RELEASE', rank: 100, value: ({ id }) => id },
    {
      title: '',
      rank: 99,
      value: ({ id }) => (id === current ? 'current' : id === previous ? 'previous' : ''),
    },
    { title: 'MADE', rank: 90, value: ({ createdAt }) => `${formatDuration(now - createdAt)} ago` },
    { title: 'CLUSTERS', rank: 95, value: ({ clusters }) => (clusters.length === 0 ? '-' : formatRanges(clusters)) },
    { title: 'VERSION', rank: 60, value: ({ version }) => plainText(version ?? '-') },
    { title: 'FROM', rank: 80, value: ({ source }) => sourceOf(source) },
    { title: 'FILES', align: 'right', rank: 30, value: ({ files }) => `${files}` },
    { title: 'SIZE', align: 'right', rank: 40, value: ({ bytes }) => formatBytes(bytes) },
  ];
}

function sourceOf(source: Release['source']): string {
  if (source.kind === 'folder') return plainText(source.path);
  return plainText(`${source.ref} (${source.commit.slice(0, 8)}) ${source.subject}`);
}

function historyColumns({ now }: RenderReleasesOptions, style: Style): Column<ListedRollout>[] {
  return [
    { title: 'WHEN', rank: 90, value: ({ startedAt }) => `${formatDuration(now - startedAt)} ago` },
    { title: 'WHAT', rank: 85, value: ({ kind }) => kind },
    { title: 'FROM', rank: 80, value: ({ from }) => from },
    { title: 'TO', rank: 80, value: ({ to }) => to },
    { title: 'END', rank: 100, value: ({ phase }) => style.paint(PHASE_TONES[phase], phase) },
    {
      title: 'TOOK',
      align: 'right',
      rank: 50,
      value: ({ startedAt, endedAt }) => (endedAt === null ? '-' : formatDuration(endedAt - startedAt)),
    },
    { title: 'GAP', align: 'right', rank: 45, value: ({ clusters }) => longestGap(clusters) },
    { title: 'IDENTIFIES', align: 'right', rank: 42, value: ({ clusters }) => `${spent(clusters)}` },
    { title: 'REASON', rank: 70, value: ({ reason }) => plainText(reason ?? '') },
  ];
}

/** For how long a cluster was told of nothing; `-`: none was handed over. */
function longestGap(clusters: ListedRollout['clusters']): string {
  const gaps = clusters.flatMap(({ gapMs }) => gapMs ?? []);
  return gaps.length === 0 ? '-' : formatDuration(Math.max(...gaps));
}

function spent(clusters: ListedRollout['clusters']): number {
  return clusters.reduce((sum, { identifies }) => sum + identifies, 0);
}
