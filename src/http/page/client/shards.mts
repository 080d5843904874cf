import type { ShardState, ShardStatus } from '../../../control/contract.js';
import { announce, byId, el, redraw, say } from './dom.mjs';
import { count, duration, plural } from './format.mjs';
import { SHARD_TONES } from './tones.mjs';

/** Up to so many shards have room for a word, up to so many for their number; more are squares. */
const MAX_WORDS = 64;
const MAX_NUMBERS = 320;
const MAX_NAMED = 24;
const TAGGED = 'data-shard';

/** The grid of shards. One tile can be reached with Tab, the others from there with the arrow keys. */
export class ShardGrid {
  readonly #grid = byId('grid');
  readonly #detail = byId('detail');
  readonly #tiles = new Map<number, HTMLButtonElement>();
  #shards: readonly ShardStatus[] = [];
  #current = -1;
  #shown = -1;

  constructor() {
    this.#grid.addEventListener('keydown', (event) => this.#move(event));
    this.#grid.addEventListener('focusin', ({ target }) => this.#choose(shardOf(target)));
    this.#grid.addEventListener('mouseover', ({ target }) => this.#show(shardOf(target)));
    this.#grid.addEventListener('click', ({ target }) => this.#choose(shardOf(target)));
    byId('troubled').addEventListener('click', ({ target }) => this.#goTo(shardOf(target)));
    const find = byId('find') as HTMLFormElement;
    find.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#goTo(Number(new FormData(find).get('shard')));
    });
  }

  draw(shards: readonly ShardStatus[]): void {
    this.#shards = shards;
    const size = shards.length <= MAX_WORDS ? 'words' : shards.length <= MAX_NUMBERS ? 'numbers' : 'squares';
    this.#grid.className = `grid ${size}`;
    byId('find').hidden = size === 'words';
    this.#drop();
    const fresh: Node[] = [];
    for (const { id, state } of shards) {
      let tile = this.#tiles.get(id);
      if (tile === undefined) {
        tile = this.#make(id);
        fresh.push(el('li', '', tile));
      }
      if (tile.dataset['state'] !== state) paint(tile, id, state);
    }
    this.#grid.append(...fresh);
    const first = shards[0];
    if (!this.#tiles.has(this.#current) && first !== undefined) this.#setCurrent(first.id);
    if (this.#shown !== -1) this.#show(this.#shown);
    this.#drawLegend();
    this.#drawTroubled(size === 'words');
  }

  #make(id: number): HTMLButtonElement {
    const tile = el('button', '', el('b', '', String(id)), ' ', el('span'));
    tile.type = 'button';
    tile.tabIndex = -1;
    tile.setAttribute(TAGGED, String(id));
    this.#tiles.set(id, tile);
    return tile;
  }

  #drop(): void {
    const known = new Set(this.#shards.map(({ id }) => id));
    for (const [id, tile] of this.#tiles) {
      if (known.has(id)) continue;
      tile.parentElement?.remove();
      this.#tiles.delete(id);
    }
  }

  #drawLegend(): void {
    const counts = new Map<ShardState, number>();
    for (const { state } of this.#shards) counts.set(state, (counts.get(state) ?? 0) + 1);
    const sorted = [...counts].sort(([, a], [, b]) => b - a);
    redraw(byId('legend'), JSON.stringify(sorted), () =>
      sorted.map(([state, n]) => el('li', `state ${SHARD_TONES[state]}`, `${count(n)} ${state}`)),
    );
  }

  /** Among many tiles the few that matter are named, too. */
  #drawTroubled(isSmall: boolean): void {
    const bad = isSmall ? [] : this.#shards.filter(({ state }) => SHARD_TONES[state] === 'bad');
    const list = byId('troubled');
    list.hidden = bad.length === 0;
    redraw(list, bad.map(({ id, state }) => `${id} ${state}`).join(), () => {
      const named = bad.slice(0, MAX_NAMED).map(({ id, state }) => {
        const button = el('button', 'chip bad', `${id} ${state}`);
        button.type = 'button';
        button.setAttribute(TAGGED, String(id));
        return el('li', '', button);
      });
      return [...named, bad.length > MAX_NAMED ? el('li', 'small', `and ${count(bad.length - MAX_NAMED)} more`) : null];
    });
  }

  #move(event: KeyboardEvent): void {
    const at = this.#shards.findIndex(({ id }) => id === this.#current);
    const last = this.#shards.length - 1;
    const perRow = getComputedStyle(this.#grid).gridTemplateColumns.split(' ').length;
    const steps: Record<string, number> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: perRow,
      ArrowUp: -perRow,
      PageDown: 10 * perRow,
      PageUp: -10 * perRow,
      Home: -at,
      End: last - at,
    };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = this.#shards[Math.min(last, Math.max(0, at + step))];
    if (next !== undefined) this.#tiles.get(next.id)?.focus();
  }

  #goTo(id: number | null): void {
    const tile = id === null ? undefined : this.#tiles.get(id);
    if (tile === undefined) announce('There is no such shard here.');
    else tile.focus();
  }

  #choose(id: number | null): void {
    if (id === null || !this.#tiles.has(id)) return;
    this.#setCurrent(id);
    this.#show(id);
    announce(this.#detail.textContent);
  }

  #setCurrent(id: number): void {
    const before = this.#tiles.get(this.#current);
    if (before !== undefined) before.tabIndex = -1;
    const tile = this.#tiles.get(id);
    if (tile !== undefined) tile.tabIndex = 0;
    this.#current = id;
  }

  #show(id: number | null): void {
    const shard = this.#shards.find((one) => one.id === id);
    if (shard === undefined) return;
    this.#shown = shard.id;
    say(this.#detail, describe(shard));
  }
}

function shardOf(target: EventTarget | null): number | null {
  const tile = target instanceof Element ? target.closest(`[${TAGGED}]`) : null;
  return tile === null ? null : Number(tile.getAttribute(TAGGED));
}

function paint(tile: HTMLButtonElement, id: number, state: ShardState): void {
  tile.dataset['state'] = state;
  tile.className = `tile ${SHARD_TONES[state]}`;
  if (tile.lastElementChild !== null) tile.lastElementChild.textContent = state;
  // Contains what is seen, whichever size the tiles have.
  tile.setAttribute('aria-label', `Shard ${id} ${state}`);
}

function describe(shard: ShardStatus): string {
  const parts = [`Shard ${shard.id}: ${shard.state}`, `cluster ${shard.cluster}`, plural(shard.guilds, 'guild')];
  if (shard.pingMs !== null) parts.push(`ping ${Math.round(shard.pingMs)} ms`);
  if (shard.lastAckAgeMs !== null) parts.push(`last ack ${duration(shard.lastAckAgeMs)} ago`);
  if (shard.lastEventAgeMs !== null) parts.push(`last event ${duration(shard.lastEventAgeMs)} ago`);
  parts.push(plural(shard.resumes, 'resume'), plural(shard.identifies, 'identify', 'identifies'));
  if (shard.lastCloseCode !== null) parts.push(`last close code ${shard.lastCloseCode}`);
  return parts.join(', ');
}
