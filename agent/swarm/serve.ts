/**
 * Whose request is answered next. Owns the queues of requests to us; never reads a block. Deficit round-robin by
 * bytes (Shreedhar & Varghese 1995), pages before blocks, and BUSY at once where a neighbour queues too much.
 */
import {
  KIB,
  requestDigestsMax,
  serveQuantumBytes,
  serveQueuePerNeighbourMax,
  servesAtOnceMax,
} from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';
import type { Effect } from './events.ts';
import type { BlockRequest } from './messages.ts';

export type Serve = {
  joined(peer: PeerId): void;
  left(peer: PeerId): void;
  received(peer: PeerId, request: BlockRequest, nowMs: number): readonly Effect[];
  served(input: { peer: PeerId; id: number; bytes: number }, nowMs: number): readonly Effect[];
  /** Starts what waits behind a reader that turned out to be slow. */
  tick(nowMs: number): readonly Effect[];
  wakeMs(nowMs: number): number;
  /** Nobody waits for anything. */
  isIdle(): boolean;
  /** Bytes a millisecond that go out, 0 until measured. */
  bytesPerMs(): number;
};

type Queue = { readonly requests: BlockRequest[]; deficit: number };
type Active = {
  readonly peer: PeerId;
  readonly request: BlockRequest;
  readonly sinceMs: number;
  readonly estimate: number;
};

/** Guesses until answers have been measured. */
const blockBytesGuess = 64 * KIB;
const pageBytesGuess = 16 * KIB;
/** What a refused neighbour is told to wait, ms: at least and at most. */
const busyMs = { least: 10, most: 2000 };
/** An answer that takes this many times what it should no longer holds a place, ms at least. */
const slowTimes = 4;
const slowMsMin = 300;
/** Answers to one neighbour at a time. */
const servesPerNeighbourMax = 2;

export function createServe(): Serve {
  // Changes while running.
  const queues = new Map<PeerId, Queue>();
  const ring: PeerId[] = [];
  const active = new Map<string, Active>();
  let blockBytes = blockBytesGuess;
  let bytesPerMs = 0;
  let meterFromMs = 0;
  let meterBytes = 0;

  function estimate(request: BlockRequest): number {
    return request.digests.length * (request.plane === 'page' ? pageBytesGuess : blockBytes);
  }

  function start(peer: PeerId, request: BlockRequest, nowMs: number): Effect {
    active.set(keyOf(peer, request.id), { peer, request, sinceMs: nowMs, estimate: estimate(request) });
    return { kind: 'serve', peer, request };
  }

  function pump(nowMs: number): readonly Effect[] {
    const effects: Effect[] = [];
    for (const peer of ring) {
      const queue = queues.get(peer);
      const index = queue?.requests.findIndex((request) => request.plane === 'page') ?? -1;
      if (queue === undefined || index < 0 || activeOf(peer) >= servesPerNeighbourMax) continue;
      // Pages are small and a walk waits for them: they take no turn and no slot.
      for (const request of queue.requests.splice(index, 1)) effects.push(start(peer, request, nowMs));
    }
    let idle = 0;
    while (idle < ring.length && busyPlaces(nowMs) < servesAtOnceMax) {
      const peer = ring.shift();
      const queue = peer === undefined ? undefined : queues.get(peer);
      if (peer === undefined || queue === undefined) continue;
      ring.push(peer);
      const request = queue.requests[0];
      if (request === undefined || activeOf(peer) >= servesPerNeighbourMax) {
        queue.deficit = Math.min(0, queue.deficit);
        idle += 1;
        continue;
      }
      idle = 0;
      queue.deficit += serveQuantumBytes;
      const cost = estimate(request);
      if (queue.deficit < cost) continue;
      queue.deficit -= cost;
      queue.requests.shift();
      effects.push(start(peer, request, nowMs));
    }
    return effects;
  }

  function activeOf(peer: PeerId): number {
    let count = 0;
    for (const each of active.values()) if (each.peer === peer) count += 1;
    return count;
  }

  function slowAtMs(each: Active): number {
    const share = bytesPerMs === 0 ? slowMsMin : (each.estimate * servesAtOnceMax) / bytesPerMs;
    return each.sinceMs + Math.max(slowMsMin, slowTimes * share);
  }

  function busyPlaces(nowMs: number): number {
    let count = 0;
    for (const each of active.values())
      if (each.request.plane === 'block' && nowMs < slowAtMs(each)) count += 1;
    return count;
  }

  function waitingBytes(): number {
    let bytes = 0;
    for (const each of active.values()) bytes += each.estimate;
    for (const queue of queues.values()) for (const request of queue.requests) bytes += estimate(request);
    return bytes;
  }

  function refuse(peer: PeerId, id: number): readonly Effect[] {
    const wait = bytesPerMs === 0 ? busyMs.least : waitingBytes() / bytesPerMs;
    const retryMs = Math.ceil(Math.min(busyMs.most, Math.max(busyMs.least, wait)));
    return [{ kind: 'answer', peer, answer: { kind: 'busy', id, retryMs } }];
  }

  return {
    joined(peer) {
      if (queues.has(peer)) return;
      queues.set(peer, { requests: [], deficit: 0 });
      ring.push(peer);
    },
    left(peer) {
      if (!queues.delete(peer)) return;
      ring.splice(ring.indexOf(peer), 1);
      for (const [key, each] of active) if (each.peer === peer) active.delete(key);
    },
    received(peer, request, nowMs) {
      const queue = queues.get(peer);
      if (queue === undefined) return refuse(peer, request.id);
      if (request.digests.length > requestDigestsMax) return refuse(peer, request.id);
      if (request.digests.length === 0) {
        return [{ kind: 'answer', peer, answer: { kind: 'done', id: request.id } }];
      }
      if (queue.requests.length >= serveQueuePerNeighbourMax || active.has(keyOf(peer, request.id))) {
        return refuse(peer, request.id);
      }
      queue.requests.push(request);
      return pump(nowMs);
    },
    served({ peer, id, bytes }, nowMs) {
      const key = keyOf(peer, id);
      const each = active.get(key);
      active.delete(key);
      if (each !== undefined && each.request.plane === 'block') {
        const queue = queues.get(peer);
        // The turn was charged by a guess; the difference counts at the next one.
        if (queue !== undefined) queue.deficit += each.estimate - bytes;
        if (bytes > 0) blockBytes = 0.9 * blockBytes + (0.1 * bytes) / each.request.digests.length;
      }
      meter(bytes, nowMs);
      return pump(nowMs);
    },
    tick: pump,
    wakeMs(nowMs) {
      let at = Number.POSITIVE_INFINITY;
      for (const queue of queues.values()) {
        if (queue.requests.length === 0) continue;
        for (const each of active.values()) if (slowAtMs(each) > nowMs) at = Math.min(at, slowAtMs(each));
        return at;
      }
      return at;
    },
    isIdle: () => active.size === 0 && [...queues.values()].every((queue) => queue.requests.length === 0),
    bytesPerMs: () => bytesPerMs,
  };

  function meter(bytes: number, nowMs: number): void {
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
  }
}

function keyOf(peer: PeerId, id: number): string {
  return `${peer} ${id}`;
}
