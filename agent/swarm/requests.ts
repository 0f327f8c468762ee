/** Requests in flight and how long requests take. Owns the numbers, deadlines and rates; never picks a neighbour. */
import { assert } from '../base/assert.ts';
import type { Digest } from '../core/digest.ts';
import type { PeerId } from '../core/keys.ts';
import type { Neighbour } from './neighbours.ts';
import type { Plane } from './wants.ts';

export type InFlight = {
  // Fixed at start.
  readonly id: number;
  readonly peer: PeerId;
  readonly plane: Plane;
  /** Expected bytes of the whole answer. */
  readonly bytes: number;
  readonly sentMs: number;

  // Changes while running.
  readonly left: Set<Digest>;
  deadlineMs: number;
  /** When it was sent, or answered a part. */
  movedMs: number;
  /** Its deadline has passed; others may be asked for the same, and a late answer is still welcome. */
  late: boolean;
};

export type Requests = {
  send(input: {
    neighbour: Neighbour;
    plane: Plane;
    digests: readonly Digest[];
    bytes: number;
    nowMs: number;
  }): InFlight;
  /** The request, where it is in flight and this peer's. */
  get(peer: PeerId, id: number): InFlight | undefined;
  end(request: InFlight, neighbour: Neighbour | undefined): void;
  /** Its deadline passed: it no longer counts, and is given `patienceMs` more to end. */
  makeLate(request: InFlight, nowMs: number): void;
  /** How many requests hold this digest. */
  asking(plane: Plane, digest: Digest): readonly InFlight[];
  /** This digest of the request is answered. */
  answered(request: InFlight, digest: Digest, nowMs: number, neighbour: Neighbour | undefined): void;
  /** A request that delivered everything: what its time says about the neighbour and the swarm. */
  measure(request: InFlight, neighbour: Neighbour | undefined, nowMs: number): void;
  all(): Iterable<InFlight>;
  ofPeer(peer: PeerId): readonly InFlight[];
  /** Requests that are not late. */
  count(): number;
  /** Of those, the ones that are not overdue: what a window is filled up to, so that those who are silent hold no place in it. */
  countMoving(nowMs: number): number;
  /** Nothing came of it for longer than others take for all: it is waited for, but not counted on. */
  isOverdue(request: InFlight, nowMs: number): boolean;
  /** Whether this neighbour has one that is. */
  owes(peer: PeerId, nowMs: number): boolean;
  /** Bytes of blocks arrived; feeds the rate. */
  arrived(bytes: number, nowMs: number): void;
  /** Shortest time an answer took, 0 where none came yet. */
  roundTripMs(): number;
  /** A request older than this is worth asking twice when nothing else is left to ask, ms. */
  hedgeAfterMs(plane: Plane): number;
  /** Requests of this many bytes that cover the round trip at the rate things arrive. */
  pipeline(bytes: number): number;
};

/** Assumed before anything was measured, bytes a millisecond: a slow line, so that a slow line is no offence. */
const unknownBytesPerMs = 32;
/** Shortest patience, ms, and how many times the usual: hedging is for haste, this is for neighbours that are gone. */
const patienceMinMs = 2000;
const patienceTimes = 6;
/** Patience on top where nothing was ever measured, ms: the server's queue may be long. */
const patienceUnknownMs = 5000;
/** How many of the last requests a percentile is taken over. */
const remembered = 64;
/** What a request is given before it counts as slow, as long as fewer were measured, ms: a page asked twice costs little. */
const hedgeKnownOf = 4;
const hedgeUnknownPageMs = 150;
/** Of blocks: this and as many round trips, where one was measured, but never more. */
const hedgeUnknownBlockMs = { least: 100, roundTrips: 20, most: 1500 };
const hedgeMinMs = 20;

