/** What a simulated agent keeps through a restart, and what an apply finds of it. */
import { type Bytes, fromUtf8 } from '../../agent/base/bytes.ts';
import { iterateBlocks } from '../../agent/core/blocklist.ts';
import { updateTree } from '../../agent/core/build.ts';
import type { Digest } from '../../agent/core/digest.ts';
import type { Change, Entry } from '../../agent/core/entry.ts';
import type { SharePath } from '../../agent/core/path.ts';
import type { HeadMessage } from '../../agent/swarm/messages.ts';
import { shareSalt } from './share.ts';

export type Durable = {
  readonly pages: Map<Digest, Bytes>;
  readonly blocks: Set<Digest>;
  /** In `blocks`, and yet no longer there when somebody looks. */
  readonly lostBlocks: Set<Digest>;
  readonly disk: Map<SharePath, Entry>;
};

export function createDurable(): Durable {
  return { pages: new Map(), blocks: new Set(), lostBlocks: new Set(), disk: new Map() };
}

/** Edits the tree as a shell does; nothing where the operations do not lead to the head's root. */
export function storeInline({ pages, blocks }: Durable, { head, operations }: HeadMessage): void {
  if (operations === null) return;
  const tree = updateTree((digest) => pages.get(digest), operations.baseRoot, operations.edits, shareSalt);
  if (tree.root !== head.head.root) return;
  for (const [digest, bytes] of tree.pages) pages.set(digest, bytes);
  for (const block of operations.blocks) blocks.add(fromUtf8(block) as Digest);
}

/** Blocks that the changes need and that turn out to be gone; `missing` is told of one that never was here. */
export function lostOf(
  durable: Durable,
  changes: readonly Change[],
  missing: (digest: Digest) => void,
): Digest[] {
  const lost: Digest[] = [];
  for (const { after } of changes) {
    if (after?.kind !== 'file' || after.content.kind === 'empty') continue;
    const { content } = after;
    const blocks =
      content.kind === 'block'
        ? [content]
        : iterateBlocks((page) => durable.pages.get(page), content.digest, after.size);
    for (const { digest } of blocks) {
      if (durable.lostBlocks.has(digest)) lost.push(digest);
      else if (!durable.blocks.has(digest)) missing(digest);
    }
  }
  return lost;
}
