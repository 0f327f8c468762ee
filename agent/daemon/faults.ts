/** What stands in the way of single paths of a share, as `status` lists it. Pure state, bounded. */
import { faultsShownMax } from '../base/limits.ts';
import { type DirectoryPath, isBelow, parentOf, type SharePath } from '../core/path.ts';
import type { ShareFault } from '../http/api.ts';

export type Faults = {
  /** Of one path; null: it is gone. `''` is the whole share. */
  set(path: string, fault: { readonly code: string; readonly message: string } | null): void;
  /** Replaces what was skipped directly in `directory`, or anywhere below it. */
  setSkipped(
    scope: { readonly directory: DirectoryPath; readonly whole: boolean },
    skipped: readonly ShareFault[],
  ): void;
  /** The share's own first, then in byte order of path; at most `faultsShownMax`. */
  list(): readonly ShareFault[];
  /** True where something concerns the share as a whole. */
  isBroken(): boolean;
};

export function createFaults(): Faults {
  const own = new Map<string, ShareFault>();
  const skipped = new Map<string, ShareFault>();

  return {
    set(path, fault) {
      if (fault === null) own.delete(path);
      else own.set(path, { path, ...fault });
    },
    setSkipped({ directory, whole }, faults) {
      for (const path of skipped.keys()) {
        const inside = whole
          ? isBelow(path as SharePath, directory)
          : parentOf(path as SharePath) === directory;
        if (inside || path === directory) skipped.delete(path);
      }
      for (const fault of faults) skipped.set(fault.path, fault);
    },
    list() {
      const all = [...own.values(), ...skipped.values()];
      return all.sort((left, right) => (left.path < right.path ? -1 : 1)).slice(0, faultsShownMax);
    },
    isBroken: () => own.has(''),
  };
}
