/** What the members of one share last said of themselves, and when. Pure state; knows no connection. */
import { headStaleMs } from '../base/limits.ts';
import type { PeerId, PublicKey } from '../core/keys.ts';
import { peerIdOf } from '../core/keys.ts';
import type { SignedStatement } from '../core/statement.ts';
import { compareVersions, type Version } from '../core/version.ts';

export type Heard = { readonly signed: SignedStatement; readonly heardMs: number };

export type PeerTable = {
  /** @returns whether it is later than what was known of that member. */
  take(signed: SignedStatement, nowMs: number): boolean;
  /** Any sign of life. */
  seen(peer: PeerId, nowMs: number): void;
  /** Its connection broke: what it said before says nothing of now. */
  left(peer: PeerId, nowMs: number): void;
  /** Nothing was heard of it, also through others, for `headStaleMs` or since its connection broke. */
  isSilent(peer: PeerId, nowMs: number): boolean;
  /** What a neighbour's heartbeat says, which is newer than its statement. @returns whether it is news. */
  noteApplied(peer: PeerId, version: Version | null): boolean;
  of(key: PublicKey): Heard | undefined;
  lastSeenMs(peer: PeerId): number | null;
  /** The newest version this member is known to have applied. */
  appliedBy(peer: PeerId): Version | null;
  all(): Iterable<Heard>;
};

export function createPeerTable(): PeerTable {
  const statements = new Map<PublicKey, Heard>();
  const lastSeen = new Map<PeerId, number>();
  const lastHeard = new Map<PeerId, number>();
  const applied = new Map<PeerId, Version>();

  function noteApplied(peer: PeerId, version: Version | null): boolean {
    const known = applied.get(peer);
    if (version === null || (known !== undefined && compareVersions(version, known) <= 0)) return false;
    applied.set(peer, version);
    return true;
  }

  return {
    take(signed, nowMs) {
      const { member, timeMs } = signed.statement;
      const known = statements.get(member);
      if (known !== undefined && known.signed.statement.timeMs >= timeMs) return false;
      statements.set(member, { signed, heardMs: nowMs });
      const peer = peerIdOf(member);
      lastSeen.set(peer, nowMs);
      lastHeard.set(peer, nowMs);
      noteApplied(peer, signed.statement.applied?.version ?? null);
      return true;
    },
    seen: (peer, nowMs) => void lastSeen.set(peer, nowMs),
    left(peer, nowMs) {
      lastSeen.set(peer, nowMs);
      lastHeard.delete(peer);
    },
    isSilent(peer, nowMs) {
      const heardMs = lastHeard.get(peer);
      return heardMs === undefined || nowMs - heardMs > headStaleMs;
    },
    noteApplied,
    of: (key) => statements.get(key),
    lastSeenMs: (peer) => lastSeen.get(peer) ?? null,
    appliedBy: (peer) => applied.get(peer) ?? null,
    all: () => statements.values(),
  };
}
