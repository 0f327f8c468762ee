/**
 * The origin's rule: each new run of blocks is shown to one neighbour first, and to one more only when time passes
 * and nobody else has announced it, so that the origin sends everything about once and the others spread it. Owns
 * what is hidden from whom; after BitTorrent's super-seeding (BEP 16). Small publishes are never hidden.
 */
import { assert } from '../base/assert.ts';
import {
  KIB,
  requestBytesMax,
  revealBlocksMax,
  revealBlocksMin,
  revealBytesMin,
  revealNeighboursMin,
} from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { PeerId } from '../core/keys.ts';
import { compareVersions, type Version } from '../core/version.ts';
import type { Effect } from './events.ts';
import type { Neighbour, Neighbours } from './neighbours.ts';

export type Reveal = {
  /** `before` was served completely until now. */
  published(input: {
    version: Version;
    before: Version | null;
    blocks: readonly Digest[];
    bytes: number;
  }): void;
  joined(peer: PeerId, nowMs: number): void;
  left(peer: PeerId): void;
  /** This neighbour announced these. */
  announced(peer: PeerId, digests: readonly Digest[], nowMs: number): void;
  /** What this neighbour may be told that we serve completely; `applied` where nothing is hidden from it. */
  appliedFor(peer: PeerId, applied: Version | null): Version | null;
  /** `bytesPerMs`: what goes out now, 0 where unknown. `isIdle`: nobody asks us for anything. */
  step(input: { bytesPerMs: number; isIdle: boolean }, nowMs: number): readonly Effect[];
  wakeMs(): number;
  /** Changes when what neighbours may be told changes. */
  generation(): number;
};

/** A run of neighbouring blocks that is shown as one. */
type Unit = {
  readonly digests: readonly Digest[];
  readonly shownTo: PeerId[];
  shownMs: number;
  /** Digests nobody else has announced yet. */
  hidden: number;
};

type Hidden = { readonly unit: Unit; isSeen: boolean };

/** Units that one neighbour owes an announcement of, at least and at most. */
const owedMin = 2;
const owedMax = 16;
/** Patience with a unit that nobody announces, ms: fixed part, and where no rate is known. */
const patienceMs = 100;
const patienceUnknownMs = 2000;
/** Neighbours a unit is shown to: nobody wants what these do not, and the end brings it to all. */
const showsMax = 3;
/** So long shown to idle neighbours and nothing asked, ms: hiding the rest brings nobody forward. */
const idleMs = 500;
/**
 * Where nothing was asked for as long as it takes to send what is still hidden to everybody, ms at least, each unit is shown to one more:
 * those who saw it may not want it. An agent on a busy machine may only stand still; then that much at most is sent once more.
 */
const quietMsMin = 20;
/** What a fast network takes, half a gigabit a second: on a slower one, sending takes longer, and who sends is not idle. */
const fastBytesPerMs = 64 * KIB;
/** After a newcomer more may follow; so long everything stays hidden from few, ms. */
const gatherMs = 50;
const runsWanted = 256;
const runBytesMin = 32 * KIB;

