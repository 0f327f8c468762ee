/** From Node's stat to ours. Pure. */
import type { BigIntStats } from 'node:fs';
import type { DiskStat } from '../core/stat.ts';

export function diskStatOf(stat: BigIntStats): DiskStat {
  return {
    kind: stat.isFile()
      ? 'file'
      : stat.isDirectory()
        ? 'directory'
        : stat.isSymbolicLink()
          ? 'symlink'
          : 'special',
    dev: stat.dev,
    ino: stat.ino,
    nlink: Number(stat.nlink),
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: Number(stat.size),
    // st_blocks counts 512 bytes, whatever the file system's block is.
    allocated: Number(stat.blocks) * 512,
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
  };
}
