/**
 * What peers did wrong in one share since the agent started, for `peers`. Pure state. The machine forgives a strike after a
 * while and asks again; who looks after an hour still wants to know.
 */
import { membersMax } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';

export type Struck = {
  readonly strikes: number;
  /** What the last one was for. */
  readonly reason: string;
  readonly atMs: number;
};

export type StrikeTally = {
  strike(
    input: { readonly peer: PeerId; readonly added: number; readonly reason: string },
    nowMs: number,
  ): void;
  of(peer: PeerId): Struck | null;
};

export function createStrikeTally(): StrikeTally {
  // Changes while running; who was struck longest ago comes first.
  const table = new Map<PeerId, Struck>();
  return {
    strike({ peer, added, reason }, nowMs) {
      const before = table.get(peer)?.strikes ?? 0;
      table.delete(peer);
      table.set(peer, { strikes: before + added, reason, atMs: nowMs });
      for (const oldest of table.keys()) {
        if (table.size <= membersMax) return;
        table.delete(oldest);
      }
    },
    of: (peer) => table.get(peer) ?? null,
  };
}
