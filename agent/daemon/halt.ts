/**
 * A writer whose memory was put back: a head of its own that it does not know, kept over restarts, and what `status` says.
 * Decides nothing.
 */
import { openHead, type SignedHead } from '../core/head.ts';
import { compareVersions, formatVersion } from '../core/version.ts';
import type { ShareStore, StoreBatch } from '../store/share-store.ts';
import type { Fault } from './faults.ts';
import { packSigned, stateKeys, unpackSigned } from './state.ts';

export function writeForgotten(heard: SignedHead): StoreBatch {
  return { state: new Map([[stateKeys.forgotten, packSigned(heard)]]) };
}

/** Null where it is of another epoch, or known now: the right copy of the index was put in place. */
export function readForgotten(
  store: Pick<ShareStore, 'state'>,
  now: { readonly epoch: number | null; readonly head: SignedHead | null },
): SignedHead | null {
  const packed = unpackSigned(store.state(stateKeys.forgotten));
  if (packed === null) return null;
  const heard = openHead(packed.body, packed.signature);
  return heard.head.version.epoch === now.epoch && isForgotten(heard, now.head) ? heard : null;
}

/** Whether a head of its own that the writer hears of is one it should know, and does not. */
export function isForgotten(heard: SignedHead, own: SignedHead | null): boolean {
  return own === null || compareVersions(heard.head.version, own.head.version) > 0;
}

export function forgottenFault(heard: SignedHead, own: SignedHead | null): Fault {
  const known = own === null ? 'none' : formatVersion(own.head.version);
  return {
    code: 'conflict',
    message: `a member has version ${formatVersion(heard.head.version)}, signed by this agent, whose own index knows of ${known} only: it was put back from an older copy. Nothing is published any more, and no file is changed. docs/OPERATING.md, “The writer’s index was put back”, says what to do`,
  };
}
