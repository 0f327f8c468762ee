/** Paths inside a share: parsed once, compared as UTF-8 bytes. Pure; never touches a disk. */
import { P2psyncError } from '../base/errors.ts';
import { nameBytesMax, pathBytesMax } from '../base/limits.ts';

/** Relative, `/` between names, no empty name, no `.` or `..`, no NUL, well-formed Unicode. Never the share's top. */
export type SharePath = string & { readonly __brand: 'SharePath' };

/** The share's top directory, where a directory (not an entry) is meant. */
export const topDirectory = '';
export type DirectoryPath = SharePath | typeof topDirectory;

/** The one entry of a share's top that belongs to the agent; it is never replicated. */
export const agentDirectory = '.p2psync';

const dot = 0x2e;
const slash = 0x2f;

/** @param known as in `pathFault`. @throws {P2psyncError} bad-path, naming the rule that is broken. */
export function parsePath(text: string, known = 0): SharePath {
  const fault = pathFault(text, known);
  if (fault !== undefined)
    throw new P2psyncError('bad-path', `${fault}: ${JSON.stringify(text.slice(0, 200))}`);
  return text as SharePath;
}

/**
 * The rule that the text breaks, or undefined where it is a path of a share.
 * @param known start of a name before which the text is known to agree with a path of a share; 0 for none.
 */
export function pathFault(text: string, known = 0): string | undefined {
  if (text === '') return 'an empty path';
  if (isTooLong(text, pathBytesMax)) return `a path of more than ${pathBytesMax} bytes`;
  let isAscii = true;
  let start = known;
  for (let at = known; at <= text.length; at += 1) {
    const unit = at < text.length ? text.charCodeAt(at) : slash;
    if (unit >= 0x80) isAscii = false;
    if (unit === 0) return 'a path with a NUL';
    if (unit !== slash) continue;
    const fault = nameFault(text, start, at);
    if (fault !== undefined) return fault;
    start = at + 1;
  }
  return isAscii || text.isWellFormed() ? undefined : 'a path that is not Unicode';
}

function nameFault(text: string, start: number, end: number): string | undefined {
  const length = end - start;
  if (length === 0) return 'a path with an empty name';
  if (text.charCodeAt(start) === dot) {
    const name = text.slice(start, end);
    if (name === '.' || name === '..') return `a path with the name ${JSON.stringify(name)}`;
    if (start === 0 && name === agentDirectory) return "a path into the agent's own directory";
  }
  if (length * 3 > nameBytesMax && isTooLong(text.slice(start, end), nameBytesMax)) {
    return `a name of more than ${nameBytesMax} bytes`;
  }
  return undefined;
}

/** A unit of UTF-16 is at most three bytes of UTF-8, so most texts need no count. */
function isTooLong(text: string, bytesMax: number): boolean {
  return text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax;
}

export function joinPath(directory: DirectoryPath, name: string): SharePath {
  return (directory === topDirectory ? name : `${directory}/${name}`) as SharePath;
}

export function parentOf(path: SharePath): DirectoryPath {
  const end = path.lastIndexOf('/');
  return end < 0 ? topDirectory : (path.slice(0, end) as SharePath);
}

/** Directories above, nearest first; the top directory is not among them. */
export function ancestorsOf(path: SharePath): SharePath[] {
  const found: SharePath[] = [];
  for (let at = parentOf(path); at !== topDirectory; at = parentOf(at as SharePath))
    found.push(at as SharePath);
  return found;
}

export function nameOf(path: SharePath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** True where `path` lies below `directory`, at any depth. */
export function isBelow(path: SharePath, directory: DirectoryPath): boolean {
  return directory === topDirectory || (path.length > directory.length && path.startsWith(`${directory}/`));
}

/** Number of names less one: 0 for an entry of the top directory. */
export function depthOf(path: SharePath): number {
  let depth = 0;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) depth += 1;
  return depth;
}

/**
 * Byte order of UTF-8, without encoding: UTF-16 order differs from it only where one side has a
 * surrogate and the other a unit above them.
 */
export function comparePaths(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at += 1) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a !== b) {
      const aSurrogate = a >= 0xd800 && a <= 0xdfff;
      const bSurrogate = b >= 0xd800 && b <= 0xdfff;
      return aSurrogate === bSurrogate ? a - b : aSurrogate ? 1 : -1;
    }
  }
  return left.length - right.length;
}
