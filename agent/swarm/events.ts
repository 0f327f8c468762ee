/** What goes into and comes out of a share's machine. The shell feeds events and performs effects, in order. */
import type { Bytes } from '../base/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { BlockRef, Change, FileEntry } from '../core/entry.ts';
import type { SignedHead } from '../core/head.ts';
import type { PeerId } from '../core/keys.ts';
import type { SharePath } from '../core/path.ts';
import type { Version } from '../core/version.ts';
import type { BlockAnswer, BlockRequest, HeadMessage, Message } from './messages.ts';

/** Reads of immutable, content-addressed data: a look-up, never a wait. */
export type Library = {
  /** Encoded page (tree page or block-list page), verified when it was stored. */
  page(digest: Digest): Bytes | undefined;
  /** True where a block lies in a live file or in staging, as far as the index knows. */
  hasBlock(digest: Digest): boolean;
};

export type Event =
  | { readonly kind: 'peerJoined'; readonly peer: PeerId }
  | { readonly kind: 'peerLeft'; readonly peer: PeerId }
  | { readonly kind: 'message'; readonly peer: PeerId; readonly message: Message }
  /** Signature, grant and share were checked by the shell; whether it is news the machine decides. `peer` is who relayed it. */
  | { readonly kind: 'headGossiped'; readonly peer: PeerId; readonly message: HeadMessage }
  /** This agent is the writer and made, stored and applied this head. A refreshed head of the same version comes this way too. */
  | {
      readonly kind: 'published';
      readonly message: HeadMessage;
      /** Blocks that no other member can have yet, in the tree's order. */
      readonly newBlocks: readonly Digest[];
      /** Their bytes in all; a typical block is assumed where this is not told. */
      readonly newBytes?: number;
    }
  /** The head and (where the machine asked) its inline pages and blocks are stored. `inline`: its pages were, and this is what it changes. */
  | { readonly kind: 'headStored'; readonly version: Version; readonly inline?: InlineChanges }
  | { readonly kind: 'requestReceived'; readonly peer: PeerId; readonly request: BlockRequest }
  /** A request we serve is answered to its end, or its peer is gone. */
  | { readonly kind: 'served'; readonly peer: PeerId; readonly id: number; readonly bytes: number }
  /** A block we asked for came, its digest was right, and it is stored (a page) or staged (a block). */
  | {
      readonly kind: 'stored';
      readonly peer: PeerId;
      readonly id: number;
      readonly digest: Digest;
      readonly bytes: number;
    }
  /** Bytes came that are not what was asked. */
  | { readonly kind: 'wrongBytes'; readonly peer: PeerId; readonly id: number; readonly digest: Digest }
  /** It broke the rules of the bulk plane, and is being disconnected. */
  | { readonly kind: 'violated'; readonly peer: PeerId; readonly reason: string }
  | { readonly kind: 'missing'; readonly peer: PeerId; readonly id: number; readonly digest: Digest }
  | { readonly kind: 'busy'; readonly peer: PeerId; readonly id: number; readonly retryMs: number }
  | { readonly kind: 'done'; readonly peer: PeerId; readonly id: number }
  /** The stream broke or the peer refused; nothing more comes for this request. */
  | { readonly kind: 'requestFailed'; readonly peer: PeerId; readonly id: number }
  /** What came could not be stored here, for want of space or otherwise; the peer did nothing wrong. */
  | { readonly kind: 'notStored'; readonly peer: PeerId; readonly id: number; readonly retryMs: number }
  | { readonly kind: 'applied'; readonly version: Version; readonly root: Digest }
  /** `lost` were thought to be here and are not; the machine fetches them and applies again. `retryMs` 0: at once. */
  | {
      readonly kind: 'applyFailed';
      readonly version: Version;
      readonly lost: readonly Digest[];
      readonly retryMs: number;
    }
  /** On a replica: these paths differ from the applied tree and are to be put right. */
  | { readonly kind: 'drifted'; readonly paths: readonly SharePath[] }
  | { readonly kind: 'pause'; readonly paused: boolean }
  /** The time asked for by a `wake` effect has come. */
  | { readonly kind: 'tick' };

/** All that differs between the tree at `base`, and that of the head, whose pages are all here; in byte order of path. */
export type InlineChanges = {
  readonly base: Digest;
  readonly changes: readonly Change[];
};

export type Effect =
  | { readonly kind: 'send'; readonly peer: PeerId; readonly message: Message }
  | { readonly kind: 'gossip'; readonly message: HeadMessage }
  | { readonly kind: 'request'; readonly peer: PeerId; readonly request: BlockRequest }
  | { readonly kind: 'cancel'; readonly peer: PeerId; readonly id: number }
  /** Answer this request, whole, in order. */
  | { readonly kind: 'serve'; readonly peer: PeerId; readonly request: BlockRequest }
  | { readonly kind: 'answer'; readonly peer: PeerId; readonly answer: BlockAnswer }
  /**
   * Store this head durably, then say `headStored`. With `inline`, first edit the tree at
   * `operations.baseRoot`, check that its root is the head's, and store pages and blocks.
   */
  | { readonly kind: 'storeHead'; readonly message: HeadMessage; readonly inline: boolean }
  /** Blocks of this file are about to be asked for: place them at their offsets as they come. */
  | { readonly kind: 'assemble'; readonly entry: FileEntry; readonly blocks: readonly BlockRef[] }
  /**
   * Everything for `head` is here: stage, check, journal, rename, index; then say `applied` or `applyFailed`. `changes` null:
   * nothing is applied here yet, so every entry of its tree.
   */
  | { readonly kind: 'apply'; readonly head: SignedHead; readonly changes: readonly Change[] | null }
  /** Call again with `tick` at this time; a later `wake` replaces an earlier one. */
  | { readonly kind: 'wake'; readonly atMs: number }
  /** `added` for this, `strikes` in all, less what was forgiven. */
  | {
      readonly kind: 'strike';
      readonly peer: PeerId;
      readonly added: number;
      readonly strikes: number;
      readonly reason: string;
    }
  /** Close the connection on which its blocks come, with what is still on its way: nothing of that is wanted. */
  | { readonly kind: 'hangUpBlocks'; readonly peer: PeerId }
  /** The writer signed two heads of one version: nothing newer of its epoch is applied from now on. */
  | { readonly kind: 'halted'; readonly heads: readonly [SignedHead, SignedHead] }
  | {
      readonly kind: 'note';
      readonly text: string;
      readonly fields: Readonly<Record<string, string | number>>;
    };

/** What `status` shows of a sync. */
export type Progress = {
  readonly phase: 'idle' | 'walking' | 'fetching' | 'applying';
  readonly pendingFiles: number;
  readonly pendingBytes: number;
  readonly pendingBlocks: number;
  /** 0 to 1. */
  readonly done: number;
  readonly duplicateBytes: number;
};