export function createRequests(): Requests {
  // Changes while running.
  const inFlight = new Map<number, InFlight>();
  const byDigest = { page: new Map<Digest, InFlight[]>(), block: new Map<Digest, InFlight[]>() };
  const took = { page: [] as number[], block: [] as number[] };
  /** What follows from `took`; 0: to be reckoned anew. */
  const hedgeMs = { page: 0, block: 0 };
  let lastId = 0;
  let lateCount = 0;
  let roundTripMs = Number.POSITIVE_INFINITY;
  let meterFromMs = 0;
  let meterBytes = 0;
  let bytesPerMs = 0;

  function patienceMs(neighbour: Neighbour | undefined, bytes: number): number {
    const rate = neighbour?.bytesPerMs ?? 0;
    if (rate === 0) return patienceUnknownMs + bytes / unknownBytesPerMs;
    return patienceMinMs + (patienceTimes * bytes) / rate;
  }

  function hedgeUnknownMs(plane: Plane): number {
    if (plane === 'page') return hedgeUnknownPageMs;
    const { least, roundTrips, most } = hedgeUnknownBlockMs;
    return Math.min(most, least + roundTrips * roundTripMs);
  }

  function hedgeAfterMs(plane: Plane): number {
    const list = took[plane];
    if (list.length < hedgeKnownOf) return hedgeUnknownMs(plane);
    if (hedgeMs[plane] === 0) {
      const sorted = list.toSorted((left, right) => left - right);
      hedgeMs[plane] = Math.max(hedgeMinMs, 2 * (sorted[Math.floor(sorted.length * 0.9)] ?? 0));
    }
    return hedgeMs[plane];
  }

  const isOverdue = (request: InFlight, nowMs: number): boolean =>
    nowMs >= request.movedMs + hedgeAfterMs(request.plane);

  function unlist(digest: Digest, request: InFlight): void {
    const list = byDigest[request.plane].get(digest);
    if (list === undefined) return;
    const index = list.indexOf(request);
    if (index >= 0) list.splice(index, 1);
    if (list.length === 0) byDigest[request.plane].delete(digest);
  }

  return {
    send({ neighbour, plane, digests, bytes, nowMs }) {
      assert(digests.length > 0, 'a request asks for something');
      lastId += 1;
      // Answers come one after the other: what was asked before comes first.
      let bytesAhead = 0;
      for (const { peer, bytes: ahead } of inFlight.values())
        if (peer === neighbour.peer) bytesAhead += ahead;
      const request: InFlight = {
        id: lastId,
        peer: neighbour.peer,
        plane,
        bytes,
        sentMs: nowMs,
        left: new Set(digests),
        deadlineMs: nowMs + patienceMs(neighbour, bytesAhead + bytes),
        movedMs: nowMs,
        late: false,
      };
      inFlight.set(request.id, request);
      for (const digest of digests) {
        const list = byDigest[plane].get(digest);
        if (list === undefined) byDigest[plane].set(digest, [request]);
        else list.push(request);
      }
      neighbour.inFlight += 1;
      return request;
    },
    get(peer, id) {
      const request = inFlight.get(id);
      return request?.peer === peer ? request : undefined;
    },
    end(request, neighbour) {
      if (!inFlight.delete(request.id)) return;
      if (request.late) lateCount -= 1;
      for (const digest of request.left) unlist(digest, request);
      if (neighbour !== undefined) neighbour.inFlight -= 1;
    },
    makeLate(request, nowMs) {
      assert(!request.late, 'a request turns late once');
      request.late = true;
      lateCount += 1;
      request.deadlineMs = nowMs + 2 * (request.deadlineMs - request.sentMs);
    },
    asking: (plane, digest) => byDigest[plane].get(digest) ?? [],
    answered(request, digest, nowMs, neighbour) {
      request.left.delete(digest);
      request.movedMs = nowMs;
      unlist(digest, request);
      // Something comes, so patience starts again.
      if (!request.late) request.deadlineMs = nowMs + patienceMs(neighbour, request.bytes);
    },
    measure(request, neighbour, nowMs) {
      const elapsedMs = Math.max(0.05, nowMs - request.sentMs);
      const list = took[request.plane];
      list.push(elapsedMs);
      hedgeMs[request.plane] = 0;
      if (list.length > remembered) list.shift();
      if (elapsedMs < roundTripMs) roundTripMs = elapsedMs;
      if (neighbour === undefined || request.plane !== 'block') return;
      const rate = request.bytes / elapsedMs;
      neighbour.bytesPerMs = neighbour.bytesPerMs === 0 ? rate : 0.7 * neighbour.bytesPerMs + 0.3 * rate;
    },
    all: () => inFlight.values(),
    ofPeer: (peer) => [...inFlight.values()].filter((request) => request.peer === peer),
    count: () => inFlight.size - lateCount,
    countMoving(nowMs) {
      let count = 0;
      for (const request of inFlight.values()) if (!request.late && !isOverdue(request, nowMs)) count += 1;
      return count;
    },
    isOverdue,
    owes(peer, nowMs) {
      for (const request of inFlight.values())
        if (request.peer === peer && isOverdue(request, nowMs)) return true;
      return false;
    },
    arrived(bytes, nowMs) {
      if (nowMs - meterFromMs > 2000) {
        meterFromMs = nowMs;
        meterBytes = 0;
      }
      meterBytes += bytes;
      const elapsedMs = nowMs - meterFromMs;
      if (elapsedMs < 50) return;
      const rate = meterBytes / elapsedMs;
      bytesPerMs = bytesPerMs === 0 ? rate : 0.5 * bytesPerMs + 0.5 * rate;
      meterFromMs = nowMs;
      meterBytes = 0;
    },
    roundTripMs: () => (roundTripMs === Number.POSITIVE_INFINITY ? 0 : roundTripMs),
    hedgeAfterMs,
    pipeline: (bytes) =>
      roundTripMs === Number.POSITIVE_INFINITY ? 0 : (4 * roundTripMs * bytesPerMs) / Math.max(1, bytes),
  };
}
