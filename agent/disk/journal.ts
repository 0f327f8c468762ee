/**
 * The journal of one commit: written whole before the first rename, so that a commit which was cut short is finished
 * by the next run; afterwards the list of what is not on the device for certain. One line of JSON a work, between a
 * head and an end. Synchronous; for the commit's worker.
 */

import { constants, readFileSync } from 'node:fs';
import { systemCode } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { journalLineBytesMax, MIB } from '../base/limits.ts';
import { agentDirectory } from '../core/path.ts';
import { newJournalPath } from './agent-paths.ts';
import { writeFully } from './block-bytes.ts';
import type { Confined } from './confined.ts';
import { decodeWork, encodeWork, type Work } from './work.ts';

export type JournalHead = {
  /** Of the kernel that ran: another one means that the machine went down in between. */
  readonly boot: string;
  readonly tag: string;
};

export type Journal = { readonly head: JournalHead; readonly works: readonly Work[] };

const format = 'p2psync journal 1';
const chunkBytes = MIB;

/** The whole journal appears at `path` in one rename. */
export function writeJournal(
  confined: Confined,
  path: string,
  journal: Journal,
  options: { readonly sync: boolean },
): void {
  const { O_CREAT, O_TRUNC, O_WRONLY } = constants;
  const file = confined.open(newJournalPath, O_CREAT | O_TRUNC | O_WRONLY, 0o600);
  try {
    let offset = 0;
    let text = `${JSON.stringify({ format, ...journal.head })}\n`;
    const flush = () => {
      const bytes = Buffer.from(text);
      writeFully(confined, file, bytes, offset);
      offset += bytes.byteLength;
      text = '';
    };
    for (const work of journal.works) {
      text += `${encodeWork(work)}\n`;
      if (text.length > chunkBytes) flush();
    }
    text += `end ${journal.works.length}\n`;
    flush();
    if (options.sync) confined.calls.fsyncSync(file);
  } finally {
    confined.calls.closeSync(file);
  }
  confined.rename(newJournalPath, path);
  if (options.sync) confined.syncDirectory(agentDirectory);
}

/** @returns null where there is none, `damaged` where the machine went down before all of it was written. */
export function readJournal(confined: Confined, path: string): Journal | 'damaged' | null {
  if (confined.lstat(path) === null) return null;
  const file = confined.open(path, constants.O_RDONLY);
  try {
    return parse(linesOf(confined, file));
  } catch (error) {
    // The disk refuses, which says nothing about the journal.
    if (systemCode(error) !== undefined) throw error;
    return 'damaged';
  } finally {
    confined.calls.closeSync(file);
  }
}

function parse(lines: Iterable<string>): Journal | 'damaged' {
  const works: Work[] = [];
  let head: JournalHead | undefined;
  for (const line of lines) {
    if (head === undefined) {
      const first = parseJson(line) as JournalHead & { readonly format: string };
      if (first.format !== format) return 'damaged';
      head = { boot: first.boot, tag: first.tag };
    } else if (line.startsWith('end ')) {
      return line === `end ${works.length}` ? { head, works } : 'damaged';
    } else works.push(decodeWork(line));
  }
  return 'damaged';
}

/** A million works do not fit into one string. */
function* linesOf(confined: Confined, file: number): Generator<string> {
  const buffer = Buffer.alloc(chunkBytes);
  let rest = Buffer.alloc(0);
  for (;;) {
    const count = confined.calls.readSync(file, buffer, 0, buffer.byteLength, null);
    if (count === 0) return;
    const bytes = Buffer.concat([rest, buffer.subarray(0, count)]);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield bytes.toString('utf8', start, end);
      start = end + 1;
    }
    rest = bytes.subarray(start);
    if (rest.byteLength > journalLineBytesMax) return;
  }
}

/** '' where the kernel does not tell: then every start counts as the same boot. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
