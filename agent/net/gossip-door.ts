/**
 * Who hears and says what on which topic. Gossipsub takes whoever subscribes for one who may listen; so of what a peer
 * sends it sees only what is of topics that admit the peer, and the rest of its subscriptions wait here until they do.
 * Pure state, bounded.
 */
import type { RPC } from '@libp2p/gossipsub/message';
import { toHex } from '../base/bytes.ts';
import { gossipIdsMax, gossipTopicBytesMax, gossipTopicsPerPeerMax } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';

export type GossipDoor = {
  attach(peer: PeerId): void;
  /** The router has forgotten it, with its subscriptions. */
  detach(peer: PeerId): void;
  /** What the router may see of this. */
  pass(peer: PeerId, rpc: RPC): RPC;
  /**
   * Looks at the peer again. `let in`: what the router is to be given now; `put out`: it has a topic that does not admit
   * the peer any more, so it has to forget the peer.
   */
  review(
    peer: PeerId,
  ): { readonly kind: 'let in'; readonly rpc: RPC } | { readonly kind: 'put out' | 'same' };
  /** Notes of which topic a message is, so that it is given to no other topic's peers who ask by its id. */
  sawMessage(id: Uint8Array, topic: string): void;
};

/** What a peer said of a topic that it subscribes to. */
type Wish = { grafted: boolean; inside: boolean };

/** @param admits whether this agent is on the topic and the peer may be, too. */
export function createGossipDoor(admits: (topic: string, peer: PeerId) => boolean): GossipDoor {
  // Changes while running.
  const wishes = new Map<PeerId, Map<string, Wish>>();
  /** By id in hex; the oldest are forgotten first. */
  const topicOf = new Map<string, string>();

  function wish(peer: PeerId, topic: string): Wish | undefined {
    const mine = wishes.get(peer);
    const known = mine?.get(topic);
    if (mine === undefined || known !== undefined) return known;
    if (mine.size >= gossipTopicsPerPeerMax || topic.length > gossipTopicBytesMax) return undefined;
    const fresh = { grafted: false, inside: false };
    mine.set(topic, fresh);
    return fresh;
  }

  function passSubscription(peer: PeerId, { topic, subscribe }: RPC.SubOpts): boolean {
    if (topic === undefined) return false;
    if (subscribe !== true) {
      const known = wishes.get(peer)?.get(topic);
      wishes.get(peer)?.delete(topic);
      return known?.inside === true;
    }
    const known = wish(peer, topic);
    if (known === undefined || !admits(topic, peer)) return false;
    known.inside = true;
    return true;
  }

  function passGraft(peer: PeerId, topic: string | undefined, isGraft: boolean): boolean {
    if (topic === undefined) return false;
    const known = wishes.get(peer)?.get(topic);
    if (known !== undefined) known.grafted = isGraft;
    return admits(topic, peer);
  }

  const isOpen = (peer: PeerId, topic: string | undefined): boolean =>
    topic !== undefined && admits(topic, peer);

  function passControl(peer: PeerId, control: RPC.ControlMessage): RPC.ControlMessage {
    return {
      ...control,
      graft: control.graft.filter(({ topicID }) => passGraft(peer, topicID, true)),
      prune: control.prune.filter(({ topicID }) => passGraft(peer, topicID, false)),
      ihave: control.ihave.filter(({ topicID }) => isOpen(peer, topicID)),
      iwant: control.iwant.map(({ messageIDs }) => ({
        messageIDs: messageIDs.filter((id) => isOpen(peer, topicOf.get(toHex(id)))),
      })),
    };
  }

  return {
    attach: (peer) => void wishes.set(peer, new Map()),
    detach: (peer) => void wishes.delete(peer),
    pass: (peer, { subscriptions, messages, control }) => ({
      subscriptions: subscriptions.filter((one) => passSubscription(peer, one)),
      messages: messages.filter(({ topic }) => admits(topic, peer)),
      ...(control === undefined ? {} : { control: passControl(peer, control) }),
    }),
    review(peer) {
      const topics: string[] = [];
      const grafts: string[] = [];
      for (const [topic, known] of wishes.get(peer) ?? []) {
        const open = admits(topic, peer);
        if (known.inside && !open) return { kind: 'put out' };
        if (known.inside || !open) continue;
        known.inside = true;
        topics.push(topic);
        if (known.grafted) grafts.push(topic);
      }
      if (topics.length === 0) return { kind: 'same' };
      return {
        kind: 'let in',
        rpc: {
          subscriptions: topics.map((topic) => ({ topic, subscribe: true })),
          messages: [],
          control: {
            ihave: [],
            iwant: [],
            graft: grafts.map((topicID) => ({ topicID })),
            prune: [],
            idontwant: [],
          },
        },
      };
    },
    sawMessage(id, topic) {
      topicOf.set(toHex(id), topic);
      const [oldest] = topicOf.size > gossipIdsMax ? topicOf.keys() : [];
      if (oldest !== undefined) topicOf.delete(oldest);
    },
  };
}
