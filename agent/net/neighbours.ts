/**
 * Whom to dial, and when. A machine without I/O: `step(event, nowMs)` gives the dials to start; `nextMs` says when to
 * call again. Up to `fullMeshMembersMax` members everyone is wanted; beyond, each agent dials half of
 * `neighboursWanted`, chosen by a hash of the pair, which makes a random graph that stays put.
 */
import { hash } from 'node:crypto';
import { assert, unreachable } from '../base/assert.ts';
import {
  dialsAtOnceMax,
  fullMeshMembersMax,
  linkProvenMs,
  neighboursWanted,
  redialMaxMs,
  redialMinMs,
  yieldDialMs,
} from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';

export type Candidate = { readonly peer: PeerId; readonly addresses: readonly string[] };

export type NeighbourEvent =
  /** All members besides this agent; replaces what was told before. */
  | { readonly kind: 'members'; readonly members: readonly Candidate[] }
  | { readonly kind: 'connected'; readonly peer: PeerId }
  | { readonly kind: 'disconnected'; readonly peer: PeerId }
  /** A dial ended; `peer`: who answered. A success may be told before or after its `connected`. */
  | { readonly kind: 'dialed'; readonly key: string; readonly peer: PeerId | null }
  | { readonly kind: 'tick' };

/** `key` comes back in `dialed`. `peer` null: whoever answers at that static address. */
export type DialEffect = {
  readonly key: string;
  readonly peer: PeerId | null;
  readonly addresses: readonly string[];
};

/** So many failures in a row of a member, and the owner of its static address is in doubt. */
const forgetAfterFailures = 3;

/** One who may be dialed: a member, or a static address whose owner is not known yet. */
type Target = {
  readonly key: string;
  /** Random, but always the same for a pair. */
  readonly rank: number;
  peer: PeerId | null;
  addresses: readonly string[];
  readonly member: boolean;
  dialing: boolean;
  /** We dialed it last, not it us. */
  chosen: boolean;
  failures: number;
  notBeforeMs: number;
};

export type Neighbours = {
  step(event: NeighbourEvent, nowMs: number): DialEffect[];
  /** When `tick` is due; infinite where only an event can change anything. */
  nextMs(): number;
  /** False where this agent has neighbours enough and does not take another in. */
  accepts(peer: PeerId): boolean;
};

export type NeighbourOptions = {
  readonly self: PeerId;
  /** Static addresses whose owners are not known. */
  readonly bootstrap: readonly string[];
  /** From 0 to below 1, for the jitter. */
  readonly random: () => number;
};

