/** `diff`: what changed between two versions, or between the signed tree and the disk. */
import { P2psyncError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import type { DiffRequest, DiffRow } from '../../http/api.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { formatCount } from '../render/format.ts';
import { type Color, paint } from '../render/text.ts';
import { sharePathOf } from './ls.ts';
import { writeRows } from './output.ts';

const marks: Readonly<Record<DiffRow['change'], readonly [mark: string, color: Color]>> = {
  added: ['+', 'green'],
  changed: ['~', 'yellow'],
  removed: ['-', 'red'],
};

export async function run(invocation: Invocation): Promise<number> {
  const disk = invocation.has('disk');
  const counts = { added: 0, changed: 0, removed: 0 };
  const rows = invocation.agent.diff(requestOf(invocation, disk), { signal: invocation.terminal.signal });
  const total = await writeRows(invocation, counted(rows, counts), (row) => lineOf(row, invocation.color));
  if (invocation.terminal.outIsTerminal) {
    const { added, changed, removed } = counts;
    await invocation.mention(
      `${formatCount(added)} added, ${formatCount(changed)} changed, ${formatCount(removed)} removed`,
    );
  }
  return disk && total > 0 ? exitCodes.differences : exitCodes.done;
}

function requestOf(invocation: Invocation, disk: boolean): DiffRequest {
  const [first, second, third] = [0, 1, 2].map((index) => invocation.argument(index));
  if (disk && second !== undefined) {
    throw new P2psyncError(
      'usage',
      `unexpected argument ${JSON.stringify(second)}: diff --disk takes a PATH alone`,
    );
  }
  const path = disk ? first : third;
  return {
    ...invocation.share(),
    ...(disk ? { disk } : {}),
    ...(!disk && first !== undefined ? { from: first } : {}),
    ...(!disk && second !== undefined ? { to: second } : {}),
    ...(path === undefined ? {} : { path: sharePathOf(path) }),
  };
}

async function* counted(
  rows: AsyncIterable<DiffRow>,
  counts: Record<DiffRow['change'], number>,
): AsyncIterable<DiffRow> {
  for await (const row of rows) {
    counts[row.change] += 1;
    yield row;
  }
}

function lineOf(row: DiffRow, color: boolean): string {
  const [mark, markColor] = marks[row.change];
  const what = row.what.length === 0 ? '' : `  (${row.what.join(', ')})`;
  return `${paint(mark, markColor, color)} ${printable(row.path)}${what}`;
}
