/**
 * The writer's side of a share: edits go into the working tree as they are found, and a quiet moment seals
 * them under a signed head. Owns the working root and the head; never touches the share's directory.
 */

import { assert } from '../base/assert.ts';
import { type Bytes, utf8 } from '../base/bytes.ts';
import { hasCode } from '../base/errors.ts';
import { inlineBytesMax, inlineEditsMax, inlineMovesMax, movedEntriesMax } from '../base/limits.ts';
import { emptyTree, updateTree } from '../core/build.ts';
import type { Digest } from '../core/digest.ts';
import type { DirectoryEntry, Edit } from '../core/entry.ts';
import { type Head, headDigest, type SignedHead, signHead } from '../core/head.ts';
import type { KeyPair, ShareId } from '../core/keys.ts';
import { areApart, type DirectoryMove, withMoves } from '../core/moved.ts';
import { comparePaths, isBelow, type SharePath } from '../core/path.ts';
import { encodeEntry } from '../core/record.ts';
import { countsOf, lookup } from '../core/tree.ts';
import { formatVersion } from '../core/version.ts';
import type { PathRecord, ShareStore, StoreBatch } from '../store/share-store.ts';
import type { Operations } from '../swarm/messages.ts';
import type { Observed } from './entries.ts';
import { createGate } from './gate.ts';
import type { Guard } from './guard.ts';
import type { Log } from './log.ts';
import { countRemoved } from './removals.ts';
import { readWorking, stateKeys, writeApplied, writeHead } from './state.ts';

export type Published = {
  readonly head: SignedHead;
  readonly operations: Operations | null;
  readonly newBlocks: readonly Digest[];
  readonly newBytes: number;
};

export type PublisherOptions = {
  readonly share: ShareId;
  readonly keyPair: KeyPair;
  /** Of the grant that makes this agent the writer. */
  readonly epoch: number;
  readonly salt: Bytes;
  readonly store: ShareStore;
  readonly head: SignedHead | null;
  readonly guard: Guard;
  readonly rosterVersion: () => number;
  readonly log: Log;
  readonly onPublished: (published: Published) => void;
  /** Says why nothing is published for now; null when it is again. */
  readonly onHeld: (why: string | null) => void;
};

export type MovedDirectory = DirectoryMove & {
  readonly entry: DirectoryEntry;
  readonly record: PathRecord;
};

export type Publisher = {
  /** Takes what was observed into the working tree and the index, in one transaction. */
  take(observed: Observed): Promise<void>;
  /**
   * Takes in that a directory has another name, and that everything below it is as the index says.
   * @returns false where the tree cannot do so in one step; nothing was taken in then.
   */
  takeMove(moved: MovedDirectory): Promise<boolean>;
  /** A whole look is over: a directory with nothing in it is a tree too. */
  scanned(): Promise<void>;
  /** Signs and publishes where the working tree differs from the head. */
  seal(): Promise<void>;
  /** Signs the head of the same version again: time and roster version are news. */
  refresh(): Promise<void>;
  pause(paused: boolean): void;
  /** Signs nothing any more: what this agent signed before does not fit together. */
  halt(): void;
  /** Lets the publish go that the guard holds back now, if there is one. */
  allow(): void;
  readonly head: () => SignedHead | null;
};

/** Edits since the last head, as long as they may fit inside the next one. */
type Inline = {
  /** Done before the edits. */
  readonly moves: DirectoryMove[];
  movedEntries: number;
  readonly edits: Map<SharePath, Edit>;
  readonly blocks: Map<Digest, Bytes>;
  bytes: number;
};

