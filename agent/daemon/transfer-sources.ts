/** Who sent the blocks that are not in place yet. Bounded: of more than fit the oldest are forgotten. Pure state. */
import { transferInlineMax, transferSourcesMax } from '../base/limits.ts';
import { type Digest, digestOf } from '../core/digest.ts';
import type { PeerId } from '../core/keys.ts';
import type { HeadMessage } from '../swarm/messages.ts';

export type Sources = {
  received(peer: PeerId, digest: Digest): void;
  /** A head whose changes ride inside it: their blocks are the writer's, `peer`. */
  inline(peer: PeerId, message: HeadMessage): void;
  /** Who sent it; asked once, it is forgotten: a block that two files hold came for one of them. */
  take(digest: Digest): PeerId | undefined;
};

export function createSources(): Sources {
  // Changes while running.
  const peers: PeerId[] = [];
  const indexes = new Map<PeerId, number>();
  const senders = new Map<number, number>();
  let inline: { readonly peer: PeerId; readonly message: HeadMessage }[] = [];

  function indexOf(peer: PeerId): number {
    let index = indexes.get(peer);
    if (index === undefined) {
      index = peers.push(peer) - 1;
      indexes.set(peer, index);
    }
    return index;
  }

  function note(peer: PeerId, digest: Digest): void {
    if (senders.size >= transferSourcesMax) {
      const [oldest] = senders.keys();
      if (oldest !== undefined) senders.delete(oldest);
    }
    senders.set(keyOf(digest), indexOf(peer));
  }

  return {
    received: note,
    inline(peer, message) {
      if ((message.operations?.blocks.length ?? 0) === 0) return;
      if (inline.length >= transferInlineMax) inline = inline.slice(1);
      inline.push({ peer, message });
    },
    take(digest) {
      // Hashed here, when there is time, and not while the head is on its way to the disk.
      const heads = inline;
      inline = [];
      for (const { peer, message } of heads) {
        for (const bytes of message.operations?.blocks ?? []) note(peer, digestOf(bytes));
      }
      const key = keyOf(digest);
      const index = senders.get(key);
      senders.delete(key);
      return index === undefined ? undefined : peers[index];
    },
  };
}

/** 52 of its bits: a number costs a third of what the text does, and who meets another by chance only names a wrong peer. */
function keyOf(digest: Digest): number {
  return Number.parseInt(digest.slice(0, 13), 16);
}
