/** `verify`: the disk, hashed again, against the signed tree. */
import { printable } from '../../base/printable.ts';
import type { VerifyRow } from '../../http/api.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { countOf, formatBytes, formatCount } from '../render/format.ts';
import { paint } from '../render/text.ts';
import { sharePathOf } from './ls.ts';

type Difference = Extract<VerifyRow, { kind: 'difference' }>;
type Summary = Extract<VerifyRow, { kind: 'summary' }>;

export async function run(invocation: Invocation): Promise<number> {
  const path = invocation.argument(0);
  const rows = invocation.agent.verify(
    {
      ...invocation.share(),
      ...(path === undefined ? {} : { path: sharePathOf(path) }),
      repair: invocation.has('repair'),
    },
    { signal: invocation.terminal.signal },
  );
  const document = { differences: [] as Omit<Difference, 'kind'>[], summary: [] as Omit<Summary, 'kind'>[] };
  let open = 0;
  for await (const row of rows) {
    const { kind: _, ...fields } = row;
    if (row.kind === 'difference') {
      if (!row.repaired) open += 1;
      if (invocation.json) document.differences.push(fields as Omit<Difference, 'kind'>);
      else await invocation.say(lineOf(row, invocation.color));
    } else {
      if (invocation.json) document.summary.push(fields as Omit<Summary, 'kind'>);
      else await invocation.mention(summaryOf(row));
    }
  }
  await invocation.print(document);
  return open > 0 ? exitCodes.differences : exitCodes.done;
}

function lineOf(row: Difference, color: boolean): string {
  const state = row.repaired ? paint('repaired', 'green', color) : paint(row.state, 'red', color);
  const blanks = ' '.repeat(Math.max(0, 10 - (row.repaired ? 'repaired' : row.state).length));
  const what = row.what.length === 0 ? '' : `  (${row.what.join(', ')})`;
  return `${state}${blanks} ${printable(row.path)}${what}`;
}

function summaryOf(row: Summary): string {
  const checked = `${printable(row.share)}: ${countOf(row.entries, 'entry', 'entries')}, ${formatBytes(row.bytes)} checked`;
  if (row.differences === 0) return `${checked}, all as signed`;
  const repaired = row.repaired > 0 ? `, ${formatCount(row.repaired)} repaired` : '';
  return `${checked}, ${formatCount(row.differences)} differed${repaired}`;
}
