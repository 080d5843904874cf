import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { CATALOGUE } from '../../src/metrics/catalogue';
import { itWithPromtool, promtool } from '../support/prometheus';

const CONFIG = resolve(__dirname, '../../config');
const ALERTS = join(CONFIG, 'prometheus/alerts.yaml');
const DASHBOARD = join(CONFIG, 'grafana/botctl.json');

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string }[];
}
interface Dashboard {
  uid: string;
  panels: Panel[];
  templating: { list: { name: string; definition?: string }[] };
}
interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string };
}

const dashboard = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as Dashboard;
const rules = (parse(readFileSync(ALERTS, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const families = new Map(CATALOGUE.map((family) => [`botctl_${family.name}`, family]));

/** What is wrong with the metrics and labels that an expression names. */
function problemsOf(expression: string): string[] {
  const problems: string[] = [];
  for (const [, name = '', , selector = ''] of expression.matchAll(/\b(botctl_\w+)(\{([^}]*)\})?/g)) {
    if (name === 'botctl_build_info') continue;
    const ending = /_(bucket|sum|count)$/.exec(name)?.[0] ?? '';
    const family = families.get(name) ?? families.get(name.slice(0, name.length - ending.length));
    if (family === undefined) {
      problems.push(`${name} does not exist`);
      continue;
    }
    const isHistogram = family.kind === 'histogram';
    if (isHistogram !== (ending !== '' && !families.has(name))) problems.push(`${name} is a ${family.kind}`);
    // Histograms are told without the cluster.
    const labels = ['job', 'instance', ...family.labels.filter((label) => !isHistogram || label !== 'cluster')];
    for (const [, label = ''] of selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
      if (!labels.includes(label)) problems.push(`${name} has no label ${label}`);
    }
    if (family.kind === 'counter' && !/(rate|increase)\([^)]*$/.test(expression.slice(0, expression.indexOf(name)))) {
      problems.push(`${name} is a counter, shown without rate() or increase()`);
    }
  }
  return problems;
}

describe('config/grafana/botctl.json', () => {
  const targets = dashboard.panels.flatMap((panel) => (panel.targets ?? []).map((target) => ({ ...target, panel })));

  it('has a panel for everything that botctl keeps an eye on', () => {
    expect(targets.length).toBeGreaterThan(40);
    const shown = targets.map(({ expr }) => expr).join('\n');
    // Facts about the store itself and those that only explain others need no panel.
    const aside =
      /^(metrics_|members$|supervisor_(cpu|event)|pool_(statements|acquires|releases|errors|connections_)|cache_(entries|memory|evictions|redis)|deferred_bytes|cluster_event_loop_delay_(mean|max))/;
    const missing = CATALOGUE.filter(({ name }) => !aside.test(name) && !shown.includes(`botctl_${name}`));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it.each(targets.map(({ panel, expr }) => [panel.title, expr]))('%s: %s', (_, expr) => {
    expect(problemsOf(expr)).toEqual([]);
  });

  it('the labels of the legends are labels of the result', () => {
    for (const { expr, legendFormat } of targets) {
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].some(([, labels = '']) =>
          labels.split(/,\s*/).includes(label),
        );
        const whole = !/\b(sum|min|max|avg|count|quantile|topk|histogram_quantile)\b/.test(expr);
        expect({ expr, label, known: grouped || whole }).toMatchObject({ known: true });
      }
    }
  });

  it('no panel lies on another, and none has the id of another', () => {
    const cells = new Set<string>();
    for (const {
      gridPos: { x, y, w, h },
    } of dashboard.panels) {
      for (let column = x; column < x + w; column++) {
        for (let line = y; line < y + h; line++) {
          expect(cells.has(`${column},${line}`)).toBe(false);
          cells.add(`${column},${line}`);
          expect(column).toBeLessThan(24);
        }
      }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});

describe('config/prometheus/alerts.yaml', () => {
  it.each(rules.map(({ alert, expr }) => [alert, expr]))('%s names metrics that exist', (_, expr) => {
    expect(problemsOf(expr)).toEqual([]);
  });

  it('every rule says how bad it is and what has happened', () => {
    for (const { alert, labels, annotations } of rules) {
      expect([alert, ['warning', 'critical'].includes(labels.severity), annotations.summary.length > 10]).toEqual([
        alert,
        true,
        true,
      ]);
    }
  });

  itWithPromtool('promtool finds nothing wrong', () => {
    expect(promtool(['check', 'rules', ALERTS])).toMatchObject({ ok: true });
    expect(promtool(['check', 'config', join(CONFIG, 'prometheus/prometheus.yaml')])).toMatchObject({ ok: true });
  });

  itWithPromtool('the alerts come when they should, and go', () => {
    const { ok, output } = promtool(['test', 'rules', join(__dirname, 'alerts.test.yaml')]);
    expect([ok, ok ? '' : output]).toEqual([true, '']);
  });
});
