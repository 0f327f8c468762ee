/** Who does not take this agent as a member. One peer that does is enough for the share to work. Pure state, bounded. */
import { membersMax } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';
import type { Fault } from './faults.ts';

export type Refusals = {
  refused(peer: PeerId, fault: Fault): void;
  /** It takes us now, or has always. */
  welcomed(peer: PeerId): void;
  /** What stands in the way: null where nobody refused, or one of the connected members did not. */
  fault(connected: Iterable<PeerId>): Fault | null;
};

export function createRefusals(): Refusals {
  const refusals = new Map<PeerId, Fault>();
  return {
    refused(peer, fault) {
      refusals.delete(peer);
      const [oldest] = refusals.keys();
      if (refusals.size >= membersMax && oldest !== undefined) refusals.delete(oldest);
      refusals.set(peer, fault);
    },
    welcomed: (peer) => void refusals.delete(peer),
    fault(connected) {
      for (const peer of connected) if (!refusals.has(peer)) return null;
      return [...refusals.values()].at(-1) ?? null;
    },
  };
}
