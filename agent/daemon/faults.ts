/** What stands in the way of single paths of a share, as `status` lists it. Pure state, bounded. */
import { faultsShownMax } from '../base/limits.ts';
import { comparePaths, type DirectoryPath, isBelow, parentOf, type SharePath } from '../core/path.ts';
import type { ShareFault } from '../http/api.ts';

export type Fault = { readonly code: string; readonly message: string };
export type Cause =
  | 'directory'
  | 'store'
  | 'stage'
  | 'apply'
  | 'held'
  | 'refused'
  | 'removed'
  | 'expired'
  | 'grants'
  | 'head'
  | 'halted';

export type Faults = {
  /** Of one path; null: it is gone. Of more than can be shown, those that came first are kept. */
  set(path: SharePath, fault: Fault | null): void;
  /** Paths that `set` told of. */
  paths(): readonly SharePath[];
  /** Of the share as a whole, one for each cause. */
  setShare(cause: Cause, fault: Fault | null): void;
  /** Replaces what was skipped directly in `directory`, or anywhere below it. */
  setSkipped(
    scope: { readonly directory: DirectoryPath; readonly whole: boolean },
    skipped: readonly ShareFault[],
  ): void;
  /** The share's own first, then in byte order of path; at most `faultsShownMax`. */
  list(): readonly ShareFault[];
  /** True where something keeps the share as a whole from its work. */
  isBroken(): boolean;
};

export function createFaults(): Faults {
  const own = new Map<SharePath, ShareFault>();
  const skipped = new Map<string, ShareFault>();
  const whole = new Map<Cause, ShareFault>();

  return {
    set(path, fault) {
      if (fault === null) own.delete(path);
      else if (own.size < faultsShownMax || own.has(path)) own.set(path, { path, ...fault });
    },
    paths: () => [...own.keys()],
    setShare(cause, fault) {
      if (fault === null) whole.delete(cause);
      else whole.set(cause, { path: '', ...fault });
    },
    setSkipped({ directory, whole: everything }, faults) {
      for (const path of skipped.keys()) {
        const inside = everything
          ? isBelow(path as SharePath, directory)
          : parentOf(path as SharePath) === directory;
        if (inside || path === directory) skipped.delete(path);
      }
      for (const fault of faults) {
        if (skipped.size >= faultsShownMax) break;
        skipped.set(fault.path, fault);
      }
    },
    list() {
      const paths = [...own.values(), ...skipped.values()];
      paths.sort((left, right) => comparePaths(left.path, right.path));
      return [...whole.values(), ...paths].slice(0, faultsShownMax);
    },
    // A grant too many is for a person to settle; the share goes on by the one it has.
    isBroken: () => whole.size > (whole.has('grants') ? 1 : 0),
  };
}
