/** What lstat said of a path: the fingerprint by which a change on disk is noticed. Pure. */

export type DiskKind = 'file' | 'directory' | 'symlink' | 'special';

export type DiskStat = {
  readonly kind: DiskKind;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly nlink: number;
  /** Permission bits: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** Bytes that the file system allocated; less than `size` where there are holes. */
  readonly allocated: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
};

/**
 * True where nothing a user could see has changed between two looks. ctime and inode tell what size and
 * mtime hide. A directory's times and size change with its entries, which are looked at on their own, so
 * of a directory's times only mtime counts; nlink and device never do (a device number may change at boot).
 */
export function sameStat(left: DiskStat, right: DiskStat): boolean {
  if (
    left.kind !== right.kind ||
    left.mode !== right.mode ||
    left.uid !== right.uid ||
    left.gid !== right.gid
  )
    return false;
  if (left.ino !== right.ino || left.mtimeNs !== right.mtimeNs) return false;
  return left.kind === 'directory' || (left.size === right.size && left.ctimeNs === right.ctimeNs);
}

/** Floor of ns/1000 as a number; clamped to safe integers (years 1684 to 2255). */
export function mtimeUsOf(stat: DiskStat): number {
  const us = stat.mtimeNs >= 0n ? stat.mtimeNs / 1000n : -((-stat.mtimeNs + 999n) / 1000n);
  const bound = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(us > bound ? bound : us < -bound ? -bound : us);
}

export function isSparse(stat: DiskStat): boolean {
  return stat.kind === 'file' && stat.allocated < stat.size;
}
