import type { RecoveryAction, RecoveryOverview, StrategyInfo } from '../../control/recovery-contract';
import { renderColumns, type Column } from './columns';
import { formatDuration, formatPlural, plainText } from './format';
import { Style, type StyleOptions } from './style';

export interface RenderRecoveryOptions extends StyleOptions {
  width: number;
  /** ms since the epoch. */
  now: number;
}

const SHOWN_ACTIONS = 10;

/** What `botctl recover` shows: the strategies with their limits, and what was done lately. */
export function renderRecovery(overview: RecoveryOverview, options: RenderRecoveryOptions): string {
  const style = new Style(options);
  const quiet = (text: string): string => style.paint('quiet', text);
  const acting = overview.strategies.filter(({ steps }) => steps.length > 0);
  const telling = overview.strategies.filter(({ steps }) => steps.length === 0);
  const parts = [
    head(overview, style, options.now),
    renderColumns(acting, strategyColumns(style), options.width, quiet),
    [
      quiet('Only told, since nothing can be done from here:'),
      ...telling.map(({ type, summary }) => `  ${type}: ${summary}`),
    ],
  ];
  const recent = overview.actions.slice(0, SHOWN_ACTIONS);
  if (recent.length > 0) parts.push(renderColumns(recent, actionColumns(style, options.now), options.width, quiet));
  return parts.map((lines) => lines.join('\n')).join('\n\n');
}

function head(
  { mode, maxPerHour, usedThisHour, maxShards, outage, busy }: RecoveryOverview,
  style: Style,
  now: number,
): string[] {
  const tone = mode === 'on' ? 'good' : 'busy';
  const limits = `${usedThisHour} of ${formatPlural(maxPerHour, 'action')} this hour, at most ${Math.round(maxShards * 100)} % of the shards at once`;
  const lines = [`${style.sign(tone)} recovery is ${style.paint(tone, mode)}: ${limits}`];
  if (outage !== null) {
    const since = formatDuration(now - outage.since);
    lines.push(
      `${style.sign('bad')} outage mode for ${since}: ${plainText(outage.text)} (botctl recover --end-outage)`,
    );
  }
  if (busy !== null) lines.push(`${style.sign('busy')} clusters are left alone: ${plainText(busy)}`);
  return lines;
}

function strategyColumns(style: Style): Column<StrategyInfo>[] {
  return [
    { title: 'INCIDENT', rank: 100, value: ({ type }) => type },
    {
      title: 'STEPS',
      rank: 95,
      value: ({ steps, enabled }) =>
        enabled ? steps.map(({ name }) => name).join(', then ') : style.paint('busy', 'switched off'),
    },
    { title: 'COOL-DOWN', align: 'right', rank: 60, value: ({ coolDownMs }) => formatDuration(coolDownMs) },
    {
      title: 'THIS HOUR',
      align: 'right',
      rank: 70,
      value: ({ usedThisHour, maxPerHour }) => `${usedThisHour}/${maxPerHour}`,
    },
  ];
}

function actionColumns(style: Style, now: number): Column<RecoveryAction>[] {
  return [
    { title: 'AGO', align: 'right', rank: 90, value: ({ at }) => formatDuration(now - at) },
    { title: 'FOR', rank: 80, value: ({ type, scope }) => `${type} ${scope}` },
    {
      title: 'STEP',
      rank: 100,
      value: ({ step, dryRun, byHand }) => step + (dryRun ? ' (dry run)' : byHand ? ' (by hand)' : ''),
    },
    { title: 'HELPED', rank: 70, value: (action) => helped(action, style) },
    { title: 'WHAT CAME OF IT', rank: 50, value: ({ text }) => plainText(text ?? '') },
  ];
}

function helped({ ok, helped: cleared }: RecoveryAction, style: Style): string {
  if (ok === false) return style.paint('bad', 'failed');
  if (cleared === null) return style.paint('busy', 'not known yet');
  return cleared ? style.paint('good', 'yes') : style.paint('bad', 'no');
}
