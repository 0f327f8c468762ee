/** What several commands share in showing their answers. */
import type { Invocation } from '../invocation.ts';

/** Columns to fit into; where no terminal is, nothing is cut. */
export function widthOfOutput(invocation: Invocation): number {
  return invocation.terminal.outIsTerminal ? invocation.terminal.size().columns : Number.POSITIVE_INFINITY;
}

/** With `--json` one array, else a line each; nothing is gathered, so it may be long. @returns how many there were. */
export async function writeRows<Row>(
  invocation: Invocation,
  rows: AsyncIterable<Row>,
  render: (row: Row) => string,
): Promise<number> {
  let count = 0;
  let buffer = '';
  const flush = async (): Promise<void> => {
    const text = buffer;
    buffer = '';
    if (text !== '') await invocation.terminal.write(text);
  };
  for await (const row of rows) {
    buffer += invocation.json ? `${count === 0 ? '[' : ','}\n${JSON.stringify(row)}` : `${render(row)}\n`;
    count += 1;
    if (buffer.length >= chunkCharacters) await flush();
  }
  if (invocation.json) buffer += count === 0 ? '[]\n' : '\n]\n';
  await flush();
  return count;
}

/** One write for so many characters: a call a line costs more than the lines. */
const chunkCharacters = 32 * 1024;
