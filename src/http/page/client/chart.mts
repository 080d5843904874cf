import { announce, el, say, svg } from './dom.mjs';
import { clock } from './format.mjs';
import { nearestPoint, niceTop, runsOf, timeOf, type Place, type Series } from './scale.mjs';

export interface ChartLine {
  /** As in the legend; empty where the chart has only one line. */
  name: string;
  /** The value over the whole time. */
  overall: number | null;
  series: Series | null;
}

export interface ChartText {
  title: string;
  say: (value: number) => string;
}

const WIDTH = 300;
/** The label of the top stands above the curve, not on it. */
const HEADROOM = 1.2;
const HEIGHT = 80;

/** One chart: a figure, a curve, and both in words. The curve is read with the mouse or with the arrow keys. */
export class Chart {
  readonly node: HTMLElement;
  readonly #now = el('p', 'chart-now');
  readonly #legend = el('ul', 'chart-legend');
  readonly #curve = svg('svg', {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  });
  readonly #top = el('span', 'chart-top');
  readonly #mark = el('i', 'chart-mark');
  readonly #plot: HTMLElement;
  readonly #from = el('span');
  readonly #to = el('span');
  #lines: readonly ChartLine[] = [];
  #window = { from: 0, to: 1 };
  #at = -1;

  constructor(private readonly text: ChartText) {
    this.#mark.hidden = true;
    this.#plot = el('div', 'chart-plot', this.#top, this.#mark);
    this.#plot.prepend(this.#curve);
    this.#plot.tabIndex = 0;
    this.#plot.setAttribute('role', 'img');
    this.#plot.setAttribute('aria-label', text.title);
    this.#plot.addEventListener('pointermove', ({ clientX }) => this.#point(clientX));
    this.#plot.addEventListener('pointerleave', () => this.#leave());
    this.#plot.addEventListener('blur', () => this.#leave());
    this.#plot.addEventListener('keydown', (event) => this.#step(event));
    const head = el('div', 'chart-head', el('h3', '', text.title), this.#now);
    this.node = el(
      'section',
      'card chart',
      head,
      this.#legend,
      this.#plot,
      el('p', 'chart-axis', this.#from, this.#to),
    );
  }

  draw(lines: readonly ChartLine[], window: { from: number; to: number }): void {
    this.#lines = lines;
    this.#window = window;
    const greatest = Math.max(0, ...lines.flatMap(({ series }) => knownOf(series)));
    const top = niceTop(greatest * HEADROOM);
    const shapes = lines.flatMap(({ series }, index) =>
      series === null ? [] : draw(runsOf(series, window, top), index),
    );
    this.#curve.replaceChildren(svg('line', { class: 'base', x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }), ...shapes);
    say(this.#top, greatest === 0 ? '' : this.text.say(top));
    say(this.#from, clock(window.from));
    say(this.#to, clock(window.to));
    this.#plot.setAttribute('aria-label', this.#summary());
    if (this.#at === -1) this.#sayLatest();
    else this.#show(this.#at);
  }

  /** The curve in words. */
  #summary(): string {
    const { from, to } = this.#window;
    const parts = this.#lines.map(({ name, series }) => {
      const known = knownOf(series);
      const what = name === '' ? '' : `${name}: `;
      if (known.length === 0) return `${what}nothing was measured`;
      const [low, high] = [Math.min(...known), Math.max(...known)];
      const last = known[known.length - 1] ?? 0;
      return `${what}now ${this.text.say(last)}, lowest ${this.text.say(low)}, highest ${this.text.say(high)}`;
    });
    return `${this.text.title} from ${clock(from)} to ${clock(to)}. ${parts.join('. ')}. Arrow keys read single values.`;
  }

  #sayLatest(): void {
    this.#sayFigures((series) => series.points.findLastIndex((point) => point !== null), 'now');
  }

  #sayFigures(indexOf: (series: Series) => number, when: string): void {
    const values = this.#lines.map(({ name, series }) => {
      const value = series?.points[indexOf(series)] ?? null;
      return { name, text: value === null ? '–' : this.text.say(value) };
    });
    say(this.#now, values[0]?.text ?? '–');
    this.#now.dataset['when'] = when;
    const named = values.filter(({ name }) => name !== '').map(({ name, text }) => `${name} ${text}`);
    const items = when === 'now' ? named : [when, ...named];
    while (this.#legend.children.length > items.length) this.#legend.lastElementChild?.remove();
    for (const [index, item] of items.entries()) {
      const line = this.#legend.children[index] ?? this.#legend.appendChild(el('li'));
      line.className = item === when ? 'when' : `line-${index - (when === 'now' ? 0 : 1)}`;
      say(line, item);
    }
  }

  #point(clientX: number): void {
    const { left, width } = this.#plot.getBoundingClientRect();
    this.#showNear((clientX - left) / width);
  }

  #showNear(x: number): void {
    const series = this.#lines[0]?.series ?? null;
    const index = series === null ? -1 : nearestPoint(series, this.#window, x);
    if (index !== -1) this.#show(index);
  }

  #show(index: number): void {
    const series = this.#lines[0]?.series ?? null;
    const value = series?.points[index] ?? null;
    if (series === null || value === null) return this.#leave();
    this.#at = index;
    const at = timeOf(series, index, this.#window.to);
    this.#mark.hidden = false;
    this.#mark.style.left = `${(100 * (at - this.#window.from)) / (this.#window.to - this.#window.from)}%`;
    this.#sayFigures(() => index, clock(series.from + index * series.stepMs));
  }

  #leave(): void {
    this.#at = -1;
    this.#mark.hidden = true;
    this.#sayLatest();
  }

  #step(event: KeyboardEvent): void {
    const series = this.#lines[0]?.series ?? null;
    const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (series === null || direction === undefined) return;
    event.preventDefault();
    const { points } = series;
    let next = this.#at === -1 ? points.length - (direction === -1 ? 0 : 1) : this.#at;
    do next += direction;
    while (next >= 0 && next < points.length && points[next] === null);
    if (points[next] == null) return;
    this.#show(next);
    announce(`${clock(series.from + next * series.stepMs)}: ${this.#now.textContent}`);
  }
}

function knownOf(series: Series | null): number[] {
  return (series?.points ?? []).filter((point) => point !== null);
}

function draw(runs: readonly Place[][], index: number): SVGElement[] {
  return runs.flatMap((run) => {
    const line = run
      .map(({ x, y }) => `${(x * WIDTH).toFixed(2)} ${(HEIGHT - y * (HEIGHT - 3)).toFixed(2)}`)
      .join(' L ');
    const [first, last] = [run[0], run[run.length - 1]];
    if (first === undefined || last === undefined) return [];
    // A lone point would be a line without length.
    const path = run.length === 1 ? `M ${line} h 1.5` : `M ${line}`;
    const area = `M ${first.x * WIDTH} ${HEIGHT} L ${line} L ${last.x * WIDTH} ${HEIGHT} Z`;
    const shapes = [svg('path', { class: `curve line-${index}`, d: path, 'vector-effect': 'non-scaling-stroke' })];
    if (index === 0) shapes.unshift(svg('path', { class: 'area', d: area }));
    return shapes;
  });
}
