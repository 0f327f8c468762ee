/** Lists one directory with synchronous calls: what is there, what is ignored, what cannot be replicated. Keeps no state. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { fromUtf8 } from '../base/bytes.ts';
import { messageOf, systemCode } from '../base/errors.ts';
import { ignoreFileBytesMax, nameBytesMax, pathBytesMax } from '../base/limits.ts';
import { comparePaths, type DirectoryPath, joinPath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import { diskStatOf } from './disk-stat.ts';
import { type Ignore, ignoreFileName } from './ignore.ts';
import { isAt, meansGone, type OpenedDirectory, rootFault, withDirectory } from './read-open.ts';
import type { Skipped, SkippedCode } from './scan.ts';
import type { Listed } from './scan-pack.ts';

export type ListRoot = { readonly root: string; readonly device: bigint | null };

/** Takes over the rules file of this directory into `ignore` on the way. */
export function listDirectory({ root, device }: ListRoot, directory: DirectoryPath, ignore: Ignore): Listed {
  try {
    const listed = withDirectory(root, directory, (opened) => listOpened(opened, root, directory, ignore));
    if (listed !== null && (directory !== '' || rootFault(root, device) === null)) return listed;
    // Nothing is deleted because the share's own directory, or its file system, is away.
    const fault = rootFault(root, device);
    return fault === null
      ? nothing(directory, { gone: true })
      : unreadable(directory, fault.code, fault.message);
  } catch (error) {
    if (error instanceof RulesUnreadable) return unreadable(directory, error.code, error.message);
    if (systemCode(error) === undefined) throw error;
    return unreadable(directory, codeOf(error), `cannot be listed: ${messageOf(error)}`);
  }
}

function listOpened(
  opened: OpenedDirectory,
  root: string,
  directory: DirectoryPath,
  ignore: Ignore,
): Listed | null {
  const full = directory === '' ? root : `${root}/${directory}`;
  const skipped: Skipped[] = [];
  const names = readNames(opened, directory, skipped);
  const rules = names.includes(ignoreFileName) ? readRules(opened) : null;
  ignore.change({ kind: 'file', directory, text: rules });

  // Through the descriptor each lstat costs twice as much, so the plain path is used and checked afterwards.
  const near = Buffer.byteLength(full) + 1 + nameBytesMax <= pathBytesMax;
  let seen = near ? statNames(full, names) : statNames(opened.base, names);
  if (near && directory !== '' && !isAt(opened, full)) seen = statNames(opened.base, names);

  const entries: { name: string; stat: DiskStat }[] = [];
  const held: string[] = [];
  for (const [name, stat] of seen) {
    const path = joinPath(directory, name);
    if (stat instanceof Error) {
      held.push(name);
      skipped.push({
        path: printable(path),
        code: codeOf(stat),
        message: `cannot be looked at: ${stat.message}`,
      });
    } else if (ignore.ignores(path, stat.kind === 'directory')) {
      // Ignored is not worth a word.
    } else if (stat.kind === 'special') {
      skipped.push({
        path: printable(path),
        code: 'special-file',
        message: 'a fifo, socket or device is not replicated',
      });
    } else {
      entries.push({ name, stat });
    }
  }
  entries.sort((left, right) => comparePaths(left.name, right.name));
  return { directory, entries, skipped, held, gone: false, unreadable: false, rules };
}

