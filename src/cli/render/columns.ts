import { visibleWidth } from './style';

export interface Column<Row> {
  title: string;
  align?: 'left' | 'right';
  /** When the screen is too narrow, the column with the lowest rank goes first. */
  rank: number;
  value: (row: Row) => string;
}

const GAP = '  ';

/** Aligned columns without lines around them: fits pipes, screen readers and narrow terminals alike. */
export function renderColumns<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number,
  title: (text: string) => string,
): string[] {
  let shown = columns.map((column) => layOut(column, rows));
  while (shown.length > 1 && totalWidth(shown) > width) {
    const lowest = Math.min(...shown.map(({ column }) => column.rank));
    shown = shown.filter(({ column }) => column.rank !== lowest);
  }
  const head = shown.map((cell) => title(pad(cell.column.title, cell.width, cell.column.align)));
  const body = rows.map((_, index) =>
    shown.map((cell) => pad(cell.texts[index] ?? '', cell.width, cell.column.align)).join(GAP),
  );
  return [head.join(GAP), ...body].map((line) => line.trimEnd());
}

interface LaidOut<Row> {
  column: Column<Row>;
  texts: string[];
  width: number;
}

function layOut<Row>(column: Column<Row>, rows: readonly Row[]): LaidOut<Row> {
  const texts = rows.map((row) => column.value(row));
  return { column, texts, width: Math.max(column.title.length, ...texts.map(visibleWidth)) };
}

function totalWidth(cells: readonly { width: number }[]): number {
  return cells.reduce((sum, cell) => sum + cell.width, GAP.length * (cells.length - 1));
}

function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - visibleWidth(text)));
  return align === 'left' ? text + space : space + text;
}