export function createPublisher(options: PublisherOptions): Publisher {
  const { store, salt } = options;
  const pages = (digest: Digest): Bytes | undefined => store.page(digest);
  // A head that is signed while another is being stored would take its number, or put it back.
  const gate = createGate();

  // Changes while running.
  let head = options.head;
  let working = readWorking(store);
  // What an earlier run took in and did not sign is not known edit by edit.
  let inline: Inline | null = working === (head?.head.root ?? null) ? freshInline() : null;
  let newBlocks = new Set<Digest>();
  let newBytes = 0;
  let removed = 0;
  let paused = false;
  let held = false;
  let halted = false;

  async function take(observed: Observed): Promise<void> {
    const update = (() => {
      if (working !== null) return updateTree(pages, working, observed.edits, salt);
      const empty = emptyTree();
      const all = updateTree((digest) => empty.pages.get(digest), empty.root, observed.edits, salt);
      return { ...all, pages: new Map([...empty.pages, ...all.pages]) };
    })();
    const batch: StoreBatch = {
      pages: [...observed.listPages, ...update.pages],
      index: observed.index,
      state: new Map([[stateKeys.working, utf8(update.root)]]),
    };
    await store.write(batch);
    working = update.root;
    removed += observed.edits.filter((edit) => edit.entry === null).length;
    for (const digest of observed.blocks.keys()) newBlocks.add(digest);
    newBytes += observed.blockBytes;
    if (inline !== null && !addInline(inline, observed)) inline = null;
  }

  async function takeMove({ from, to, entry, record }: MovedDirectory): Promise<boolean> {
    if (working === null || lookup(pages, working, to) !== undefined) return false;
    const move = { from, to };
    const own: Edit = { path: to, entry };
    let edits: readonly Edit[];
    try {
      edits = withMoves(pages, working, { moves: [move], edits: [own] });
    } catch (error) {
      if (hasCode(error, 'malformed') || hasCode(error, 'limit-exceeded')) return false;
      throw error;
    }
    const update = updateTree(pages, working, edits, salt);
    await store.write({
      pages: update.pages,
      moves: [move],
      index: [{ path: to, record }],
      state: new Map([[stateKeys.working, utf8(update.root)]]),
    });
    working = update.root;
    if (inline !== null && !addMove(inline, move, { own, entries: edits.length / 2 })) inline = null;
    return true;
  }

  async function seal(): Promise<void> {
    if (paused || halted || working === null) return;
    if (working === head?.head.root) {
      // What went is back.
      removed = 0;
      return release();
    }
    if (head !== null && (await isHeld(head.head, working))) return;
    release();
    await publish(working);
  }

  async function isHeld({ root, counts: { entries } }: Head, next: Digest): Promise<boolean> {
    // Most publishes remove nothing, which needs no counting.
    const going = removed === 0 ? 0 : await countRemoved(pages, root, next);
    if (!options.guard.holds({ removed: going, entries }, Date.now())) return false;
    const why = `a publish that removes ${going} of ${entries} entries is held back (max_delete): check the directory, then p2psync resume --yes`;
    if (!held) options.log.error({ removed: going, entries }, why);
    held = true;
    options.onHeld(why);
    return true;
  }

  function release(): void {
    if (held) options.onHeld(null);
    held = false;
  }

  async function publish(root: Digest): Promise<void> {
    const previous = head;
    const sameEpoch = previous !== null && previous.head.version.epoch === options.epoch;
    const next = sign({
      version: { epoch: options.epoch, sequence: sameEpoch ? previous.head.version.sequence + 1 : 1 },
      previous: sameEpoch ? headDigest(previous) : null,
      root,
      counts: countsOf(pages, root),
    });
    const applied = writeApplied({ version: next.head.version, root });
    await store.writeDurably({ state: new Map([...(writeHead(next).state ?? []), applied]) });
    const operations = inline === null || previous === null ? null : toOperations(inline, previous.head);
    const published = { head: next, operations, newBlocks: [...newBlocks], newBytes };
    head = next;
    inline = freshInline();
    newBlocks = new Set();
    newBytes = 0;
    removed = 0;
    options.log.info(
      { version: formatVersion(next.head.version), root, inline: operations !== null },
      'version published',
    );
    options.onPublished(published);
  }

  function sign(news: Pick<Head, 'version' | 'previous' | 'root' | 'counts'>): SignedHead {
    const { share, keyPair } = options;
    const rest = {
      share,
      timeMs: Date.now(),
      rosterVersion: options.rosterVersion(),
      writer: keyPair.publicKey,
    };
    return signHead({ ...news, ...rest }, keyPair);
  }

  async function refresh(): Promise<void> {
    if (head === null || halted) return;
    const again = sign(head.head);
    await store.write(writeHead(again));
    head = again;
    options.onPublished({ head: again, operations: null, newBlocks: [], newBytes: 0 });
  }

  return {
    take: (observed) => gate.run(() => take(observed)),
    takeMove: (moved) => gate.run(() => takeMove(moved)),
    scanned: () => gate.run(async () => (working === null ? take(nothing) : undefined)),
    seal: () => gate.run(seal),
    refresh: () => gate.run(refresh),
    pause(value) {
      paused = value;
    },
    halt() {
      halted = true;
    },
    allow() {
      // Kept for later, a yes would let the next mass delete go unseen.
      if (held) options.guard.allow();
    },
    head: () => head,
  };
}

const nothing: Observed = {
  edits: [],
  index: [],
  listPages: [],
  blocks: new Map(),
  blockBytes: 0,
  again: [],
  faults: [],
};

function freshInline(): Inline {
  return { moves: [], movedEntries: 0, edits: new Map(), blocks: new Map(), bytes: 0 };
}

/** @returns false where the moves cannot all be done first, or are too much for a head. */
function addMove(
  inline: Inline,
  move: DirectoryMove,
  { own, entries }: { readonly own: Edit; readonly entries: number },
): boolean {
  const touched = (path: SharePath): boolean =>
    [move.from, move.to].some((end) => path === end || isBelow(path, end));
  if ([...inline.edits.keys()].some(touched)) return false;
  inline.moves.push(move);
  inline.movedEntries += entries;
  if (inline.moves.length > inlineMovesMax || inline.movedEntries > movedEntriesMax) return false;
  return areApart(inline.moves) && addEdits(inline, [own]);
}

/** @returns false where it is too much for a head. */
function addInline(inline: Inline, observed: Observed): boolean {
  if (observed.listPages.length > 0 || !addEdits(inline, observed.edits)) return false;
  for (const [digest, bytes] of observed.blocks) {
    if (bytes === null) return false;
    inline.blocks.set(digest, bytes);
    inline.bytes += bytes.byteLength;
  }
  return inline.bytes <= inlineBytesMax;
}

function addEdits(inline: Inline, edits: readonly Edit[]): boolean {
  if (inline.edits.size + edits.length > inlineEditsMax) return false;
  for (const edit of edits) {
    inline.edits.set(edit.path, edit);
    inline.bytes += edit.entry === null ? edit.path.length : encodeEntry(edit.entry).byteLength;
  }
  return true;
}

function toOperations(inline: Inline, base: Head): Operations {
  assert(inline.bytes <= inlineBytesMax, 'inline operations fit');
  return {
    base: base.version,
    baseRoot: base.root,
    moves: inline.moves,
    edits: [...inline.edits.values()].sort((left, right) => comparePaths(left.path, right.path)),
    blocks: [...inline.blocks.values()],
  };
}
