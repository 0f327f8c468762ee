/** Redraws a few lines in place while something changes; where there is no terminal, prints each picture that differs. */
import { pause } from '../../base/pause.ts';
import type { Invocation } from '../invocation.ts';
import { shorten } from './text.ts';

/** Between two pictures, ms: quick enough to watch, slow enough to cost nothing. */
const pictureMs = 500;

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
/** Terminals that know it show the lines between the two at once. */
const beginPicture = '\x1b[?2026h';
const endPicture = '\x1b[?2026l';

/** Until SIGINT or SIGTERM; the cursor is back afterwards, whatever happens. */
export async function showLive(
  invocation: Invocation,
  picture: (width: number) => Promise<readonly string[]>,
): Promise<void> {
  const { terminal } = invocation;
  const { signal } = terminal;
  let drawn = 0;
  let last = '';
  if (terminal.outIsTerminal) await terminal.write(hideCursor);
  try {
    while (!signal.aborted) {
      const { columns, rows } = terminal.size();
      const lines = await picture(terminal.outIsTerminal ? columns : Number.POSITIVE_INFINITY);
      if (terminal.outIsTerminal) {
        const fitting = lines.slice(0, Math.max(1, rows - 1));
        await terminal.write(drawing(fitting, drawn, columns));
        drawn = fitting.length;
      } else if (lines.join('\n') !== last) {
        await terminal.write(`${last === '' ? '' : '\n'}${lines.join('\n')}\n`);
        last = lines.join('\n');
      }
      await pause(pictureMs, signal);
    }
  } finally {
    // The ^C that the terminal shows goes, too.
    if (terminal.outIsTerminal) await terminal.write(`\r\x1b[K${showCursor}`);
  }
}

/** Over the `drawn` lines of the last picture; each line is cleared behind its new text, so that nothing flickers. */
export function drawing(lines: readonly string[], drawn: number, columns: number): string {
  const up = drawn > 0 ? `\x1b[${drawn}A` : '';
  const body = lines.map((line) => `\r${cut(line, columns)}\x1b[K\n`).join('');
  return `${beginPicture}${up}${body}\x1b[J${endPicture}`;
}

/** A line that wraps would shift the ones below it. Coloured ones were fitted by who made them. */
function cut(line: string, columns: number): string {
  return line.includes('\x1b') ? line : shorten(line, columns, 'end');
}
