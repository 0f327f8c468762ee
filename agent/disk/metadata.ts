/**
 * Owner, mode and time of one path. Owner first, because chown clears setuid; time last. Never follows a link.
 */

import type { Entry, Owner } from '../core/entry.ts';
import { type DiskStat, mtimeUsOf } from '../core/stat.ts';
import { isCapable } from './capabilities.ts';
import type { Confined } from './confined.ts';
import type { OwnerPolicy, Owners } from './owner.ts';
import { hasErrorCode } from './system-errors.ts';

export type MetadataOptions = {
  readonly owner: OwnerPolicy;
  /** Mode bits; off: a new file gets the writer's as far as the umask lets it, an old one keeps its own. */
  readonly perms: boolean;
  readonly times: boolean;
};

/** What a path shall get; null: stays as it is. */
export type Metadata = {
  readonly uid: number | null;
  readonly gid: number | null;
  readonly mode: number | null;
  readonly mtime: string | null;
};

export type Described = Exclude<Entry, { kind: 'hardlink' }>;

/** @param replaced what lies there and is replaced or kept; null where the path is new. */
export function metadataFor(
  entry: Described,
  context: {
    readonly options: MetadataOptions;
    readonly owners: Pick<Owners, 'idsOf'>;
    readonly umask: number;
    readonly replaced: DiskStat | null;
  },
): Metadata {
  const { options, owners, umask, replaced } = context;
  const ids = owners.idsOf(entry.owner, options.owner);
  return {
    uid: ids?.uid ?? null,
    gid: ids?.gid ?? null,
    mode: entry.kind === 'symlink' ? null : options.perms ? entry.mode : modeWithoutPerms(entry.mode),
    mtime: options.times ? timeText(entry.mtimeUs) : null,
  };

  function modeWithoutPerms(mode: number): number {
    return replaced !== null && replaced.kind === entry.kind ? replaced.mode : mode & 0o777 & ~umask;
  }
}

/** @param current what lstat says of the path now. @throws the system's error, where who may give files away may not do it either. */
export function applyMetadata(confined: Confined, path: string, metadata: Metadata, current: DiskStat): void {
  const { uid, gid, mtime } = metadata;
  let mode = metadata.mode;
  const owned = takeOwner(confined, path, { uid: uid ?? current.uid, gid: gid ?? current.gid }, current);
  if (mode !== null && current.kind !== 'symlink') {
    // A program must not run with the rights of whoever runs the agent because the right owner was not to be had.
    if (!owned.user) mode &= ~0o4000;
    if (!owned.group && current.kind === 'file') mode &= ~0o2000;
    if (mode !== current.mode || owned.changed) confined.chmod(path, mode);
  }
  // Setting a time that is right already would cut its nanoseconds, and tell every watcher of a change.
  if (mtime !== null && mtime !== timeText(mtimeUsOf(current))) confined.setTime(path, mtime);
}

/** Whoever may not give files away leaves the owner as it is, as rsync does. */
function takeOwner(
  confined: Confined,
  path: string,
  wanted: Pick<Owner, 'uid' | 'gid'>,
  current: DiskStat,
): { readonly user: boolean; readonly group: boolean; readonly changed: boolean } {
  if (wanted.uid === current.uid && wanted.gid === current.gid)
    return { user: true, group: true, changed: false };
  if (tryChown(confined, path, wanted.uid, wanted.gid)) return { user: true, group: true, changed: true };
  const group = wanted.gid === current.gid || tryChown(confined, path, current.uid, wanted.gid);
  return { user: wanted.uid === current.uid, group, changed: true };
}

function tryChown(confined: Confined, path: string, uid: number, gid: number): boolean {
  try {
    confined.chown(path, uid, gid);
    return true;
  } catch (error) {
    if (!isCapable('chown') && hasErrorCode(error, 'EPERM', 'EINVAL')) return false;
    throw error;
  }
}

/**
 * Seconds as Node's utimes takes them. Text, because Node reads a negative number as "now"; half a microsecond
 * more, because a double seldom is what was meant and the system cuts off what is below a nanosecond. Read back
 * and floored, it is the same microsecond from 1901 to 2242; later a double has no microseconds.
 */
export function timeText(mtimeUs: number): string {
  const tenths = BigInt(mtimeUs) * 10n + 5n;
  const digits = String(tenths < 0n ? -tenths : tenths).padStart(8, '0');
  return `${tenths < 0n ? '-' : ''}${digits.slice(0, -7)}.${digits.slice(-7)}`;
}
