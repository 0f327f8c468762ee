/**
 * How the bench sees that a change has arrived: it looks at the destinations itself, twice a millisecond, by stat, and reads
 * a file only once its stat has changed. Between looks it sleeps (no spinning: a core is not ours to burn), so that a
 * figure is late by up to 0.5 ms. No contender is asked whether it is done.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';

const lookEveryMs = 0.5;
/** Signals and output of children are seen to this often while a loop looks, ms. */
const yieldEveryMs = 50;
/** Some contenders keep times to the microsecond only. */
const timeToleranceMs = 0.002;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Sleeps this thread; timers of Node are no finer than a millisecond. */
function sleepMs(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms);
}

/**
 * Looks until every check is so.
 * @returns when that was, `performance.now()`; undefined after `timeoutMs`.
 */
export async function seen(
  checks: readonly (() => boolean)[],
  options: { readonly timeoutMs: number; readonly everyMs?: number },
): Promise<number | undefined> {
  const startedMs = performance.now();
  let yieldedMs = startedMs;
  let open = [...checks];
  for (;;) {
    open = open.filter((check) => !check());
    const nowMs = performance.now();
    if (open.length === 0) return nowMs;
    if (nowMs - startedMs > options.timeoutMs) return undefined;
    if (nowMs - yieldedMs > yieldEveryMs) {
      await yieldToOthers();
      yieldedMs = performance.now();
    }
    sleepMs(options.everyMs ?? lookEveryMs);
  }
}

/** Whether the file holds exactly these bytes. Reads only when its stat has changed since the last look. */
export function holds(path: string, bytes: Buffer): () => boolean {
  let last = '';
  return () => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || stat.size !== bytes.length) return false;
    const now = `${stat.ino} ${stat.ctimeMs}`;
    if (now === last) return false;
    try {
      if (readFileSync(path).equals(bytes)) return true;
    } catch {
      // Replaced between the two calls.
      return false;
    }
    // A write that goes on within one tick of the file system's clock leaves ctime as it is.
    last = Date.now() - stat.ctimeMs > 20 ? now : '';
    return false;
  };
}

export function isGone(path: string): () => boolean {
  return () => lstatSync(path, { throwIfNoEntry: false }) === undefined;
}

export function hasMode(path: string, mode: number): () => boolean {
  return () => ((lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o7777) === mode;
}

/** A directory under its new name with all its files, and nothing under the old one. */
export function isRenamed(from: string, to: string, files: number): () => boolean {
  const gone = isGone(from);
  return () => {
    if (!gone() || lstatSync(to, { throwIfNoEntry: false }) === undefined) return false;
    return readdirSync(to).length === files;
  };
}

export type Expected = {
  readonly path: string;
  readonly kind: 'file' | 'symlink';
  readonly size: number;
  readonly mtimeMs: number;
  readonly target: string;
};

/** Every file and symlink of a tree with what a copy must show; `.p2psync` at the top is not content. */
export function expectedOf(top: string): Expected[] {
  const found: Expected[] = [];
  const visit = (directory: string): void => {
    for (const entry of readdirSync(join(top, directory), { withFileTypes: true })) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (path === '.p2psync') continue;
      if (entry.isDirectory()) {
        visit(path);
        continue;
      }
      const { size, mtimeMs } = lstatSync(join(top, path));
      const target = entry.isSymbolicLink() ? readlinkSync(join(top, path)) : '';
      found.push({ path, kind: entry.isSymbolicLink() ? 'symlink' : 'file', size, mtimeMs, target });
    }
  };
  visit('');
  return found;
}

/**
 * Whether a copy shows everything expected, by stat. It goes on where it stopped: each entry is looked at once when it is
 * there and once a look while it is not, so that the cost is that of one walk.
 */
export function showsAll(top: string, expected: readonly Expected[]): () => boolean {
  let at = 0;
  return () => {
    for (; at < expected.length; at += 1) {
      const entry = expected[at];
      if (entry !== undefined && !shows(top, entry)) return false;
    }
    return true;
  };
}

function shows(top: string, entry: Expected): boolean {
  const path = join(top, entry.path);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (entry.kind === 'symlink') return stat.isSymbolicLink() && readlinkSync(path) === entry.target;
  return (
    stat.isFile() && stat.size === entry.size && Math.abs(stat.mtimeMs - entry.mtimeMs) <= timeToleranceMs
  );
}
