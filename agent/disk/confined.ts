/**
 * A share's directory as the agent may touch it: every path is walked name by name over descriptors that were
 * opened without following links, and then used as `/proc/self/fd/N/name`. So nothing lands outside, also while
 * somebody swaps directories for symlinks, and a path may be longer than PATH_MAX. Synchronous; for worker threads.
 * After the `O_NOFOLLOW` walk of openat2(2)'s `RESOLVE_BENEATH`, which Node does not offer.
 */
import * as fs from 'node:fs';
import { P2psyncError, systemCode } from '../base/errors.ts';
import { directoryDescriptorsMax } from '../base/limits.ts';
import { agentDirectory } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import { diskStatOf } from './disk-stat.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = fs.constants;
/** Linux's `O_PATH` (Node has no name for it): a handle that needs no permission to read. */
const O_PATH = 0o10000000;

/** The system calls that are used; a test may count them or let them fail. */
export type FileCalls = Pick<
  typeof fs,
  | 'chmodSync'
  | 'closeSync'
  | 'fstatSync'
  | 'fsyncSync'
  | 'ftruncateSync'
  | 'lchownSync'
  | 'linkSync'
  | 'lstatSync'
  | 'lutimesSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readdirSync'
  | 'readlinkSync'
  | 'readSync'
  | 'renameSync'
  | 'rmdirSync'
  | 'symlinkSync'
  | 'unlinkSync'
  | 'writeSync'
>;

/**
 * Paths are relative to the share's directory, '' is that itself. Errors are the system's, with their code, or
 * `outside-share` where the way leads through a symlink.
 */
export type Confined = {
  readonly calls: FileCalls;
  /** Where the share is. To look, not to touch: a plain path below it may lead through a link. */
  readonly root: string;
  /** `/proc/self/fd/N/name`: for calls that do not follow links, at once: the next call here may close the descriptor. */
  at(path: string): string;
  /** null where nothing is there, nor a directory that could hold it. */
  lstat(path: string): DiskStat | null;
  /** A descriptor that the caller closes; `O_NOFOLLOW` is added to the flags. */
  open(path: string, flags: number, mode?: number): number;
  /** Names in a directory, in no order. */
  list(path: string): string[];
  readlink(path: string): string;
  rename(from: string, to: string): void;
  /** The same for what is no directory: no descriptor lies below it, so that none has to be looked for. */
  renameFile(from: string, to: string): void;
  link(existing: string, path: string): void;
  unlink(path: string): void;
  mkdir(path: string, mode: number): void;
  rmdir(path: string): void;
  symlink(target: string, path: string): void;
  /** Of a symlink in the share: ENOTSUP. In the agent's own directory the caller knows that it is none. */
  chmod(path: string, mode: number): void;
  chown(path: string, uid: number, gid: number): void;
  /** `mtime` as `timeText` of `metadata.ts` gives it. */
  setTime(path: string, mtime: string): void;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): void;
  /** Forgets the descriptors at and below a path, all by default: the next use walks anew and sees what is there by then. */
  forget(path?: string): void;
};

