/**
 * Directories that their owner may not write, opened for the length of a commit. Root, and whoever may write anywhere, needs none of it; the share's
 * top is never touched, since nobody would restore its mode after a kill. Synchronous; for the commit's worker.
 */
import { isCapable } from './capabilities.ts';
import type { Confined } from './confined.ts';
import { hasErrorCode } from './system-errors.ts';

export type Widener = {
  /** Runs it; where a directory above `path` refuses and is ours, widens that and runs it once more. */
  attempt<Result>(path: string, run: () => Result): Result;
  /** Its mode was set anew. */
  settled(path: string): void;
  /** Gives the others their mode back. */
  restore(): void;
};

export function createWidener(confined: Confined): Widener {
  const uid = process.geteuid?.();
  const widened = new Map<string, number>();

  function widenAbove(path: string): boolean {
    let changed = false;
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      const directory = path.slice(0, end);
      const stat = confined.lstat(directory);
      if (stat?.kind !== 'directory' || stat.uid !== uid || (stat.mode & 0o700) === 0o700) continue;
      confined.chmod(directory, stat.mode | 0o700);
      if (!widened.has(directory)) widened.set(directory, stat.mode);
      changed = true;
    }
    return changed;
  }

  return {
    attempt(path, run) {
      try {
        return run();
      } catch (error) {
        if (isCapable('dacOverride') || !hasErrorCode(error, 'EACCES') || !widenAbove(path)) throw error;
        return run();
      }
    },
    settled(path) {
      widened.delete(path);
    },
    restore() {
      for (const [path, mode] of [...widened].reverse()) {
        try {
          confined.chmod(path, mode);
        } catch (error) {
          // It was removed or moved away meanwhile.
          if (!hasErrorCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM')) throw error;
        }
      }
      widened.clear();
    },
  };
}
