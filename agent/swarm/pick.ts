/**
 * Whom to ask for what next. Reads wants, requests and neighbours and changes none of them, save that offers nobody
 * needs any more are dropped.
 */
import {
  fewNeighbours,
  KIB,
  paceAheadMs,
  requestBytesMax,
  requestDigestsMax,
  requestsPerFewMax,
  requestsPerNeighbourMax,
} from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import { compareVersions, type Version } from '../core/version.ts';
import type { Neighbour, Neighbours } from './neighbours.ts';
import type { Requests } from './requests.ts';
import type { Want, Wants } from './wants.ts';

/** The tree that is sought, and the version that is applied here. */
export type Aim = {
  readonly target: { readonly version: Version; readonly root: Digest } | null;
  readonly applied: Version | null;
};

export type Picked = { readonly neighbour: Neighbour; readonly wants: readonly Want[] };

export type Picker = {
  aim(aim: Aim): void;
  settled(want: Want): void;
  /** Most bytes of one run of blocks. */
  runBytesMax(): number;
  /** Neighbours that may be asked now, those with least in flight first, else in random order. */
  eligible(nowMs: number): readonly Neighbour[];
  /** What to ask of it: pages, or a run of blocks; empty where it has nothing that is open. */
  pick(neighbour: Neighbour): readonly Want[];
  /** True where it said that it has this: not having it is an offence. */
  claims(neighbour: Neighbour, want: Want): boolean;
  /** Somebody besides those already asked who has some of these. */
  otherFor(wants: readonly Want[], nowMs: number): Picked | undefined;
  /** Somebody who is aside and yet the only one. */
  lastResort(nowMs: number): Picked | undefined;
};

/** How many open wants the rarest is looked for among: more buys little. */
const candidates = 16;
/** Requests that all there is to send is cut into, so that it spreads through many neighbours. */
const runsWanted = 256;
/** As above where at most two can be asked: the next round trip costs more than a coarse cut. */
const runsWantedOfFew = 32;
const runBytesMin = 32 * KIB;
/** Pages in one request, when the rest of the level can be asked of others. */
const pagesAtOnceMin = 8;