/** @param root absolute path of the share's directory; links on the way to it are followed. */
export function openConfined(root: string, calls: FileCalls = fs): Confined {
  /** By path, the least recently used first. */
  const descriptors = new Map<string, number>();
  /** Not closed even where the cache is full: the first path of a call that takes two. */
  let pinned = '';

  function directory(path: string): number {
    const cached = descriptors.get(path);
    if (cached !== undefined) {
      descriptors.delete(path);
      descriptors.set(path, cached);
      return cached;
    }
    if (path === '') return remember('', calls.openSync(root, O_PATH | O_DIRECTORY));
    let known = path;
    do known = parent(known);
    while (known !== '' && !descriptors.has(known));
    let descriptor = directory(known);
    while (known !== path) {
      const start = known === '' ? 0 : known.length + 1;
      const slash = path.indexOf('/', start);
      const end = slash < 0 ? path.length : slash;
      descriptor = openChild(descriptor, path.slice(start, end), path.slice(0, end));
      known = path.slice(0, end);
    }
    return descriptor;
  }

  function openChild(above: number, name: string, path: string): number {
    checkName(name, path);
    const at = `/proc/self/fd/${above}/${name}`;
    let descriptor: number;
    try {
      descriptor = calls.openSync(at, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    } catch (error) {
      if (systemCode(error) === 'ENOTDIR' && isSymlink(at)) throw throughSymlink(path);
      throw error;
    }
    if (path === agentDirectory) refuseForeign(descriptor);
    return remember(path, descriptor);
  }

  function isSymlink(at: string): boolean {
    return calls.lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  }

  /** Whoever may write in the share could put a directory of their own in place of ours, and links into it. */
  function refuseForeign(descriptor: number): void {
    const stat = calls.fstatSync(descriptor);
    if (stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0) return;
    calls.closeSync(descriptor);
    const message = `${root}/${agentDirectory} must belong to the agent's user and be writable by nobody else; move it away`;
    throw new P2psyncError('outside-share', message, { path: agentDirectory });
  }

  function remember(path: string, descriptor: number): number {
    descriptors.set(path, descriptor);
    for (const [old, oldDescriptor] of descriptors) {
      if (descriptors.size <= directoryDescriptorsMax) break;
      if (old === '' || old === pinned || old === path) continue;
      descriptors.delete(old);
      calls.closeSync(oldDescriptor);
    }
    return descriptor;
  }

  function at(path: string): string {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    checkName(name, path);
    return `/proc/self/fd/${directory(slash < 0 ? '' : path.slice(0, slash))}/${name}`;
  }

  function atBoth(first: string, second: string): [string, string] {
    pinned = parent(first);
    try {
      return [at(first), at(second)];
    } finally {
      pinned = '';
    }
  }

  function forget(path = ''): void {
    const below = `${path}/`;
    for (const [known, descriptor] of descriptors) {
      if (path !== '' && known !== path && !known.startsWith(below)) continue;
      descriptors.delete(known);
      calls.closeSync(descriptor);
    }
  }

  return {
    calls,
    root,
    at,
    forget,
    lstat(path) {
      try {
        const stat = calls.lstatSync(at(path), { bigint: true, throwIfNoEntry: false });
        return stat === undefined ? null : diskStatOf(stat);
      } catch (error) {
        const code = systemCode(error);
        if (code === 'ENOENT' || code === 'ENOTDIR') return null;
        throw error;
      }
    },
    open(path, flags, mode) {
      return calls.openSync(at(path), flags | O_NOFOLLOW, mode);
    },
    list(path) {
      return calls.readdirSync(`/proc/self/fd/${directory(path)}`);
    },
    readlink(path) {
      return calls.readlinkSync(at(path));
    },
    renameFile(from, to) {
      const [source, target] = atBoth(from, to);
      calls.renameSync(source, target);
    },
    rename(from, to) {
      const [source, target] = atBoth(from, to);
      calls.renameSync(source, target);
      forget(from);
      forget(to);
    },
    link(existing, path) {
      const [source, target] = atBoth(existing, path);
      calls.linkSync(source, target);
    },
    unlink(path) {
      calls.unlinkSync(at(path));
    },
    mkdir(path, mode) {
      calls.mkdirSync(at(path), mode);
    },
    rmdir(path) {
      calls.rmdirSync(at(path));
      forget(path);
    },
    symlink(target, path) {
      calls.symlinkSync(target, at(path));
    },
    chmod(path, mode) {
      if (path.startsWith(`${agentDirectory}/`)) {
        // Nobody else writes there, so what was a file when it was looked at still is one.
        calls.chmodSync(at(path), mode);
        return;
      }
      // There is no lchmod: a handle on the thing itself, then the mode of what the handle is on.
      const handle = calls.openSync(at(path), O_PATH | O_NOFOLLOW);
      try {
        calls.chmodSync(`/proc/self/fd/${handle}`, mode);
      } finally {
        calls.closeSync(handle);
      }
    },
    chown(path, uid, gid) {
      calls.lchownSync(at(path), uid, gid);
    },
    setTime(path, mtime) {
      calls.lutimesSync(at(path), Date.now() / 1000, mtime);
    },
    syncDirectory(path) {
      const handle = calls.openSync(`/proc/self/fd/${directory(path)}`, O_RDONLY | O_DIRECTORY);
      try {
        calls.fsyncSync(handle);
      } finally {
        calls.closeSync(handle);
      }
    },
  };
}

function parent(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

function checkName(name: string, path: string): void {
  if (name !== '' && name !== '.' && name !== '..' && !name.includes('\0')) return;
  throw new P2psyncError('bad-path', `not a path inside a share: ${JSON.stringify(path.slice(0, 200))}`);
}

function throughSymlink(path: string): P2psyncError {
  const shown = JSON.stringify(path.slice(0, 200));
  const message = `${shown} is a symlink where the share has a directory; nothing is read or written through it`;
  return new P2psyncError('outside-share', message, { path });
}
