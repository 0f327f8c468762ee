/**
 * What the simulated writer publishes: real trees of real pages over made-up blocks. A block is a digest and a
 * length; its bytes never exist.
 */
import type { Bytes } from '../../agent/base/bytes.ts';
import { utf8 } from '../../agent/base/bytes.ts';
import { inlineBytesMax, wholeFileBytesMax } from '../../agent/base/limits.ts';
import { buildBlockList } from '../../agent/core/blocklist.ts';
import { buildTree, updateTree } from '../../agent/core/build.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { BlockRef, Content, Edit, Entry } from '../../agent/core/entry.ts';
import { encodeHead, type Head, type SignedHead } from '../../agent/core/head.ts';
import type { PublicKey, ShareId } from '../../agent/core/keys.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { countsOf } from '../../agent/core/tree.ts';
import type { HeadMessage } from '../../agent/swarm/messages.ts';
import type { Random } from './random.ts';

/** What a file is to become: bytes of each of its blocks, or null to remove it. */
export type FileEdit = { readonly path: string; readonly blocks: readonly number[] | null };

export type Published = {
  readonly message: HeadMessage;
  readonly newPages: readonly Digest[];
  readonly newBlocks: readonly Digest[];
  readonly newBytes: number;
};

export type SimShare = {
  /** Every page that was ever published, by digest. */
  page(digest: Digest): Bytes | undefined;
  lengthOf(digest: Digest): number;
  publish(edits: readonly FileEdit[], nowMs: number): Published;
  /** The head of a version that the writer signed a second time with another root. */
  forge(of: SignedHead): HeadMessage;
  /** What every disk should hold. */
  files(): ReadonlyMap<string, Entry>;
};

export const shareSalt = utf8('simulated share salt');
const owner = { uid: 33, gid: 33, user: 'www-data', group: 'www-data' };
const writer = '11'.repeat(32) as PublicKey;
const share = '22'.repeat(16) as ShareId;

export function createShare(random: Random): SimShare {
  // Changes while running.
  const pages = new Map<Digest, Bytes>();
  const lengths = new Map<Digest, number>();
  const files = new Map<string, Entry>();
  let newPages: Digest[] = [];
  let sequence = 0;
  let blocksMade = 0;
  const empty = buildTree([], shareSalt);
  keep(empty.pages);
  let root = empty.root;

  function keep(more: ReadonlyMap<Digest, Bytes>): void {
    for (const [digest, bytes] of more) {
      pages.set(digest, bytes);
      newPages.push(digest);
    }
  }

  function makeBlock(length: number): BlockRef {
    blocksMade += 1;
    const digest = digestOf(utf8(`block ${blocksMade} of ${random.next()}`));
    lengths.set(digest, length);
    return { digest, length };
  }

  function contentOf(blocks: readonly BlockRef[]): Content {
    const first = blocks[0];
    if (first === undefined) return { kind: 'empty' };
    // As the format has it: a small file is one block, a larger one has a list.
    if (blocks.length === 1 && first.length <= wholeFileBytesMax)
      return { kind: 'block', digest: first.digest };
    const list = buildBlockList(blocks);
    keep(list.pages);
    return { kind: 'list', digest: list.digest, cut: 'small' };
  }

  function signed(head: Head): SignedHead {
    const body = encodeHead(head);
    return { head, body, signature: body.subarray(0, 8) };
  }

  return {
    page: (digest) => pages.get(digest),
    lengthOf: (digest) => lengths.get(digest) ?? pages.get(digest)?.byteLength ?? 0,
    publish(fileEdits, nowMs) {
      const timeMs = Math.floor(nowMs);
      const newBlocks: Digest[] = [];
      newPages = [];
      let newBytes = 0;
      const edits: Edit[] = fileEdits.map((edit): Edit => {
        const path = edit.path as SharePath;
        if (edit.blocks === null) return { path, entry: null };
        const blocks = edit.blocks.map(makeBlock);
        for (const { digest, length } of blocks) {
          newBlocks.push(digest);
          newBytes += length;
        }
        const size = blocks.reduce((sum, { length }) => sum + length, 0);
        const content = contentOf(blocks);
        return {
          path,
          entry: {
            kind: 'file',
            path,
            mode: 0o644,
            owner,
            mtimeUs: timeMs * 1000,
            size,
            sparse: false,
            content,
          },
        };
      });
      edits.sort((left, right) => (left.path < right.path ? -1 : 1));
      const baseRoot = root;
      const base = { epoch: 1, sequence };
      const tree = updateTree((digest) => pages.get(digest), root, edits, shareSalt);
      keep(tree.pages);
      root = tree.root;
      sequence += 1;
      for (const { path, entry } of edits) {
        if (entry === null) files.delete(path);
        else files.set(path, entry);
      }
      const counts = countsOf((digest) => pages.get(digest), root);
      const version = { epoch: 1, sequence };
      const head = signed({ share, version, previous: null, root, counts, timeMs, rosterVersion: 1, writer });
      const isInline = sequence > 1 && newBytes <= inlineBytesMax && newBlocks.length <= 4;
      // Made-up blocks ride along as their digests: the simulated shell knows what they stand for.
      const operations = isInline
        ? { base, baseRoot, moves: [], edits, blocks: newBlocks.map((digest) => utf8(digest)) }
        : null;
      return { message: { kind: 'head', head, operations }, newPages, newBlocks, newBytes };
    },
    forge(of) {
      const tree = buildTree([], shareSalt);
      return {
        kind: 'head',
        head: signed({ ...of.head, root: tree.root, timeMs: of.head.timeMs + 1 }),
        operations: null,
      };
    },
    files: () => files,
  };
}

/** Files of at most one block each, that add up to `bytes`. */
export function filesOf(input: { bytes: number; fileBytes: number; prefix: string }): FileEdit[] {
  const count = Math.max(1, Math.round(input.bytes / input.fileBytes));
  return Array.from({ length: count }, (_, index) => ({
    path: `${input.prefix}/${String(index % 37).padStart(2, '0')}/f${String(index).padStart(6, '0')}`,
    blocks: [input.fileBytes],
  }));
}
