/**
 * Which page or block to ask of whom, and when to ask again. Owns wants and requests in flight; never touches a
 * socket or a clock. Random among the rarest few, runs of neighbouring blocks, few requests at a time, and hedging
 * at the end, after the swarm models of Mundinger, Weber and Weiss (arXiv cs/0606110) and Kraken's piece requests.
 */
import {
  paceAheadMs,
  requestsInFlightMax,
  requestsInFlightMin,
  requestsPerFewMax,
  strikesMax,
} from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { PeerId } from '../core/keys.ts';
import type { Effect, Library } from './events.ts';
import { createHedge } from './hedge.ts';
import type { Neighbour, Neighbours } from './neighbours.ts';
import { type Aim, createPicker } from './pick.ts';
import { createRequests, type InFlight } from './requests.ts';
import { createStorage } from './storage.ts';
import { createWants, type Plane, type WaitingFile, type Want } from './wants.ts';

export type Missing = {
  readonly digest: Digest;
  readonly plane: Plane;
  readonly bytes: number;
  readonly file: WaitingFile | null;
  readonly lost: boolean;
};

export type Schedule = {
  /** What is wanted from now on leads to this tree; forgets all wants, keeps what is in flight and who has what. */
  aim(aim: Aim, nowMs: number): void;
  want(missing: Missing): void;
  isWanted(plane: Plane, digest: Digest): boolean;
  /** This neighbour's applied version changed. */
  moved(peer: PeerId): void;
  /** Wants not yet stored. */
  count(): number;
  pendingBytes(): number;
  storedBytes(): number;
  duplicateBytes(): number;
  /** Shortest time an answer took, 0 where none came yet. */
  roundTripMs(): number;
  /** How long what arrived may wait to be announced, ms: little of the sync's time, so that neither it nor its messages weigh. */
  haveDelayMs(nowMs: number): number;
  announced(peer: PeerId, digests: readonly Digest[]): void;
  holds(peer: PeerId, digest: Digest): boolean;
  /** @returns the want that this fulfils, if any, and who is known to have it. */
  stored(
    answer: Answer & { bytes: number },
    nowMs: number,
  ): { want: Want | undefined; holders: readonly PeerId[]; effects: readonly Effect[] };
  missing(answer: Answer, nowMs: number): readonly Effect[];
  wrongBytes(answer: Answer, nowMs: number): readonly Effect[];
  violated(input: { peer: PeerId; reason: string }, nowMs: number): readonly Effect[];
  busy(answer: { peer: PeerId; id: number; retryMs: number }, nowMs: number): void;
  /** The bytes came in vain: nothing is asked of anybody for a while. */
  notStored(answer: { peer: PeerId; id: number; retryMs: number }, nowMs: number): readonly Effect[];
  /** The request ended, well or badly. */
  ended(answer: { peer: PeerId; id: number; failed: boolean }, nowMs: number): readonly Effect[];
  peerLeft(peer: PeerId): void;
  /** Sends what can be asked now, and looks after what takes too long. */
  fill(nowMs: number): readonly Effect[];
  /** When `fill` has something to do though nothing happened. */
  wakeMs(nowMs: number): number;
};

type Answer = { readonly peer: PeerId; readonly id: number; readonly digest: Digest };

/** Pause before a neighbour whose stream broke is asked again, ms. */
const brokenCoolMs = 300;
const haveDelayMs = { least: 0.5, most: 100 };
/** After this long with nobody to ask, those that are aside or refused are tried again, ms. */
const lastResortMs = 5000;

