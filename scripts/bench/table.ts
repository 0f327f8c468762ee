/** Results as text: a table a scenario, medians (p95 in brackets) a contender and p2psync's ratio to the best other. Pure. */
import {
  type Cell,
  type ContenderName,
  contenderNames,
  medianOf,
  p95Of,
  type Results,
  type Row,
  ratioOf,
  type Unit,
} from './results.ts';

/** From this many values on a p95 says something. */
const p95ValuesMin = 5;

export function renderTables(results: Results): string {
  const scenarios = [...new Set([...results.rows, ...results.remarks].map(({ scenario }) => scenario))];
  return scenarios.map((scenario) => renderScenario(results, scenario)).join('\n');
}

function renderScenario(results: Results, scenario: string): string {
  const rows = results.rows.filter((row) => row.scenario === scenario);
  const remarks = results.remarks.filter((remark) => remark.scenario === scenario);
  const shown = contenderNames.filter(
    (name) =>
      rows.some((row) => row.cells[name] !== undefined) ||
      remarks.some(({ contender }) => contender === name),
  );
  const header = ['', '', ...shown, 'p2psync ÷ best other'];
  const cells = rows.map((row) => [
    row.subject,
    unitOf(row),
    ...shown.map((name) => cellText(row, name)),
    ratioText(ratioOf(row)),
  ]);
  const lines = rows.length === 0 ? [] : alignColumns([header, header.map(() => '-'), ...cells]);
  return [
    `## ${scenario}`,
    '',
    ...lines,
    ...(lines.length > 0 ? [''] : []),
    ...remarks.map(({ contender, text }) => `- ${contender}: ${text}`),
    ...(remarks.length > 0 ? [''] : []),
  ].join('\n');
}

function unitOf(row: Row): string {
  return row.unit === 'bytes' ? row.metric : `${row.metric}, ${row.unit}`;
}

function cellText(row: Row, name: ContenderName): string {
  return describeCell(row.cells[name], row.unit);
}

/** `12.3 (15.1)`, a note, or both; empty for what was not asked. */
export function describeCell(cell: Cell | undefined, unit: Unit): string {
  const middle = medianOf(cell);
  if (cell === undefined || middle === undefined) return cell?.note ?? '';
  const text = numberText(middle, unit);
  const high = cell.values.length < p95ValuesMin ? undefined : p95Of(cell);
  const full = high === undefined ? text : `${text} (${numberText(high, unit)})`;
  return cell.note === undefined ? full : `${full}, ${cell.note}`;
}

/** Three digits that count; bytes in full. */
export function numberText(value: number, unit: Unit): string {
  if (unit === 'bytes' || Math.abs(value) >= 100) return grouped(Math.round(value));
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

export function ratioText(ratio: number | undefined): string {
  return ratio === undefined ? '' : ratio.toFixed(ratio < 10 ? 2 : 0);
}

export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** Markdown that can be read as it is. The second row is the rule under the header. */
function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(3, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row, at) => {
    const cells = widths.map((width, column) => {
      const text = row[column] ?? '';
      if (at === 1) return column < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`;
      const padding = ' '.repeat(width - text.length);
      return column < 2 ? text + padding : padding + text;
    });
    return `| ${cells.join(' | ')} |`;
  });
}
