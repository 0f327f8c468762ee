/** The thread that reads: files of one share with synchronous calls. Started by `read.ts`. */
import { closeSync, readlinkSync } from 'node:fs';
import { fromUtf8 } from '../base/bytes.ts';
import { systemCode } from '../base/errors.ts';
import { readSliceMs } from '../base/limits.ts';
import { buildBlockList } from '../core/blocklist.ts';
import { type DirectoryPath, nameOf, parentOf, type SharePath } from '../core/path.ts';
import type { DiskStat } from '../core/stat.ts';
import { poolData, serveCalls } from './pool-worker.ts';
import type { ReadCalls, ReadData, ReadItem, ReadOk, ReadResult } from './read.ts';
import { readBlocks } from './read-blocks.ts';
import { failed, readWhole } from './read-file.ts';
import { type OpenedDirectory, openDirectory, rootFault, withDirectory } from './read-open.ts';
import { readPart, say } from './read-part.ts';
import { packStats } from './scan-pack.ts';

const { root, device } = poolData() as ReadData;
type Failed = Exclude<ReadResult, ReadOk>;

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

  blocks(locations, { transfer }) {
    const directories = lastDirectory();
    try {
      return readBlocks(locations, directories.open, transfer);
    } finally {
      directories.close();
    }
  },

  part(order, { cancelled }) {
    try {
      return inDirectory(order.path, (at) => readPart(at, order, cancelled));
    } finally {
      // Somebody waits for it.
      say(order.length, -1);
    }
  },

  list(blocks) {
    const { digest, pages } = buildBlockList(blocks);
    return { digest, pages: [...pages] };
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

/** @param use gets a path that leads through no symlink. */
function inDirectory<Result extends { readonly kind: string }>(
  path: SharePath,
  use: (at: string) => Result,
): Result | Failed {
  const directories = lastDirectory();
  try {
    const opened = directories.open(parentOf(path));
    const result = opened === null ? null : use(`${opened.base}/${nameOf(path)}`);
    return result === null || result.kind === 'gone' ? known({ kind: 'gone', path }) : result;
  } catch (error) {
    return failed(path, error);
  } finally {
    directories.close();
  }
}

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
function known<Result extends ReadResult>(result: Result): Result | Failed {
  if (result.kind !== 'gone') return result;
  const fault = rootFault(root, device);
  return fault === null ? result : { kind: 'failed', path: result.path, code: 'EIO', message: fault.message };
}
