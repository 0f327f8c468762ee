/** `history`: versions that are kept, newest first. */
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { formatBytes, formatCount, formatTime } from '../render/format.ts';
import { shortRoot } from '../render/status.ts';
import { type Column, renderTable } from '../render/table.ts';
import { widthOfOutput } from './output.ts';

const columns: readonly Column[] = [
  { title: 'share', importance: 2 },
  { title: 'version', align: 'right' },
  { title: 'time (UTC)' },
  { title: 'root', importance: 4 },
  { title: 'writer', least: 8, importance: 1, shorten: 'start' },
  { title: 'files', align: 'right', importance: 5 },
  { title: 'size', align: 'right', importance: 6 },
  { title: 'label', least: 8, importance: 7 },
];

export async function run(invocation: Invocation): Promise<number> {
  const rows = await invocation.agent.history(invocation.share());
  await invocation.print(rows);
  const cells = rows.map((row) => [
    row.share,
    row.version,
    formatTime(row.time),
    shortRoot(row),
    row.writer,
    formatCount(row.files),
    formatBytes(row.bytes),
    row.label ?? '',
  ]);
  const lines = renderTable(columns, cells, { width: widthOfOutput(invocation), color: invocation.color });
  await invocation.say(rows.length === 0 ? 'no versions yet' : lines.join('\n'));
  return exitCodes.done;
}
