/** Holds back a publish that removes too much: an unmounted or emptied directory is no wish to delete. Pure. */
import { massDeleteEntriesMin, massDeleteWindowMs } from '../base/limits.ts';

export type Guard = {
  /** What a publish removes (renames not counted), of a tree that had `entries`. @returns true where it must wait. */
  holds(publish: { readonly removed: number; readonly entries: number }, nowMs: number): boolean;
  /** A person said yes: everything up to now may go. */
  allow(): void;
};

/** @param share of the entries that a minute's publishes may remove, 0 to 1; 1: as many as ever. */
export function createGuard(share: number): Guard {
  let window: { readonly atMs: number; readonly removed: number; readonly entries: number }[] = [];
  let allowed = false;
  return {
    holds({ removed, entries }, nowMs) {
      window = window.filter(({ atMs }) => nowMs - atMs < massDeleteWindowMs);
      if (allowed) {
        allowed = false;
        window = [];
        return false;
      }
      const sum = window.reduce((total, one) => total + one.removed, removed);
      const before = window[0]?.entries ?? entries;
      // What came and went within the minute is no part of `before`: all that there is may be less than the sum.
      if (share < 1 && sum > massDeleteEntriesMin && sum > before * share) return true;
      if (removed > 0) window.push({ atMs: nowMs, removed, entries });
      return false;
    },
    allow() {
      allowed = true;
    },
  };
}
