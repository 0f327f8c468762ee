/** The writer's signed statement "version V has root R". */
import type { Bytes } from '../base/bytes.ts';
import type { Digest } from './digest.ts';
import type { Counts } from './entry.ts';
import type { PublicKey, ShareId } from './keys.ts';
import type { Version } from './version.ts';

export type Head = {
  readonly share: ShareId;
  readonly version: Version;
  /** Digest of the previous head's body; null for the first of an epoch. */
  readonly previous: Digest | null;
  readonly root: Digest;
  readonly counts: Counts;
  /** When this was signed, ms since 1970; an idle writer signs again, which changes nothing else. */
  readonly timeMs: number;
  readonly rosterVersion: number;
  readonly writer: PublicKey;
};

/** What is stored and sent: the exact bytes that were signed, never encoded again. */
export type SignedHead = { readonly head: Head; readonly body: Bytes; readonly signature: Bytes };
