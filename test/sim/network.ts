/**
 * A simulated network: each node has a link up and a link down that blocks queue on, pairs have a latency, control
 * messages arrive in order, gossip floods with loss. Partitions cut all of it.
 */
import type { PeerId } from '../../agent/core/keys.ts';
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

export type LinkOptions = { readonly upBytesPerMs: number; readonly downBytesPerMs: number };

export type NetworkOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly latencyMs: number;
  /** Latency is multiplied by 1 to 1 + this, for gossip so that it comes out of order. */
  readonly jitter: number;
  /** Share of gossip messages that are lost between two nodes. */
  readonly gossipLoss: number;
};

export type Network = {
  addNode(peer: PeerId, link: LinkOptions): void;
  /** Runs `deliver` at the receiver, after all earlier control messages of the pair, unless the pair is cut by then. */
  control(from: PeerId, to: PeerId, bytes: number, deliver: () => void): void;
  gossip(from: PeerId, to: PeerId, deliver: () => void): void;
  /** Moves a block; `sent` when the sender may start its next on this stream, `arrived` when it is all there. */
  bulk(input: { from: PeerId; to: PeerId; bytes: number; sent: () => void; arrived: () => void }): void;
  /** Nodes of different groups do not reach one another; null joins all. */
  partition(groupOf: ((peer: PeerId) => number) | null): void;
  isConnected(left: PeerId, right: PeerId): boolean;
  sentBytes(peer: PeerId): number;
  controlBytes(): number;
};

type Node = { readonly link: LinkOptions; upFreeMs: number; downFreeMs: number; sentBytes: number };

export function createNetwork({ clock, random, latencyMs, jitter, gossipLoss }: NetworkOptions): Network {
  // Changes while running.
  const nodes = new Map<PeerId, Node>();
  const lastArrival = new Map<string, number>();
  let groupOf: ((peer: PeerId) => number) | null = null;
  let controlBytes = 0;

  function nodeOf(peer: PeerId): Node {
    const node = nodes.get(peer);
    if (node === undefined) throw new RangeError(`no node ${peer}`);
    return node;
  }

  function isConnected(left: PeerId, right: PeerId): boolean {
    return groupOf === null || groupOf(left) === groupOf(right);
  }

  return {
    addNode(peer, link) {
      nodes.set(peer, { link, upFreeMs: 0, downFreeMs: 0, sentBytes: 0 });
    },
    control(from, to, bytes, deliver) {
      controlBytes += bytes;
      if (!isConnected(from, to)) return;
      const pair = `${from} ${to}`;
      const wire = bytes / nodeOf(from).link.upBytesPerMs;
      const atMs = Math.max(clock.nowMs() + latencyMs + wire, lastArrival.get(pair) ?? 0);
      lastArrival.set(pair, atMs);
      clock.at(atMs, () => {
        if (isConnected(from, to)) deliver();
      });
    },
    gossip(from, to, deliver) {
      if (!isConnected(from, to) || random.chance(gossipLoss)) return;
      clock.after(latencyMs * (1 + random.next() * jitter), () => {
        if (isConnected(from, to)) deliver();
      });
    },
    bulk({ from, to, bytes, sent, arrived }) {
      const source = nodeOf(from);
      const target = nodeOf(to);
      const now = clock.nowMs();
      source.upFreeMs = Math.max(now, source.upFreeMs) + bytes / source.link.upBytesPerMs;
      target.downFreeMs = Math.max(now, target.downFreeMs) + bytes / target.link.downBytesPerMs;
      source.sentBytes += bytes;
      const doneMs = Math.max(source.upFreeMs, target.downFreeMs);
      // A stream holds one block in flight, so a slow receiver slows its own stream alone.
      clock.at(doneMs, sent);
      clock.at(doneMs + latencyMs, () => {
        if (isConnected(from, to)) arrived();
      });
    },
    partition(groups) {
      groupOf = groups;
    },
    isConnected,
    sentBytes: (peer) => nodes.get(peer)?.sentBytes ?? 0,
    controlBytes: () => controlBytes,
  };
}
