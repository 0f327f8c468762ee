/** Rows in columns that fit the width: the least important columns are shortened first, and then left out. Pure. */
import { printable } from '../../base/printable.ts';
import { type Color, pad, paint, shorten, widthOf } from './text.ts';

export type Column = {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** 1 is given up first; the column without one stays whatever happens. */
  readonly importance?: number;
  /** It may be shortened down to this; without it, it is whole or not there. */
  readonly least?: number;
  /** Where `…` goes: a long id tells more at its end. */
  readonly shorten?: 'start' | 'end';
};

export type Cell = string | { readonly text: string; readonly color: Color | undefined };

export type TableOptions = {
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly color: boolean;
};

const gap = '  ';

/** Cells are strangers' text: control characters are escaped here. One line a row, without line ends. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions,
): readonly string[] {
  const texts = rows.map((row) => row.map((cell) => printable(typeof cell === 'string' ? cell : cell.text)));
  const natural = columns.map((column, index) =>
    Math.max(widthOf(column.title), ...texts.map((row) => widthOf(row[index] ?? ''))),
  );
  const widths = fit(columns, natural, options.width);
  const shown = columns.map((_, index) => index).filter((index) => (widths[index] ?? 0) > 0);
  const line = (texts: readonly string[], colorOf: (index: number) => Color | undefined): string =>
    shown
      .map((index) => {
        const column = columns[index];
        const width = widths[index] ?? 0;
        const text = shorten(texts[index] ?? '', width, column?.shorten ?? 'end');
        const isLast = index === shown.at(-1) && column?.align !== 'right';
        const padded = isLast ? text : pad(text, width, column?.align ?? 'left');
        return paint(padded, colorOf(index), options.color);
      })
      .join(gap)
      .trimEnd();
  return [
    line(
      columns.map(({ title }) => title),
      () => 'dim',
    ),
    ...texts.map((row, at) =>
      line(row, (index) => {
        const cell = rows[at]?.[index];
        return typeof cell === 'object' ? cell.color : undefined;
      }),
    ),
  ];
}

/** Width of each column; 0 for one that is left out. */
function fit(columns: readonly Column[], natural: readonly number[], width: number): readonly number[] {
  const widths = [...natural];
  const order = columns
    .map((column, index) => ({
      index,
      importance: column.importance ?? Number.POSITIVE_INFINITY,
      least: column.least,
    }))
    .sort((left, right) => left.importance - right.importance);
  const excess = (): number => {
    const shown = widths.filter((one) => one > 0);
    return shown.reduce((sum, one) => sum + one, 0) + gap.length * (shown.length - 1) - width;
  };
  for (const { index, least } of order) {
    if (excess() <= 0) break;
    const now = widths[index] ?? 0;
    if (least !== undefined) widths[index] = Math.min(now, Math.max(least, now - excess()));
  }
  for (const { index, importance } of order) {
    if (excess() <= 0 || importance === Number.POSITIVE_INFINITY) break;
    widths[index] = 0;
  }
  return regain(widths, natural, -excess(), order.map(({ index }) => index).reverse());
}

/** What the columns that were left out have freed goes back to the most important that were shortened. */
function regain(
  widths: readonly number[],
  natural: readonly number[],
  spare: number,
  order: readonly number[],
): readonly number[] {
  const result = [...widths];
  let left = spare;
  for (const index of order) {
    const now = result[index] ?? 0;
    if (now === 0 || left <= 0 || left === Number.POSITIVE_INFINITY) continue;
    const more = Math.min(left, (natural[index] ?? now) - now);
    result[index] = now + more;
    left -= more;
  }
  return result;
}
