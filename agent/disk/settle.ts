/**
 * Which changed paths have come to rest. Two looks that agree make a path ready; one that never rests is
 * passed on every `restlessMs` anyway. Pure: looks are asked for and fed back, time is an argument.
 */
import { restlessMs, settleLongestMs, settleMs, settlePathsMax } from '../base/limits.ts';
import type { SharePath } from '../core/path.ts';
import { type DiskStat, sameStat } from '../core/stat.ts';

export type SettleEvent =
  /** Something happened to these paths: they are looked at at once. */
  | { readonly kind: 'dirty'; readonly paths: readonly SharePath[] }
  /** What lstat says of a path now; null where nothing is there. Need not have been asked for. */
  | { readonly kind: 'looked'; readonly path: SharePath; readonly stat: DiskStat | null }
  /** The time asked for by `wake` has come. */
  | { readonly kind: 'tick' };

export type SettleEffect =
  /** Look at these now, and say `looked` of each. */
  | { readonly kind: 'look'; readonly paths: readonly SharePath[] }
  /** At rest; `restless`: it is not, but has kept changing for so long that its state now is to be taken. */
  | {
      readonly kind: 'ready';
      readonly path: SharePath;
      readonly stat: DiskStat | null;
      readonly restless: boolean;
    }
  /** Call again with `tick` at this time; a later `wake` replaces an earlier one. */
  | { readonly kind: 'wake'; readonly atMs: number };

type Pending = {
  /** The last look; undefined before the first. */
  stat: DiskStat | null | undefined;
  /** Since when the path has been changing. */
  readonly sinceMs: number;
  /** Pause before the next look. */
  pauseMs: number;
  dueMs: number;
  /** A look was asked for and has not come. */
  looking: boolean;
};

export type Settle = { readonly pending: Map<SharePath, Pending>; wakeMs: number };

export function createSettle(): Settle {
  return { pending: new Map(), wakeMs: Number.POSITIVE_INFINITY };
}

/** @param nowMs milliseconds of any steady clock. */
export function step(settle: Settle, event: SettleEvent, nowMs: number): SettleEffect[] {
  switch (event.kind) {
    case 'dirty':
      return dirty(settle, event.paths, nowMs);
    case 'looked':
      return looked(settle, event.path, event.stat, nowMs);
    case 'tick':
      return tick(settle, nowMs);
  }
}

function dirty(settle: Settle, paths: readonly SharePath[], nowMs: number): SettleEffect[] {
  const look: SharePath[] = [];
  for (const path of paths) {
    const pending = settle.pending.get(path);
    // One that is already watched over is looked at when its time comes: a hot path costs no more looks. One
    // whose look never came back (nobody could say) is asked about again.
    if (pending !== undefined && !pending.looking) continue;
    look.push(path);
    if (pending !== undefined) continue;
    if (settle.pending.size >= settlePathsMax) continue;
    settle.pending.set(path, {
      stat: undefined,
      sinceMs: nowMs,
      pauseMs: settleMs,
      dueMs: nowMs,
      looking: true,
    });
  }
  return look.length === 0 ? [] : [{ kind: 'look', paths: look }];
}

function looked(settle: Settle, path: SharePath, stat: DiskStat | null, nowMs: number): SettleEffect[] {
  const pending = settle.pending.get(path);
  // Only a file's content takes time to write: the rest is whole as soon as it is there.
  const whole = stat !== null && stat.kind !== 'file';
  if (pending === undefined) {
    // Over the bound nothing waits: the reader still refuses what changes under its hands.
    if (whole || settle.pending.size >= settlePathsMax)
      return [{ kind: 'ready', path, stat, restless: !whole }];
    const dueMs = nowMs + settleMs;
    settle.pending.set(path, { stat, sinceMs: nowMs, pauseMs: settleMs, dueMs, looking: false });
    return wake(settle, dueMs);
  }
  if (whole || (pending.stat !== undefined && agree(pending.stat, stat))) {
    // A look that nobody asked for may follow the last one at once: it proves nothing before its time.
    if (!whole && !pending.looking && nowMs < pending.dueMs) return [];
    settle.pending.delete(path);
    return [{ kind: 'ready', path, stat, restless: false }];
  }
  if (nowMs - pending.sinceMs >= restlessMs) {
    settle.pending.delete(path);
    return [{ kind: 'ready', path, stat, restless: true }];
  }
  if (pending.stat !== undefined) pending.pauseMs = Math.min(pending.pauseMs * 2, settleLongestMs);
  pending.stat = stat;
  pending.looking = false;
  pending.dueMs = nowMs + pending.pauseMs;
  return wake(settle, pending.dueMs);
}

function tick(settle: Settle, nowMs: number): SettleEffect[] {
  const look: SharePath[] = [];
  let nextMs = Number.POSITIVE_INFINITY;
  for (const [path, pending] of settle.pending) {
    if (pending.looking) continue;
    if (pending.dueMs <= nowMs) {
      pending.looking = true;
      look.push(path);
    } else nextMs = Math.min(nextMs, pending.dueMs);
  }
  settle.wakeMs = nextMs;
  const effects: SettleEffect[] = look.length === 0 ? [] : [{ kind: 'look', paths: look }];
  if (nextMs < Number.POSITIVE_INFINITY) effects.push({ kind: 'wake', atMs: nextMs });
  return effects;
}

function wake(settle: Settle, atMs: number): SettleEffect[] {
  if (atMs >= settle.wakeMs) return [];
  settle.wakeMs = atMs;
  return [{ kind: 'wake', atMs }];
}

function agree(before: DiskStat | null, now: DiskStat | null): boolean {
  return before === null || now === null ? before === now : sameStat(before, now);
}