/** The names that can be replicated; the others are named in `skipped`. */
function readNames(opened: OpenedDirectory, directory: DirectoryPath, skipped: Skipped[]): string[] {
  let names = readdirSync(opened.base);
  // Reading names as bytes costs a fifth more; only a name with a replacement character may need it.
  if (names.some((name) => name.includes('\ufffd'))) names = readBytesNames(opened, directory, skipped);
  const room = pathBytesMax - (directory === '' ? 0 : Buffer.byteLength(directory) + 1);
  return names.filter((name) => {
    if (name.length * 3 <= Math.min(nameBytesMax, room)) return true;
    const bytes = Buffer.byteLength(name);
    if (bytes <= nameBytesMax && bytes <= room) return true;
    const code = bytes > nameBytesMax ? 'name-too-long' : 'path-too-long';
    const what =
      code === 'name-too-long'
        ? `a name of more than ${nameBytesMax} bytes`
        : `a path of more than ${pathBytesMax} bytes`;
    skipped.push({ path: printable(joinPath(directory, name)), code, message: `${what} is not replicated` });
    return false;
  });
}

function readBytesNames(opened: OpenedDirectory, directory: DirectoryPath, skipped: Skipped[]): string[] {
  const names: string[] = [];
  for (const bytes of readdirSync(opened.base, { encoding: 'buffer' })) {
    const name = fromUtf8(bytes);
    if (name !== undefined) names.push(name);
    else {
      const path = `${printable(directory === '' ? '' : `${directory}/`)}${printableBytes(bytes)}`;
      skipped.push({
        path,
        code: 'not-utf8',
        message: 'a name that is not UTF-8 is not replicated; rename it',
      });
    }
  }
  return names;
}

function* statNames(base: string, names: readonly string[]): Generator<[string, DiskStat | Error]> {
  for (const name of names) {
    try {
      yield [name, diskStatOf(lstatSync(`${base}/${name}`, { bigint: true }))];
    } catch (error) {
      // Gone since the names were read: then it is not there.
      if (!meansGone(error)) yield [name, error instanceof Error ? error : new Error(String(error))];
    }
  }
}

class RulesUnreadable extends Error {
  readonly code: SkippedCode;
  constructor(code: SkippedCode, reason: string) {
    super(
      `its ${ignoreFileName} cannot be read (${reason}): nothing here is looked at, so that nothing private is published`,
    );
    this.code = code;
  }
}

/** As git does, only a regular file counts: a symlink there means no rules. */
function readRules(opened: OpenedDirectory): string | null {
  let fd: number;
  try {
    fd = openSync(
      `${opened.base}/${ignoreFileName}`,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
  } catch (error) {
    if (meansGone(error) || systemCode(error) === 'ENXIO') return null;
    throw new RulesUnreadable(codeOf(error), messageOf(error));
  }
  try {
    if (!fstatSync(fd).isFile()) return null;
    const bytes = new Uint8Array(ignoreFileBytesMax + 1);
    let length = 0;
    while (length < bytes.length) {
      const got = readSync(fd, bytes, length, bytes.length - length, length);
      if (got === 0) break;
      length += got;
    }
    if (length > ignoreFileBytesMax) throw new RulesUnreadable('io', `more than ${ignoreFileBytesMax} bytes`);
    const text = fromUtf8(bytes.subarray(0, length));
    if (text === undefined) throw new RulesUnreadable('not-utf8', 'not UTF-8');
    return text;
  } catch (error) {
    if (error instanceof RulesUnreadable) throw error;
    throw new RulesUnreadable(codeOf(error), messageOf(error));
  } finally {
    closeSync(fd);
  }
}

function nothing(directory: DirectoryPath, fields: Partial<Listed>): Listed {
  return {
    directory,
    entries: [],
    skipped: [],
    held: [],
    gone: false,
    unreadable: false,
    rules: undefined,
    ...fields,
  };
}

function unreadable(directory: DirectoryPath, code: SkippedCode, message: string): Listed {
  return nothing(directory, { unreadable: true, skipped: [{ path: printable(directory), code, message }] });
}

function codeOf(error: unknown): SkippedCode {
  const code = systemCode(error);
  return code === 'EACCES' || code === 'EPERM' ? 'permission' : 'io';
}

/** Control characters written as \xNN, so that a name can neither forge a log line nor steer a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, escaped);
}

function printableBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, escaped);
}

function escaped(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
