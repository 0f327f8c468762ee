/**
 * Which of several control streams two peers keep. Pure.
 * The opener says OPEN with a stamp, the other end ACCEPT with its own or REFUSE. Both ends may open at once on two
 * connections; then the stream of the lower PeerId stays. Stamps of one agent only rise, also over restarts, so an
 * OPEN that is newer than the standing link says that its sender has lost it.
 */
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import type { PeerId } from '../core/keys.ts';

export type Preamble = { readonly kind: 'open' | 'accept' | 'refuse'; readonly stamp: number };

/** What this end has with the peer when its OPEN arrives. */
export type Standing =
  | { readonly kind: 'none' }
  /** An OPEN of ours is unanswered. */
  | { readonly kind: 'opening' }
  /** `stamp`: what the peer said when the link that stands was made. */
  | { readonly kind: 'up'; readonly stamp: number };

/** `replace`: accept, for the standing link is dead at the other end. */
export type Verdict = 'accept' | 'replace' | 'refuse';

export function judgeOpen(
  standing: Standing,
  ends: { readonly self: PeerId; readonly peer: PeerId; readonly stamp: number },
): Verdict {
  switch (standing.kind) {
    case 'none':
      return 'accept';
    case 'opening':
      return ends.self < ends.peer ? 'refuse' : 'accept';
    case 'up':
      return ends.stamp > standing.stamp ? 'replace' : 'refuse';
  }
}

/** Microseconds of the clock at best, and always above the last. */
export function nextStamp(last: number, nowMs: number): number {
  return Math.max(last + 1, nowMs * 1000);
}

const kinds = ['open', 'accept', 'refuse'] as const;
export const preambleBytes = 9;

/** One byte of kind (1 open, 2 accept, 3 refuse), eight of stamp, big-endian. */
export function encodePreamble(preamble: Preamble): Bytes {
  const bytes = new Uint8Array(preambleBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kinds.indexOf(preamble.kind) + 1);
  view.setBigUint64(1, BigInt(preamble.stamp));
  return bytes;
}

/** @throws {P2psyncError} malformed. */
export function decodePreamble(bytes: Bytes): Preamble {
  const kind = kinds[(bytes[0] ?? 0) - 1];
  if (bytes.byteLength !== preambleBytes || kind === undefined) {
    throw new P2psyncError('malformed', 'a control stream that does not start with open, accept or refuse');
  }
  const stamp = Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(1));
  if (!Number.isSafeInteger(stamp)) throw new P2psyncError('malformed', 'a stamp beyond 2^53');
  return { kind, stamp };
}
