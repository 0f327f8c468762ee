/** What the kernel says it watches for this process, which no event tells: read from /proc. Never writes. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const descriptors = '/proc/self/fd';

/** Inode numbers of every inotify watch of this process, all threads. One inode of several file systems counts once. */
export function watchedInodes(): Set<bigint> {
  const inodes = new Set<bigint>();
  for (const fd of readdirSync(descriptors)) {
    try {
      if (readlinkSync(`${descriptors}/${fd}`) !== 'anon_inode:inotify') continue;
      const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
      for (const [, inode] of text.matchAll(/^inotify wd:\S+ ino:([0-9a-f]+)/gm))
        inodes.add(BigInt(`0x${inode}`));
    } catch {
      // Closed since it was listed: then it watches nothing.
    }
  }
  return inodes;
}

/** Events that the kernel keeps for one reader; what comes on top is dropped without a word. */
export function queuedEventsMax(): number {
  try {
    return Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'latin1')) || usualQueue;
  } catch {
    return usualQueue;
  }
}

const usualQueue = 16_384;
