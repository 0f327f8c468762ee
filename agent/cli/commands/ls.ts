/** `ls`: entries of the signed tree. */
import { printable } from '../../base/printable.ts';
import type { LsRow } from '../../http/api.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { formatCount, formatMode, formatTime } from '../render/format.ts';
import { writeRows } from './output.ts';

export async function run(invocation: Invocation): Promise<number> {
  const version = invocation.text('version');
  const long = invocation.has('long');
  const rows = invocation.agent.ls(
    {
      ...invocation.share(),
      ...(version === undefined ? {} : { version }),
      path: sharePathOf(invocation.argument(0) ?? ''),
      long,
      recursive: invocation.has('recursive'),
    },
    { signal: invocation.terminal.signal },
  );
  await writeRows(invocation, rows, long ? longLine : shortLine);
  return exitCodes.done;
}

/** `./css/` as `css`, `.` and `/` as the top. What is wrong with the rest, the agent says. */
export function sharePathOf(text: string): string {
  return text
    .replace(/^(?:\.?\/+)+/, '')
    .replace(/\/+$/, '')
    .replace(/^\.$/, '');
}

function shortLine(row: LsRow): string {
  return `${printable(row.path)}${row.kind === 'directory' ? '/' : ''}`;
}

const letters = { file: '-', directory: 'd', symlink: 'l', hardlink: 'h' } as const;

/** Fixed widths: rows come as a stream, so that no column can wait for the widest. */
function longLine(row: LsRow): string {
  const mode =
    row.mode === null ? (row.kind === 'symlink' ? 'rwxrwxrwx' : '---------') : formatMode(row.mode);
  const owner = `${row.user || (row.uid ?? '-')}:${row.group || (row.gid ?? '-')}`;
  const target = row.target === null ? '' : ` -> ${printable(row.target)}`;
  return [
    `${letters[row.kind]}${mode}`,
    printable(owner).padEnd(17),
    (row.size === null ? '-' : formatCount(row.size)).padStart(15),
    row.mtime === null ? '-'.padEnd(19) : formatTime(row.mtime),
    `${shortLine(row)}${target}`,
  ].join('  ');
}
