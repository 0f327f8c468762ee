/** Bytes a second to and from each peer, over the last few seconds. */
import { rateWindowMs } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';
import type { Traffic } from '../net/host.ts';

export type Rates = {
  /** To be called now and then, with the counters as they are. */
  sample(peers: Iterable<readonly [PeerId, Traffic]>, nowMs: number): void;
  of(peer: PeerId): { readonly sent: number; readonly received: number };
};

type Sample = { readonly atMs: number; readonly traffic: Traffic };

export function createRates(): Rates {
  const samples = new Map<PeerId, Sample[]>();
  return {
    sample(peers, nowMs) {
      for (const [peer, traffic] of peers) {
        const kept = (samples.get(peer) ?? []).filter(({ atMs }) => nowMs - atMs <= rateWindowMs);
        kept.push({ atMs: nowMs, traffic });
        samples.set(peer, kept);
      }
    },
    of(peer) {
      const kept = samples.get(peer) ?? [];
      const first = kept[0];
      const last = kept.at(-1);
      if (first === undefined || last === undefined || last.atMs === first.atMs)
        return { sent: 0, received: 0 };
      const seconds = (last.atMs - first.atMs) / 1000;
      return {
        sent: Math.round((last.traffic.sentBytes - first.traffic.sentBytes) / seconds),
        received: Math.round((last.traffic.receivedBytes - first.traffic.receivedBytes) / seconds),
      };
    },
  };
}
