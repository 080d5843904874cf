import { el, say } from './dom.mjs';
import type { Tone } from './tones.mjs';

export interface Cell {
  text: string;
  /** Given: it is a state, with a sign before it. */
  tone?: Tone;
}

export interface TableColumn<Row> {
  title: string;
  /** text: to the left; figures go to the right. */
  text?: boolean;
  /** Left out where the screen is narrow. */
  wide?: boolean;
  value: (row: Row) => string | Cell;
}

export interface Note {
  text: string;
  tone: Tone;
}

/** A table whose cells change in place, so that neither a selection nor the place of a screen reader is lost. */
export class LiveTable<Row> {
  readonly #body: HTMLTableSectionElement;
  readonly #rows = new Map<string, { row: HTMLTableRowElement; note: HTMLTableRowElement | null }>();

  constructor(
    table: HTMLElement,
    private readonly columns: readonly TableColumn<Row>[],
    private readonly keyOf: (row: Row) => string,
    private readonly noteOf: (row: Row) => Note | null = () => null,
  ) {
    const heads = columns.map((column) => {
      const head = el('th', classOf(column), column.title);
      head.scope = 'col';
      return head;
    });
    this.#body = el('tbody');
    table.replaceChildren(el('thead', '', el('tr', '', ...heads)), this.#body);
  }

  draw(rows: readonly Row[]): void {
    const order: HTMLTableRowElement[] = [];
    const seen = new Set<string>();
    for (const row of rows) {
      const key = this.keyOf(row);
      seen.add(key);
      const drawn = this.#rows.get(key) ?? { row: this.#make(), note: null };
      this.#fill(drawn.row, row);
      drawn.note = this.#noteRow(drawn.note, this.noteOf(row));
      this.#rows.set(key, drawn);
      order.push(drawn.row);
      if (drawn.note !== null) order.push(drawn.note);
    }
    for (const key of [...this.#rows.keys()]) if (!seen.has(key)) this.#rows.delete(key);
    const { children } = this.#body;
    if (order.length !== children.length || order.some((row, index) => children[index] !== row)) {
      this.#body.replaceChildren(...order);
    }
  }

  #make(): HTMLTableRowElement {
    const cells = this.columns.map((column, index) => {
      const cell = el(index === 0 ? 'th' : 'td', classOf(column));
      if (index === 0) cell.scope = 'row';
      return cell;
    });
    return el('tr', '', ...cells);
  }

  #fill(row: HTMLTableRowElement, values: Row): void {
    for (const [index, column] of this.columns.entries()) {
      const cell = row.children[index];
      if (cell === undefined) continue;
      const value = column.value(values);
      if (typeof value === 'string') say(cell, value);
      else if (value.tone === undefined) say(cell, value.text);
      else {
        const sign = cell.firstElementChild ?? cell.appendChild(el('span'));
        sign.className = `state ${value.tone}`;
        say(sign, value.text);
      }
    }
  }

  #noteRow(before: HTMLTableRowElement | null, note: Note | null): HTMLTableRowElement | null {
    if (note === null) return null;
    const row = before ?? el('tr', 'note', el('td'));
    const cell = row.firstElementChild as HTMLTableCellElement;
    cell.colSpan = this.columns.length;
    cell.className = note.tone === 'good' ? 'muted' : note.tone;
    say(cell, note.text);
    return row;
  }
}

function classOf({ text, wide }: { text?: boolean; wide?: boolean }): string {
  return [text === true ? 'text' : '', wide === true ? 'wide' : ''].filter((name) => name !== '').join(' ');
}
