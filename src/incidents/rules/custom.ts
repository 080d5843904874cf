import ms from 'ms';
import type { Finding, Rule } from '../rule';
import type { CustomRuleSettings } from '../settings';
import type { Scope } from '../types';
import type { FigureAt, Figures } from '../window';

const EASE = 0.2;

/** A rule of the config: a metric that is above or below a threshold. */
export function customRule(settings: CustomRuleSettings): Rule {
  const { name, metric, stat, per, window: windowMs, severity, title } = settings;
  const evidence = [{ metric, ...(stat !== undefined && stat !== 'latest' && { stat }), labels: settings.where }];
  return {
    type: 'custom',
    name,
    strategy: settings.strategy ?? 'custom',
    forMs: settings.for,
    clearMs: settings.clear,
    windowMs,
    find: ({ metrics }, isOpen) =>
      figuresOf(metrics, settings).flatMap(({ labels, value }): Finding[] => {
        const scope = scopeOf(labels, per);
        if (!isBeyond(value, settings, isOpen(scope))) return [];
        const is = settings.above === undefined ? `below ${settings.below ?? 0}` : `above ${settings.above}`;
        const what = title ?? `${metric}${stat === undefined ? '' : ` (${stat})`}`;
        return [{ scope, severity, text: `${what}: ${short(value)}, ${is} over ${ms(windowMs)}`, evidence }];
      }),
  };
}

function figuresOf(metrics: Figures, { metric, stat, where, per, window }: CustomRuleSettings): FigureAt[] {
  if (stat === 'latest') {
    const latest = metrics.latest(metric, where);
    return per === undefined ? worst(latest) : latest;
  }
  return metrics.figures(metric, stat ?? '', window, per === undefined ? [] : [per], where);
}

/** Of several series that are asked for as one, all count together. */
function worst(latest: readonly FigureAt[]): FigureAt[] {
  return latest.length === 0 ? [] : [{ labels: {}, value: latest.reduce((sum, { value }) => sum + value, 0) }];
}

function isBeyond(value: number, { above, below, clearAt }: CustomRuleSettings, isOpen: boolean): boolean {
  if (above !== undefined) return value > (isOpen ? (clearAt ?? above - Math.abs(above) * EASE) : above);
  const threshold = below ?? 0;
  return value < (isOpen ? (clearAt ?? threshold + Math.abs(threshold) * EASE) : threshold);
}

function scopeOf(labels: Readonly<Record<string, string>>, per: CustomRuleSettings['per']): Scope {
  const number = per === undefined ? NaN : Number(labels[per]);
  if (per === undefined || !Number.isInteger(number)) return 'bot';
  return per === 'database' ? `db:${number}` : `${per}:${number}`;
}

function short(value: number): string {
  return String(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}