export function createReveal(options: { neighbours: Neighbours; random: () => number }): Reveal {
  const { neighbours, random } = options;

  // Changes while running.
  /** Null where nothing is hidden. */
  let version: Version | null = null;
  let base: Version | null = null;
  let queue: Unit[] = [];
  let queueAt = 0;
  let unitBytes = runBytesMin;
  const shown = new Set<Unit>();
  const byDigest = new Map<Digest, Hidden>();
  const owed = new Map<PeerId, number>();
  const toldAll = new Map<PeerId, Version>();
  /** Blocks of small publishes, for newcomers. */
  let open: Digest[] = [];
  let untold: { peer: PeerId | null; digests: readonly Digest[] }[] = [];
  let joinedMs = Number.NEGATIVE_INFINITY;
  let cycleMs = Number.POSITIVE_INFINITY;
  let nextMs = Number.POSITIVE_INFINITY;
  let generation = 0;
  let askedMs = Number.NEGATIVE_INFINITY;

  function finish(): void {
    generation += 1;
    version = null;
    queue = [];
    queueAt = 0;
    shown.clear();
    byDigest.clear();
    owed.clear();
    toldAll.clear();
    open = [];
    untold = [];
  }

  function isComplete(neighbour: Neighbour): boolean {
    return version !== null && neighbour.applied !== null && compareVersions(neighbour.applied, version) >= 0;
  }

  function owes(peer: PeerId): number {
    return owed.get(peer) ?? 0;
  }

  /** The neighbour that owes least; ties by chance. */
  function idlest(most: number, except: readonly PeerId[]): PeerId | undefined {
    let best: PeerId | undefined;
    let least = most;
    let ties = 1;
    for (const { peer, heard } of neighbours.all()) {
      if (!heard || toldAll.has(peer) || except.includes(peer)) continue;
      const debt = owes(peer);
      if (debt > least || (debt === least && best === undefined && debt >= most)) continue;
      ties = debt < least || best === undefined ? 1 : ties + 1;
      if (ties > 1 && random() * ties >= 1) continue;
      best = peer;
      least = debt;
    }
    return best;
  }

  function show(unit: Unit, peer: PeerId, nowMs: number): Effect {
    unit.shownTo.push(peer);
    unit.shownMs = nowMs;
    shown.add(unit);
    owed.set(peer, owes(peer) + 1);
    return { kind: 'send', peer, message: { kind: 'have', digests: unit.digests } };
  }

  function settle(unit: Unit): void {
    if (!shown.delete(unit)) return;
    for (const peer of unit.shownTo) owed.set(peer, Math.max(0, owes(peer) - 1));
  }

  /** Nobody announced these in time: one more neighbour each. */
  function release(waitMs: number, nowMs: number): readonly Effect[] {
    const effects: Effect[] = [];
    for (const unit of Array.from(shown)) {
      if (nowMs < unit.shownMs + waitMs) continue;
      const isEnough = unit.shownTo.length >= showsMax;
      const peer = isEnough ? undefined : idlest(Number.POSITIVE_INFINITY, unit.shownTo);
      if (peer === undefined) settle(unit);
      else effects.push(show(unit, peer, nowMs));
    }
    return effects;
  }

  function tellOpen(): readonly Effect[] {
    const effects: Effect[] = [];
    for (const { peer, digests } of untold) {
      if (digests.length === 0) continue;
      for (const neighbour of neighbours.all()) {
        if (peer !== null && peer !== neighbour.peer) continue;
        effects.push({ kind: 'send', peer: neighbour.peer, message: { kind: 'have', digests } });
      }
    }
    untold = [];
    return effects;
  }

  function tellFew(nowMs: number): void {
    if (version === null || neighbours.count() >= revealNeighboursMin || nowMs < joinedMs + gatherMs) return;
    for (const { peer } of neighbours.all()) {
      if (toldAll.get(peer) === version) continue;
      toldAll.set(peer, version);
      generation += 1;
    }
  }

  return {
    published({ version: made, before, blocks, bytes }) {
      const isSmall = blocks.length < revealBlocksMin || bytes < revealBytesMin;
      const isHuge = byDigest.size + blocks.length > revealBlocksMax;
      if (version === null && isSmall) return;
      if (isHuge) return finish();
      if (version === null) base = before;
      version = made;
      if (isSmall) {
        open.push(...blocks);
        untold.push({ peer: null, digests: blocks });
        return;
      }
      const blockBytes = bytes / blocks.length;
      unitBytes = Math.min(requestBytesMax, Math.max(runBytesMin, bytes / runsWanted, blockBytes));
      const step = Math.max(1, Math.round(unitBytes / blockBytes));
      for (let at = 0; at < blocks.length; at += step) {
        const digests = blocks.slice(at, at + step);
        const unit: Unit = { digests, shownTo: [], shownMs: 0, hidden: digests.length };
        for (const digest of digests) byDigest.set(digest, { unit, isSeen: false });
        queue.push(unit);
      }
    },
    joined(peer, nowMs) {
      joinedMs = nowMs;
      if (version !== null) untold.push({ peer, digests: open });
    },
    left(peer) {
      owed.delete(peer);
      toldAll.delete(peer);
    },
    announced(peer, digests, nowMs) {
      if (version === null) return;
      for (const digest of digests) {
        const hidden = byDigest.get(digest);
        if (hidden === undefined || hidden.isSeen) continue;
        hidden.isSeen = true;
        hidden.unit.hidden -= 1;
        if (hidden.unit.hidden > 0) continue;
        if (hidden.unit.shownTo.length === 1 && hidden.unit.shownTo[0] === peer) {
          cycleMs = Math.min(cycleMs, nowMs - hidden.unit.shownMs);
        }
        settle(hidden.unit);
      }
    },
    appliedFor(peer, applied) {
      return version === null ? applied : (toldAll.get(peer) ?? base);
    },
    step({ bytesPerMs, isIdle }, nowMs) {
      nextMs = Number.POSITIVE_INFINITY;
      if (version === null) return [];
      if (!isIdle || shown.size === 0) askedMs = nowMs;
      else if (nowMs >= askedMs + idleMs) finish();
      const effects: Effect[] = [...tellOpen()];
      for (const neighbour of neighbours.all()) if (isComplete(neighbour)) finish();
      tellFew(nowMs);
      if (version === null || neighbours.count() === 0) return effects;
      const runMs = bytesPerMs === 0 ? 0 : unitBytes / bytesPerMs;
      // What is under way to be shown, sent and announced must cover the time that one unit takes for it.
      const cover =
        bytesPerMs === 0 || cycleMs === Number.POSITIVE_INFINITY ? 0 : cycleMs / runMs / neighbours.count();
      const most = Math.min(owedMax, owedMin + Math.floor(cover));
      while (queueAt < queue.length) {
        const unit = queue[queueAt];
        assert(unit !== undefined, 'a queue has no holes');
        const peer = unit.hidden === 0 ? undefined : idlest(most, []);
        if (unit.hidden > 0 && peer === undefined) break;
        if (peer !== undefined) effects.push(show(unit, peer, nowMs));
        queueAt += 1;
      }
      const usualMs = bytesPerMs === 0 ? patienceUnknownMs : patienceMs + 3 * runMs * (shown.size + 1);
      const leftBytes = (shown.size + queue.length - queueAt) * unitBytes;
      const quietMs = Math.max(quietMsMin, (leftBytes * neighbours.count()) / fastBytesPerMs);
      const isQuiet = isIdle && nowMs >= askedMs + quietMs;
      const waitMs = isQuiet ? Math.min(usualMs, quietMs) : usualMs;
      effects.push(...release(waitMs, nowMs));
      if (queueAt >= queue.length && shown.size === 0) finish();
      if (shown.size > 0 && isIdle) {
        nextMs = askedMs + idleMs;
        if (!isQuiet) nextMs = Math.min(nextMs, askedMs + quietMs);
      }
      for (const unit of shown) nextMs = Math.min(nextMs, unit.shownMs + waitMs);
      const gatheredMs = joinedMs + gatherMs;
      if (neighbours.count() < revealNeighboursMin && gatheredMs > nowMs)
        nextMs = Math.min(nextMs, gatheredMs);
      return effects;
    },
    wakeMs: () => nextMs,
    generation: () => generation,
  };
}
