/**
 * The neighbours of one share and what each has said and shown. Owns the table and the strikes;
 * the other machines of the swarm read it and keep their own columns up to date.
 */
import { assert } from '../base/assert.ts';
import { membersMax, neighboursMax, requestsPerFewMax, strikeDecayMs, strikesMax } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { PeerId } from '../core/keys.ts';
import type { Version } from '../core/version.ts';
import type { Effect } from './events.ts';

export type Neighbour = {
  // Fixed at start.
  readonly peer: PeerId;

  // Changes while running: what it said last.
  /** False until its first status. */
  heard: boolean;
  applied: Version | null;
  head: Version | null;
  paused: boolean;
  /** Root of a tree all of whose pages it said it has. */
  pagesOf: Digest | null;

  // What requests to it have shown; `schedule` keeps these.
  inFlight: number;
  /** Fewer, once it turned out to be slow. */
  inFlightMax: number;
  coolUntilMs: number;
  /** 0 until measured. */
  bytesPerMs: number;
  strikes: number;
  struckMs: number;
};

export type Neighbours = {
  /** False where the table is full; such a peer is then no neighbour. */
  add(peer: PeerId): boolean;
  remove(peer: PeerId): Neighbour | undefined;
  get(peer: PeerId): Neighbour | undefined;
  all(): Iterable<Neighbour>;
  count(): number;
  strike(input: { peer: PeerId; strikes: number; reason: string; nowMs: number }): readonly Effect[];
  /** True where it is not to be asked. */
  isAside(neighbour: Neighbour, nowMs: number): boolean;
};

export function createNeighbours(): Neighbours {
  const table = new Map<PeerId, Neighbour>();
  // Strikes outlive a connection, so that a liar gains nothing by dialling again.
  const gone = new Map<PeerId, { strikes: number; struckMs: number }>();
  return {
    add(peer) {
      if (table.has(peer)) return true;
      if (table.size >= neighboursMax) return false;
      table.set(peer, { ...newNeighbour(peer), ...gone.get(peer) });
      gone.delete(peer);
      return true;
    },
    remove(peer) {
      const neighbour = table.get(peer);
      table.delete(peer);
      if (neighbour !== undefined && neighbour.strikes > 0) {
        gone.set(peer, { strikes: neighbour.strikes, struckMs: neighbour.struckMs });
        if (gone.size > membersMax) gone.delete(firstOf(gone));
      }
      return neighbour;
    },
    get: (peer) => table.get(peer),
    all: () => table.values(),
    count: () => table.size,
    strike({ peer, strikes, reason, nowMs }) {
      assert(strikes > 0, 'a strike counts');
      const neighbour = table.get(peer);
      if (neighbour === undefined) return [];
      decay(neighbour, nowMs);
      neighbour.strikes += strikes;
      neighbour.struckMs = nowMs;
      return [{ kind: 'strike', peer, added: strikes, strikes: neighbour.strikes, reason }];
    },
    isAside(neighbour, nowMs) {
      decay(neighbour, nowMs);
      return neighbour.strikes >= strikesMax;
    },
  };
}

function newNeighbour(peer: PeerId): Neighbour {
  return {
    peer,
    heard: false,
    applied: null,
    head: null,
    paused: false,
    pagesOf: null,
    inFlight: 0,
    inFlightMax: requestsPerFewMax,
    coolUntilMs: 0,
    bytesPerMs: 0,
    strikes: 0,
    struckMs: 0,
  };
}

function firstOf(peers: ReadonlyMap<PeerId, unknown>): PeerId {
  for (const peer of peers.keys()) return peer;
  return assert(false, 'a full map has a first key') as never;
}

function decay(neighbour: Neighbour, nowMs: number): void {
  const forgiven = Math.floor((nowMs - neighbour.struckMs) / strikeDecayMs);
  if (forgiven <= 0 || neighbour.strikes === 0) return;
  neighbour.strikes = Math.max(0, neighbour.strikes - forgiven);
  neighbour.struckMs += forgiven * strikeDecayMs;
}