export function createNeighbours(options: NeighbourOptions): Neighbours {
  const { self, random } = options;
  // Changes while running.
  const targets = new Map<string, Target>();
  const connectedAtMs = new Map<PeerId, number>();
  let ranked: readonly Target[] = [];
  let dueMs = Number.POSITIVE_INFINITY;
  const bootstraps = [...new Set(options.bootstrap)].map((address) => {
    return newTarget(`address ${address}`, { peer: null, addresses: [address], member: false });
  });
  for (const target of bootstraps) targets.set(target.key, target);
  rank();

  function newTarget(key: string, given: Pick<Target, 'peer' | 'addresses' | 'member'>): Target {
    // In one direction only, so that whom we choose says nothing about who chooses us.
    return {
      key,
      rank: hash('sha256', `${self} ${key}`, 'buffer').readUIntBE(0, 6),
      dialing: false,
      chosen: false,
      failures: 0,
      notBeforeMs: 0,
      ...given,
    };
  }

  function rank(): void {
    ranked = [...targets.values()].sort((left, right) => left.rank - right.rank);
  }

  function setMembers(members: readonly Candidate[], nowMs: number): void {
    const gone = new Set([...targets.values()].filter((target) => target.member));
    for (const { peer, addresses } of members) {
      if (peer === self) continue;
      const known = targets.get(peer);
      if (known === undefined) {
        const target = newTarget(peer, { peer, addresses, member: true });
        // Members are learned together, and each of them learns of us: a little apart they meet once, not twice.
        target.notBeforeMs =
          nowMs + (dialsFirst(self, peer) ? 0 : yieldDialMs / 4) + (random() * redialMinMs) / 2;
        targets.set(peer, target);
      } else {
        gone.delete(known);
        known.addresses = addresses;
      }
    }
    for (const target of gone) targets.delete(target.key);
    rank();
  }

  function dialed(key: string, peer: PeerId | null, nowMs: number): void {
    const target = targets.get(key);
    if (target === undefined) return;
    target.dialing = false;
    target.chosen = peer !== null;
    if (peer !== null) {
      target.peer = peer;
      // Gone again already, or not told yet: in any case not in a tight loop.
      if (!connectedAtMs.has(peer)) target.notBeforeMs = nowMs + redialMinMs;
      return;
    }
    backOff(target, nowMs);
    if (target.member && target.failures >= forgetAfterFailures) forgetOwner(target);
  }

  /** Perhaps a machine was set up anew: its static address is asked again who is there. */
  function forgetOwner(member: Target): void {
    for (const target of targets.values())
      if (!target.member && target.peer === member.peer) target.peer = null;
  }

  function backOff(target: Target, nowMs: number): void {
    const pauseMs = Math.min(redialMaxMs, redialMinMs * 2 ** Math.min(target.failures, 10));
    target.failures += 1;
    target.notBeforeMs = nowMs + pauseMs * (0.5 + random() / 2);
  }

  function disconnected(peer: PeerId, nowMs: number): void {
    const sinceMs = connectedAtMs.get(peer);
    connectedAtMs.delete(peer);
    for (const target of targets.values()) {
      if (target.peer !== peer) continue;
      if (sinceMs === undefined || nowMs - sinceMs < linkProvenMs) {
        // It comes and goes: each time a longer pause.
        backOff(target, nowMs);
      } else {
        target.failures = 0;
        target.notBeforeMs = nowMs + (dialsFirst(self, peer) ? 0 : yieldDialMs) + random() * redialMinMs;
      }
    }
  }

  /** A static address of somebody who is a target as a member. */
  function isAlias(target: Target): boolean {
    return !target.member && target.peer !== null && targets.has(target.peer);
  }

  function addressesOf(target: Target): readonly string[] {
    if (!target.member) return target.addresses;
    const aliases = bootstraps
      .filter((alias) => alias.peer === target.peer)
      .flatMap((alias) => alias.addresses);
    return [...new Set([...target.addresses, ...aliases])];
  }

  function isConnected(target: Target): boolean {
    return target.peer !== null && connectedAtMs.has(target.peer);
  }

  /** How many links of its own choice this agent keeps. */
  function linksWanted(): number {
    const members = ranked.reduce((sum, target) => sum + (target.member ? 1 : 0), 0);
    return members < fullMeshMembersMax ? Number.POSITIVE_INFINITY : neighboursWanted / 2;
  }

  /** Down the ranks until own links and dials suffice; those that fail are passed over, and tried again when due. */
  function choose(nowMs: number): DialEffect[] {
    const dials: DialEffect[] = [];
    const wanted = linksWanted();
    let inFlight = dialing();
    let links =
      inFlight + ranked.reduce((sum, target) => sum + (target.chosen && isConnected(target) ? 1 : 0), 0);
    dueMs = Number.POSITIVE_INFINITY;
    for (const target of inOrder()) {
      if (links >= wanted || inFlight >= dialsAtOnceMax || isFull(inFlight)) break;
      if (target.dialing || isConnected(target) || isAlias(target)) continue;
      if (target.notBeforeMs > nowMs) {
        dueMs = Math.min(dueMs, target.notBeforeMs);
        continue;
      }
      const addresses = addressesOf(target);
      if (addresses.length === 0) continue;
      target.dialing = true;
      inFlight += 1;
      links += 1;
      dials.push({ key: target.key, peer: target.member ? target.peer : null, addresses });
    }
    assert(inFlight <= dialsAtOnceMax, 'dials within their bound');
    return dials;
  }

  function dialing(): number {
    return ranked.reduce((sum, target) => sum + (target.dialing ? 1 : 0), 0);
  }

  function isFull(inFlight: number): boolean {
    return connectedAtMs.size + inFlight >= 2 * neighboursWanted;
  }

  /** Alone, the static addresses come first: a newcomer's list of members may be old. */
  function inOrder(): readonly Target[] {
    if (connectedAtMs.size > 0) return ranked;
    return [...ranked.filter((target) => !target.member), ...ranked.filter((target) => target.member)];
  }

  return {
    step(event, nowMs) {
      switch (event.kind) {
        case 'members':
          setMembers(event.members, nowMs);
          break;
        case 'connected':
          connectedAtMs.set(event.peer, nowMs);
          break;
        case 'disconnected':
          disconnected(event.peer, nowMs);
          break;
        case 'dialed':
          dialed(event.key, event.peer, nowMs);
          break;
        case 'tick':
          break;
        default:
          unreachable(event);
      }
      return choose(nowMs);
    },
    nextMs: () => dueMs,
    accepts: (peer) => connectedAtMs.has(peer) || !isFull(dialing()),
  };
}

/** Of two peers exactly one dials at once; each agent is the first of about half its pairs. */
export function dialsFirst(self: PeerId, peer: PeerId): boolean {
  // The last letters of PeerIds are as good as random.
  const lowFirst = (self.charCodeAt(self.length - 1) + peer.charCodeAt(peer.length - 1)) % 2 === 0;
  return lowFirst === self < peer;
}
