/** What the `state` of a share is, of what is known about it. Pure. */
import { headStaleMs } from '../base/limits.ts';
import type { SignedHead } from '../core/head.ts';
import type { ShareState } from '../http/api.ts';
import type { Applied } from './state.ts';

export type Standing = {
  readonly isBroken: boolean;
  readonly isPaused: boolean;
  /** The directory could be opened. */
  readonly isRunning: boolean;
  /** The whole directory was looked at once. */
  readonly isScanned: boolean;
  readonly writes: boolean;
  readonly head: SignedHead | null;
  readonly applied: Applied | null;
  /** Nothing is under way to another version. */
  readonly isIdle: boolean;
};

export function stateOf(standing: Standing, nowMs: number): ShareState {
  const { head, applied, writes } = standing;
  if (standing.isBroken) return 'error';
  if (standing.isPaused) return 'paused';
  if (!standing.isRunning) return 'starting';
  if (!standing.isScanned) return 'scanning';
  if (head === null || applied === null) return writes ? 'scanning' : 'syncing';
  if (!writes && (applied.root !== head.head.root || !standing.isIdle)) return 'syncing';
  return isStale(head, nowMs) ? 'stale' : 'in-sync';
}

/** Whoever writes signs again every few seconds: nobody has heard of it for so long, or somebody keeps it back. */
export function isStale(head: SignedHead, nowMs: number): boolean {
  return nowMs - head.head.timeMs > headStaleMs;
}
