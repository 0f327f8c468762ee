/** What agents of one share say to each other, as core values; `wire/` turns them into bytes. */
import type { Bytes } from '../base/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { Edit } from '../core/entry.ts';
import type { SignedHead } from '../core/head.ts';
import type { ShareId } from '../core/keys.ts';
import type { DirectoryMove } from '../core/moved.ts';
import type { Version } from '../core/version.ts';

/** Changed entries with their blocks, small enough to ride inside a head's message. */
export type Operations = {
  /** The version these lead from; they lead to the head they came with. */
  readonly base: Version;
  /** Root at `base`. */
  readonly baseRoot: Digest;
  /** Apart from each other (`areApart`): `editsOfMoves` says what they do to the tree at `baseRoot`. */
  readonly moves: readonly DirectoryMove[];
  /** In byte order of path; done after the moves they give the head's root. */
  readonly edits: readonly Edit[];
  /** Blocks of the changed files, whole. */
  readonly blocks: readonly Bytes[];
};

export type HeadMessage = {
  readonly kind: 'head';
  readonly head: SignedHead;
  readonly operations: Operations | null;
};

/**
 * On the control stream of two neighbours. `status` opens it and is the heartbeat;
 * `have` lists what a partial holder can serve since its last one; the rest concerns requests.
 */
export type Message =
  | HeadMessage
  | {
      readonly kind: 'status';
      /** What this agent serves completely. */
      readonly applied: Version | null;
      /** The newest head this agent accepted. */
      readonly head: Version | null;
      readonly rosterVersion: number;
    }
  /** Blocks and pages that are here. The root of a tree stands for all its pages. */
  | { readonly kind: 'have'; readonly digests: readonly Digest[] }
  /** The sender will serve neither pages nor blocks for now. */
  | { readonly kind: 'paused'; readonly paused: boolean };

/** On the bulk plane: a request, and the answers to it, matched by `id` (chosen by the requester, per peer). */
export type BlockRequest = {
  readonly id: number;
  readonly plane: 'page' | 'block';
  readonly digests: readonly Digest[];
};

/** A request as it travels: one bulk stream serves every share that two agents have in common. Its id is the connection's. */
export type SharedRequest = BlockRequest & { readonly share: ShareId };

export type BlockAnswer =
  /** One of the asked digests; the bytes are checked where it says `verified`. Answers come in the order asked, each once. */
  | {
      readonly kind: 'block';
      readonly id: number;
      readonly digest: Digest;
      readonly bytes: Bytes;
      /** Set by the receiving network, which hashed them; never said on the wire. */
      readonly verified?: true;
      /** `blockHeadBytes` of memory before the bytes are free: who sends them may write there. */
      readonly roomy?: true;
    }
  /** Not here (any more). */
  | { readonly kind: 'missing'; readonly id: number; readonly digest: Digest }
  /** Nothing of this request will be served; ask again after `retryMs`. */
  | { readonly kind: 'busy'; readonly id: number; readonly retryMs: number }
  /** Everything asked was answered. */
  | { readonly kind: 'done'; readonly id: number };