export function createPicker(options: {
  wants: Wants;
  requests: Requests;
  neighbours: Neighbours;
  random: () => number;
  /** What may come in a millisecond; 0: without limit. */
  downloadBytesPerMs: () => number;
}): Picker {
  const { wants, requests, neighbours, random, downloadBytesPerMs } = options;

  // Changes while running.
  let target: Aim['target'] = null;
  let applied: Version | null = null;
  let settledBytes = 0;
  /** Some neighbour has everything, as of the last look at who may be asked. */
  let anyComplete = false;

  function isComplete(neighbour: Neighbour): boolean {
    return (
      target !== null &&
      neighbour.applied !== null &&
      compareVersions(neighbour.applied, target.version) === 0
    );
  }

  function claims(neighbour: Neighbour, want: Want): boolean {
    if (isComplete(neighbour) || wants.holds(neighbour.peer, want.digest)) return true;
    return want.plane === 'page' && target !== null && neighbour.pagesOf === target.root;
  }

  /**
   * A neighbour at another version, newer than ours, has much of what we lack; one at ours or below
   * has nothing that we lack.
   */
  function isLikely(neighbour: Neighbour, want: Want): boolean {
    if (neighbour.applied === null) return false;
    if (want.lost) return true;
    return want.holders === 0 && (applied === null || compareVersions(neighbour.applied, applied) > 0);
  }

  function mayAsk(neighbour: Neighbour, want: Want): boolean {
    if (want.refusals?.includes(neighbour.peer)) return false;
    if (requests.asking(want.plane, want.digest).some((request) => request.peer === neighbour.peer))
      return false;
    return claims(neighbour, want) || (!anyComplete && isLikely(neighbour, want));
  }

  /** One that owes an answer is asked for nothing more until it comes. */
  function isAskable(neighbour: Neighbour, nowMs: number): boolean {
    if (neighbour.inFlight > 0 && requests.owes(neighbour.peer, nowMs)) return false;
    const most = neighbours.count() <= fewNeighbours ? requestsPerFewMax : requestsPerNeighbourMax;
    const isRoom = neighbour.inFlight < Math.min(most, neighbour.inFlightMax);
    return !neighbour.paused && isRoom && neighbour.coolUntilMs <= nowMs;
  }

  function askable(nowMs: number): Neighbour[] {
    const list: Neighbour[] = [];
    anyComplete = false;
    for (const neighbour of neighbours.all()) {
      if (neighbours.isAside(neighbour, nowMs)) continue;
      anyComplete ||= isComplete(neighbour);
      if (isAskable(neighbour, nowMs)) list.push(neighbour);
    }
    return shuffle(list, random);
  }

  function pickPages(neighbour: Neighbour): readonly Want[] {
    const open = wants.openOf('page');
    if (open.length === 0) return [];
    const share = Math.ceil(open.length / Math.max(1, neighbours.count()));
    const most = Math.min(requestDigestsMax, Math.max(pagesAtOnceMin, share));
    const picked: Want[] = [];
    let bytes = 0;
    const start = Math.floor(random() * open.length);
    for (let step = 0; step < open.length && step < 4 * requestDigestsMax; step += 1) {
      const want = open[(start + step) % open.length];
      if (want === undefined || !mayAsk(neighbour, want)) continue;
      if (picked.length > 0 && bytes + want.bytes > requestBytesMax) break;
      picked.push(want);
      bytes += want.bytes;
      if (picked.length >= most) break;
    }
    return picked;
  }

  /** The rarest of a few at random. */
  function pickStart(neighbour: Neighbour): Want | undefined {
    const hasAll = isComplete(neighbour);
    const offers = wants.offersOf(neighbour.peer);
    const isOpenToAll = hasAll || (!anyComplete && neighbour.applied !== null);
    let best: Want | undefined;
    for (let tries = 0; tries < candidates; tries += 1) {
      // A partial holder is looked through by what it announced, the others by what is open.
      const fromOffers = !hasAll && offers.length > 0 && (!isOpenToAll || tries % 2 === 0);
      const list = fromOffers ? offers : isOpenToAll ? wants.openOf('block') : [];
      if (list.length === 0) break;
      const index = Math.floor(random() * list.length);
      const want = list[index];
      if (want === undefined) break;
      if (fromOffers && (want.place < 0 || want.plane === 'page')) {
        wants.skipOffer(neighbour.peer, index);
        continue;
      }
      if (!mayAsk(neighbour, want)) continue;
      if (best === undefined || want.holders < best.holders) best = want;
    }
    return best;
  }

  /** The run of open neighbours around `start`, aligned as far down as it goes so that no crumbs remain. */
  function runAround(start: Want, neighbour: Neighbour): readonly Want[] {
    const bytesMax = runBytesMax();
    const fits = (want: Want | null, bytes: number, count: number): want is Want =>
      want !== null &&
      want.place >= 0 &&
      bytes + want.bytes <= bytesMax &&
      count < requestDigestsMax &&
      mayAsk(neighbour, want);
    const run = [start];
    let bytes = start.bytes;
    for (let want = start.before; fits(want, bytes, run.length); want = want.before) {
      run.push(want);
      bytes += want.bytes;
    }
    run.reverse();
    for (let want = start.after; fits(want, bytes, run.length); want = want.after) {
      run.push(want);
      bytes += want.bytes;
    }
    return run;
  }

  function runBytesMax(): number {
    const all = settledBytes + wants.bytes();
    const runs = neighbours.count() <= fewNeighbours ? runsWantedOfFew : runsWanted;
    const rate = downloadBytesPerMs();
    // Two at a time, so that one is being answered while the other comes in.
    const allowed = rate === 0 ? requestBytesMax : Math.floor((rate * paceAheadMs) / 2);
    return Math.min(requestBytesMax, Math.max(runBytesMin, Math.min(allowed, Math.ceil(all / runs))));
  }

  function pick(neighbour: Neighbour): readonly Want[] {
    const pages = pickPages(neighbour);
    if (pages.length > 0) return pages;
    const start = pickStart(neighbour);
    return start === undefined ? [] : runAround(start, neighbour);
  }

  return {
    aim(aim) {
      target = aim.target;
      applied = aim.applied;
      settledBytes = 0;
    },
    settled(want) {
      settledBytes += want.bytes;
    },
    runBytesMax,
    eligible(nowMs) {
      return askable(nowMs).sort((left, right) => left.inFlight - right.inFlight);
    },
    pick,
    claims,
    otherFor(rest, nowMs) {
      const list = [...neighbours.all()].filter(
        (each) => isAskable(each, nowMs) && !neighbours.isAside(each, nowMs),
      );
      // Who has delivered before will do so again; of the others nothing is known.
      const isProven = ({ bytesPerMs }: Neighbour) => Number(bytesPerMs > 0);
      shuffle(list, random).sort((left, right) => isProven(right) - isProven(left));
      for (const neighbour of list) {
        const able = rest.filter((want) => mayAsk(neighbour, want));
        if (able.length > 0) return { neighbour, wants: able };
      }
      return undefined;
    },
    lastResort(nowMs) {
      for (const neighbour of neighbours.all()) {
        if (!neighbours.isAside(neighbour, nowMs) || !isAskable(neighbour, nowMs)) continue;
        const picked = pick(neighbour);
        if (picked.length > 0) return { neighbour, wants: picked.slice(0, 1) };
      }
      return undefined;
    },
  };
}

function shuffle(list: Neighbour[], random: () => number): Neighbour[] {
  for (let at = list.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    const left = list[at];
    const right = list[other];
    if (left === undefined || right === undefined) continue;
    list[at] = right;
    list[other] = left;
  }
  return list;
}