export function createSchedule(options: {
  neighbours: Neighbours;
  library: Library;
  random: () => number;
  /** What may come in a millisecond, of all shares together; 0, and by default: without limit. */
  downloadBytesPerMs?: () => number;
}): Schedule {
  const { neighbours, random, downloadBytesPerMs = () => 0 } = options;
  const wants = createWants();
  const requests = createRequests();
  const storage = createStorage();
  const picker = createPicker({ wants, requests, neighbours, random, downloadBytesPerMs });
  const hedge = createHedge({ neighbours, wants, requests, picker });

  // Changes while running.
  let storedBytes = 0;
  let duplicateBytes = 0;
  let stuckSinceMs = 0;
  let aimedMs = 0;

  function reopen(plane: Plane, digest: Digest): void {
    const want = wants.get(plane, digest);
    if (want === undefined) return;
    if (requests.asking(plane, digest).every((request) => request.late)) wants.open(want);
  }

  function end(request: InFlight): void {
    requests.end(request, neighbours.get(request.peer));
    for (const digest of request.left) reopen(request.plane, digest);
  }

  function ask(neighbour: Neighbour, picked: readonly Want[], nowMs: number): Effect {
    const plane = picked[0]?.plane ?? 'block';
    const digests = picked.map((want) => want.digest);
    let bytes = 0;
    for (const want of picked) {
      wants.close(want);
      bytes += want.bytes;
    }
    const { id } = requests.send({ neighbour, plane, digests, bytes, nowMs });
    return { kind: 'request', peer: neighbour.peer, request: { id, plane, digests } };
  }

  function expire(nowMs: number): readonly Effect[] {
    const effects: Effect[] = [];
    for (const request of Array.from(requests.all())) {
      if (request.deadlineMs > nowMs) continue;
      const { peer, id } = request;
      if (request.late) {
        end(request);
        effects.push({ kind: 'cancel', peer, id });
        continue;
      }
      requests.makeLate(request, nowMs);
      for (const digest of request.left) reopen(request.plane, digest);
      const neighbour = neighbours.get(peer);
      if (neighbour !== undefined) {
        neighbour.inFlightMax = 1;
        neighbour.bytesPerMs /= 2;
      }
      effects.push(...neighbours.strike({ peer, strikes: 1, reason: 'no answer in time', nowMs }));
    }
    return effects;
  }

  /** Nobody can be asked for anything: those who had not may have by now, those aside are tried with one want. */
  function unstick(nowMs: number): readonly Effect[] {
    stuckSinceMs = nowMs;
    wants.forgive();
    const last = picker.lastResort(nowMs);
    return last === undefined ? [] : [ask(last.neighbour, last.wants, nowMs)];
  }

  function windowOf(): number {
    const runBytes = picker.runBytesMax();
    const rate = downloadBytesPerMs();
    const aheadBytes = rate * (paceAheadMs + 2 * requests.roundTripMs());
    const allowed = rate === 0 ? requestsInFlightMax : Math.max(1, Math.floor(aheadBytes / runBytes));
    const wide = requestsInFlightMin + requests.pipeline(runBytes);
    return Math.min(requestsInFlightMax, allowed, Math.floor(wide), storage.requestsMax());
  }

  return {
    aim(aim, nowMs) {
      aimedMs = nowMs;
      wants.clear();
      picker.aim(aim);
      storedBytes = 0;
      hedge.reset();
    },
    want(missing) {
      const { plane, digest } = missing;
      if (wants.get(plane, digest) !== undefined) return;
      const want = wants.add(missing);
      if (requests.asking(plane, digest).every((request) => request.late)) wants.open(want);
    },
    isWanted: (plane, digest) => wants.get(plane, digest) !== undefined,
    count: () => wants.count(),
    pendingBytes: () => wants.bytes(),
    storedBytes: () => storedBytes,
    duplicateBytes: () => duplicateBytes,
    roundTripMs: requests.roundTripMs,
    haveDelayMs: (nowMs) => Math.min(haveDelayMs.most, Math.max(haveDelayMs.least, (nowMs - aimedMs) / 64)),
    announced(peer, digests) {
      for (const digest of digests) {
        const isWanted = wants.get('block', digest) !== undefined || wants.get('page', digest) !== undefined;
        if (isWanted || !isHere(options.library, digest)) wants.hold(peer, digest);
      }
    },
    moved: (peer) => wants.forgive(peer),
    holds: wants.holds,
    stored({ peer, id, digest, bytes }, nowMs) {
      const effects: Effect[] = [];
      const neighbour = neighbours.get(peer);
      const request = requests.get(peer, id);
      const plane = request?.plane ?? (wants.get('block', digest) === undefined ? 'page' : 'block');
      if (request !== undefined) {
        requests.answered(request, digest, nowMs, neighbour);
        if (request.left.size === 0) {
          requests.measure(request, neighbour, nowMs);
          if (neighbour !== undefined && !request.late) neighbour.inFlightMax = requestsPerFewMax;
          requests.end(request, neighbour);
        }
      }
      for (const other of Array.from(requests.asking(plane, digest))) {
        if (other.left.size === 1) effects.push(...hedge.outrun(other, nowMs));
        requests.answered(other, digest, nowMs, neighbours.get(other.peer));
        if (other.left.size > 0) continue;
        requests.end(other, neighbours.get(other.peer));
        effects.push({ kind: 'cancel', peer: other.peer, id: other.id });
      }
      const holders = [...wants.holdersOf(digest), peer];
      const want = wants.settle(plane, digest);
      if (want === undefined) duplicateBytes += bytes;
      else {
        storage.stored();
        storedBytes += want.bytes;
        requests.arrived(bytes, nowMs);
        picker.settled(want);
      }
      return { want, holders, effects };
    },
    missing({ peer, id, digest }, nowMs) {
      const request = requests.get(peer, id);
      if (request === undefined || !request.left.has(digest)) return [];
      const neighbour = neighbours.get(peer);
      requests.answered(request, digest, nowMs, neighbour);
      const want = wants.get(request.plane, digest);
      let effects: readonly Effect[] = [];
      if (want !== undefined) {
        // It shows in the strikes but alone puts nobody aside: a busy writer's files change while they are asked for.
        if (neighbour !== undefined && picker.claims(neighbour, want) && neighbour.strikes < strikesMax - 1) {
          effects = neighbours.strike({ peer, strikes: 1, reason: 'lacks what it announced', nowMs });
        }
        wants.refuse(peer, want);
        reopen(request.plane, digest);
      }
      if (request.left.size === 0) requests.end(request, neighbour);
      return effects;
    },
    wrongBytes({ peer, id }, nowMs) {
      const request = requests.get(peer, id);
      const reason = 'bytes that are not what was asked';
      const effects: Effect[] = [...neighbours.strike({ peer, strikes: strikesMax, reason, nowMs })];
      if (request !== undefined) {
        end(request);
        effects.push({ kind: 'cancel', peer, id });
      }
      // What else it has to send may be as wrong, and is as long as it likes.
      effects.push({ kind: 'hangUpBlocks', peer });
      return effects;
    },
    violated: ({ peer, reason }, nowMs) => neighbours.strike({ peer, strikes: strikesMax, reason, nowMs }),
    busy({ peer, id, retryMs }, nowMs) {
      const request = requests.get(peer, id);
      if (request === undefined) return;
      end(request);
      const neighbour = neighbours.get(peer);
      // Spread, so that those who were refused together do not come back together.
      if (neighbour !== undefined) neighbour.coolUntilMs = nowMs + (0.5 + random()) * retryMs;
    },
    notStored({ retryMs }, nowMs) {
      storage.failed(retryMs, nowMs);
      return Array.from(requests.all(), (request): Effect => {
        end(request);
        return { kind: 'cancel', peer: request.peer, id: request.id };
      });
    },
    ended({ peer, id, failed }, nowMs) {
      const request = requests.get(peer, id);
      if (request === undefined) return [];
      const neighbour = neighbours.get(peer);
      if (failed && neighbour !== undefined) neighbour.coolUntilMs = nowMs + (0.5 + random()) * brokenCoolMs;
      if (!failed) {
        for (const digest of request.left) {
          const want = wants.get(request.plane, digest);
          if (want !== undefined) wants.refuse(peer, want);
        }
      }
      end(request);
      if (failed) return [];
      return neighbours.strike({ peer, strikes: 1, reason: 'ended an answer before its end', nowMs });
    },
    peerLeft(peer) {
      for (const request of requests.ofPeer(peer)) end(request);
      wants.forgetPeer(peer);
    },
    fill(nowMs) {
      const effects: Effect[] = [...expire(nowMs)];
      if (nowMs < storage.untilMs()) {
        stuckSinceMs = nowMs;
        return effects;
      }
      const window = windowOf();
      const isProbe = storage.requestsMax() === 1;
      let asked = true;
      const isRoom = () => requests.countMoving(nowMs) < window;
      while (asked && wants.openCount() > 0 && isRoom()) {
        asked = false;
        for (const neighbour of picker.eligible(nowMs)) {
          if (!isRoom()) break;
          const picked = picker.pick(neighbour);
          if (picked.length === 0) continue;
          effects.push(ask(neighbour, isProbe ? picked.slice(0, 1) : picked, nowMs));
          asked = true;
        }
      }
      if (wants.openCount() === 0 || requests.count() > 0) stuckSinceMs = nowMs;
      else if (nowMs >= stuckSinceMs + lastResortMs) effects.push(...unstick(nowMs));
      if (wants.openCount() === 0) {
        for (const request of Array.from(requests.all())) {
          const other = hedge.again(request, storedBytes, nowMs);
          if (other !== undefined) effects.push(ask(other.neighbour, other.wants, nowMs));
        }
      }
      return effects;
    },
    wakeMs(nowMs) {
      let at = Number.POSITIVE_INFINITY;
      const isEndgame = wants.count() > 0 && wants.openCount() === 0;
      for (const request of requests.all()) {
        at = Math.min(at, request.deadlineMs);
        const afterMs = requests.hedgeAfterMs(request.plane);
        for (const dueMs of [isEndgame ? request.sentMs + afterMs : 0, request.movedMs + afterMs])
          if (dueMs > nowMs) at = Math.min(at, dueMs);
      }
      if (wants.openCount() === 0) return at;
      if (nowMs < storage.untilMs()) return Math.min(at, storage.untilMs());
      at = Math.min(at, stuckSinceMs + lastResortMs);
      for (const neighbour of neighbours.all()) {
        if (neighbour.coolUntilMs > nowMs) at = Math.min(at, neighbour.coolUntilMs);
      }
      return at;
    },
  };
}

function isHere(library: Library, digest: Digest): boolean {
  return library.hasBlock(digest) || library.page(digest) !== undefined;
}
