/** Payload bytes exchanged with each peer since the start of the agent. */
import { membersMax } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';

export type Traffic = { readonly sentBytes: number; readonly receivedBytes: number };

export type TrafficMeter = {
  sent(peer: PeerId, bytes: number): void;
  received(peer: PeerId, bytes: number): void;
  /** For strangers who went, lest they crowd out members. */
  forget(peer: PeerId): void;
  /** Null for a peer never met. */
  of(peer: PeerId): Traffic | null;
};

/** Members, and as many who were; the peer that was new the longest ago is forgotten first. */
const peersMax = 2 * membersMax;

export function createTrafficMeter(): TrafficMeter {
  const counters = new Map<PeerId, { sentBytes: number; receivedBytes: number }>();

  function counter(peer: PeerId): { sentBytes: number; receivedBytes: number } {
    let found = counters.get(peer);
    if (found === undefined) {
      if (counters.size >= peersMax) {
        const [oldest] = counters.keys();
        if (oldest !== undefined) counters.delete(oldest);
      }
      found = { sentBytes: 0, receivedBytes: 0 };
      counters.set(peer, found);
    }
    return found;
  }

  return {
    sent(peer, bytes) {
      counter(peer).sentBytes += bytes;
    },
    received(peer, bytes) {
      counter(peer).receivedBytes += bytes;
    },
    forget: (peer) => void counters.delete(peer),
    of(peer) {
      const found = counters.get(peer);
      return found === undefined ? null : { ...found };
    },
  };
}
