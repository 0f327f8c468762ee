/**
 * Results as one SVG: a panel a question, a bar a contender, as long as its median by the panel's longest. Pure. Its colours
 * follow the reader's light or dark scheme, so that it fits on either page.
 */
import { type ContenderName, contenderNames, medianOf, type Results, type Row, ratioOf } from './results.ts';
import { numberText, ratioText } from './table.ts';

const width = 860;
const columns = 2;
const gap = 28;
const margin = 16;
const titleHeight = 38;
const barHeight = 15;
const barGap = 4;
const labelWidth = 70;
/** Behind the longest bar there is room for its number. */
const valueWidth = 104;
const headHeight = 44;

const colours: Record<ContenderName, string> = {
  p2psync: '#2f81f7',
  rsync: '#8b949e',
  loop: '#8b949e',
  lsyncd: '#8b949e',
  syncthing: '#8b949e',
};

const panelWidth = (width - 2 * margin - (columns - 1) * gap) / columns;

type Bar = { readonly name: ContenderName; readonly value: number | undefined; readonly text: string };

export function renderChart(results: Results): string {
  const panels = results.rows.filter(
    (row) => row.charted === true && contenderNames.some((name) => medianOf(row.cells[name]) !== undefined),
  );
  const columnHeights = Array.from({ length: columns }, () => headHeight);
  const body = panels.map((row) => {
    // Into the shortest column, so that both end near each other.
    const column = columnHeights.indexOf(Math.min(...columnHeights));
    const bars = barsOf(row);
    const top = columnHeights[column] ?? headHeight;
    columnHeights[column] = top + titleHeight + bars.length * (barHeight + barGap) + gap / 2;
    return renderPanel(row, bars, { left: margin + column * (panelWidth + gap), top });
  });
  const height = Math.ceil(Math.max(...columnHeights) + margin);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>p2psync beside rsync, the inotifywait loop, lsyncd and Syncthing</title>
<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.quiet { fill: #656d76 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #8d96a0 } }
</style>
<text class="title" x="${margin}" y="20">Medians; shorter is better</text>
<text class="quiet" x="${margin}" y="36">${escapeText(`${results.machine['machine'] ?? ''}, ${results.machine['date'] ?? ''}`)}</text>
${body.join('\n')}
</svg>
`;
}

function barsOf(row: Row): Bar[] {
  return contenderNames.flatMap((name) => {
    const cell = row.cells[name];
    if (cell === undefined) return [];
    const value = medianOf(cell);
    return [{ name, value, text: value === undefined ? (cell.note ?? '') : valueText(value, row) }];
  });
}

function renderPanel(
  row: Row,
  bars: readonly Bar[],
  { left, top }: { readonly left: number; readonly top: number },
): string {
  const longest = Math.max(...bars.map(({ value }) => value ?? 0));
  const room = panelWidth - labelWidth - valueWidth;
  const lines = bars.map(({ name, value, text }, at) => {
    const y = top + titleHeight + at * (barHeight + barGap);
    const length = value === undefined || longest === 0 ? 0 : Math.max(1, (value / longest) * room);
    const ratio = name === 'p2psync' ? ratioText(ratioOf(row)) : '';
    const shown = ratio === '' ? text : `${text} (${ratio}×)`;
    return [
      `<text class="quiet" x="${left}" y="${y + 12}">${name}</text>`,
      `<rect x="${left + labelWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="2" fill="${colours[name]}"/>`,
      `<text x="${(left + labelWidth + length + 6).toFixed(1)}" y="${y + 12}">${escapeText(shown)}</text>`,
    ].join('\n');
  });
  return `<text class="title" x="${left}" y="${top + 14}">${escapeText(`${row.scenario}: ${row.subject}`)}</text>
<text class="quiet" x="${left}" y="${top + 29}">${escapeText(metricText(row))}</text>
${lines.join('\n')}`;
}

/** A chart is for a glance: bytes in full are for the table. */
function valueText(value: number, { unit }: Row): string {
  return numberText(unit === 'bytes' ? value / 1024 : value, unit);
}

function metricText({ metric, unit }: Row): string {
  if (unit === '×') return metric;
  return `${metric}, ${unit === 'bytes' ? 'KiB' : unit}`;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
