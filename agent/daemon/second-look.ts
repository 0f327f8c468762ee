/**
 * When everything is to be looked at once more, because events can have been lost: soon after directories came or went
 * (a directory that is made again has no watch until that is noticed), and sooner or later after names came or went (what is
 * written through a hard link that is gone before it was seen is told of no name that is left). Owns the time of
 * the next look; never looks. Time is an argument.
 */
import { auditDelayMs, namesRestShare, scanRestShare } from '../base/limits.ts';

export type Cause = 'directories' | 'names';

export type SecondLook = {
  /** What goes on and on does not put it off. */
  want(cause: Cause, nowMs: number): void;
  /** A look finds all that was wanted before it; what comes during it is looked at again. */
  began(nowMs: number): void;
  /** Also where it failed. */
  ended(nowMs: number): void;
  /** When to look; infinite where nothing is wanted, or a look is under way. */
  dueMs(): number;
};

/** Looks take one part of so many of the time, at most. */
const restShare: Readonly<Record<Cause, number>> = { directories: scanRestShare, names: namesRestShare };

export function createSecondLook(): SecondLook {
  /** Since when. */
  const wanted = new Map<Cause, number>();
  let beganMs: number | null = null;
  let endedMs = Number.NEGATIVE_INFINITY;
  let tookMs = 0;

  return {
    want(cause, nowMs) {
      if (!wanted.has(cause)) wanted.set(cause, nowMs);
    },
    began(nowMs) {
      beganMs = nowMs;
      wanted.clear();
    },
    ended(nowMs) {
      tookMs = nowMs - (beganMs ?? nowMs);
      endedMs = nowMs;
      beganMs = null;
    },
    dueMs() {
      if (beganMs !== null) return Number.POSITIVE_INFINITY;
      const due = [...wanted].map(([cause, sinceMs]) =>
        Math.max(sinceMs + auditDelayMs, endedMs + tookMs * restShare[cause]),
      );
      return Math.min(Number.POSITIVE_INFINITY, ...due);
    },
  };
}
