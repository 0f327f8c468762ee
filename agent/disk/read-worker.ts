/** The thread that reads: files of one share with synchronous calls. Started by `read.ts`. */
import { closeSync, fstatSync, openSync, readlinkSync } from 'node:fs';
import { assert } from '../base/assert.ts';
import { type Bytes, fromUtf8 } from '../base/bytes.ts';
import { systemCode } from '../base/errors.ts';
import { blockBytesMax, readSliceMs } from '../base/limits.ts';
import { digestOf } from '../core/digest.ts';
import { type DirectoryPath, nameOf, parentOf } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import { poolData, serveCalls } from './pool-worker.ts';
import type { BlockLocation, ReadCalls, ReadData, ReadItem, ReadResult } from './read.ts';
import { failed, openFlags, readFully, readWhole } from './read-file.ts';
import { meansGone, type OpenedDirectory, openDirectory, rootFault, withDirectory } from './read-open.ts';
import { packStats } from './scan-pack.ts';

const { root, device } = poolData() as ReadData;

serveCalls<ReadCalls>({
  read(items, { cancelled, transfer }) {
    const untilMs = performance.now() + readSliceMs;
    const stats: DiskStat[] = [];
    const results: ReturnType<ReadCalls['read']>['results'][number][] = [];
    const directories = lastDirectory();
    try {
      for (const item of items) {
        const result = known(readItem(directories, item, cancelled));
        if (result.kind === 'ok') {
          const { stat, ...rest } = result;
          stats.push(stat);
          results.push(rest);
          // A small view would take a shared buffer along; `readWhole` gives each result its own.
          if (rest.bytes !== null && rest.bytes.buffer instanceof ArrayBuffer)
            transfer.push(rest.bytes.buffer);
        } else results.push(result);
        if (cancelled() || performance.now() >= untilMs) break;
      }
    } finally {
      directories.close();
    }
    const packed = packStats(stats);
    transfer.push(packed.integers.buffer, packed.numbers.buffer);
    return { results, stats: packed };
  },

  block(location, { transfer }) {
    const directories = lastDirectory();
    try {
      return readBlock(directories, location, transfer);
    } finally {
      directories.close();
    }
  },

  blocks(locations, { transfer }) {
    const directories = lastDirectory();
    try {
      return locations.map((location) => {
        try {
          return readBlock(directories, location, transfer);
        } catch (error) {
          // One file that cannot be read is as good as gone; the others are served.
          if (systemCode(error) === undefined) throw error;
          return null;
        }
      });
    } finally {
      directories.close();
    }
  },

  link(path) {
    return withDirectory(root, parentOf(path), ({ base }) => {
      try {
        const target = readlinkSync(`${base}/${nameOf(path)}`, { encoding: 'buffer' });
        const text = fromUtf8(target);
        return text === undefined ? { kind: 'not-utf8' } : { kind: 'target', target: text };
      } catch (error) {
        if (systemCode(error) === 'EINVAL') return null;
        throw error;
      }
    });
  },
});

/** Neighbouring files share a directory: it is opened once for a run of them. */
function lastDirectory(): {
  open(directory: DirectoryPath): OpenedDirectory | null;
  close(): void;
} {
  let last: { readonly directory: DirectoryPath; readonly opened: OpenedDirectory } | null = null;
  function close(): void {
    if (last !== null) closeSync(last.opened.fd);
    last = null;
  }
  return {
    close,
    open(directory) {
      if (last?.directory === directory) return last.opened;
      close();
      const opened = openDirectory(root, directory);
      last = opened === null ? null : { directory, opened };
      return opened;
    },
  };
}

function readItem(
  directories: ReturnType<typeof lastDirectory>,
  item: ReadItem,
  cancelled: () => boolean,
): ReadResult {
  try {
    const opened = directories.open(parentOf(item.path));
    if (opened === null) return { kind: 'gone', path: item.path };
    return readWhole(`${opened.base}/${nameOf(item.path)}`, item, cancelled);
  } catch (error) {
    return failed(item.path, error);
  }
}

/** A file that is missing because the whole share is away is not known to be gone. */
function known(result: ReadResult): ReadResult {
  if (result.kind !== 'gone') return result;
  const fault = rootFault(root, device);
  return fault === null ? result : { kind: 'failed', path: result.path, code: 'EIO', message: fault.message };
}

/** null where there is no regular file. */
function openRegular(at: string): number | null {
  let fd: number;
  try {
    fd = openSync(at, openFlags);
  } catch (error) {
    if (meansGone(error) || systemCode(error) === 'ENXIO') return null;
    throw error;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  return null;
}

function readBlock(
  directories: ReturnType<typeof lastDirectory>,
  { path, offset, length, digest }: BlockLocation,
  transfer: ArrayBuffer[],
): Bytes | null {
  assert(length >= 0 && length <= blockBytesMax, 'a block of a length that blocks have');
  try {
    const opened = directories.open(parentOf(path));
    const fd = opened === null ? null : openRegular(`${opened.base}/${nameOf(path)}`);
    if (fd === null) return null;
    try {
      const bytes = new Uint8Array(length);
      if (readFully(fd, bytes, offset) !== length) return null;
      if (digest !== undefined && digestOf(bytes) !== digest) return null;
      transfer.push(bytes.buffer);
      return bytes;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (meansGone(error)) return null;
    throw error;
  }
}
