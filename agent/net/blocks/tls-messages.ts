/** What the main thread and the thread of the TLS sockets say to each other. Types, and what a frame costs. */
import type { Bytes } from '../../base/bytes.ts';
import type { P2psyncError } from '../../base/errors.ts';
import { bulkDigestCostBytes, bulkFrameCostBytes } from '../../base/limits.ts';
import type { BulkFrame } from '../../wire/bulk.ts';

/** One connection, or one that is expected; numbered by the main thread. */
export type LinkId = number;

/** The secret of one connection; the identity is 32 hex digits. */
export type Psk = { readonly identity: string; readonly key: Bytes };

/** What the threads share: the memory of the two paces. */
export type SocketMemory = { readonly upload: SharedArrayBuffer; readonly download: SharedArrayBuffer };

export type ToSockets =
  /** Port 0, or one that is taken: the system chooses. Answered by `listening` or `deaf`. */
  | { readonly kind: 'listen'; readonly hosts: readonly string[]; readonly port: number }
  /** Lets one connection in that has this key. Answered by `expecting`. */
  | { readonly kind: 'expect'; readonly link: LinkId; readonly psk: Psk }
  | {
      readonly kind: 'dial';
      readonly link: LinkId;
      readonly host: string;
      readonly port: number;
      readonly psk: Psk;
    }
  | { readonly kind: 'knockAnswer'; readonly knock: number; readonly allowed: boolean }
  /** The bytes of blocks are transferred. Answered by `written`. */
  | { readonly kind: 'send'; readonly link: LinkId; readonly frames: readonly BulkFrame[] }
  /** So much of what `frames` brought is done with: the thread may read on. */
  | { readonly kind: 'handled'; readonly link: LinkId; readonly costBytes: number }
  /** Not answered; nothing more is said of this link. */
  | { readonly kind: 'close'; readonly link: LinkId };

export type FromSockets =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'deaf'; readonly reason: string }
  | { readonly kind: 'expecting'; readonly link: LinkId }
  /** Somebody from this `IP:PORT` is at the door, before any handshake. */
  | { readonly kind: 'knock'; readonly knock: number; readonly address: string }
  | { readonly kind: 'open'; readonly link: LinkId }
  | {
      readonly kind: 'frames';
      readonly link: LinkId;
      /** Blocks are whole and hashed: `verified` where they are what they are called. */
      readonly frames: readonly Exclude<BulkFrame, { kind: 'packed' | 'rate' }>[];
      /** Since the last one; also said without frames, as a sign of life while a large block comes in slowly. */
      readonly wireBytes: number;
    }
  /** The kernel has taken so much. */
  | {
      readonly kind: 'written';
      readonly link: LinkId;
      readonly costBytes: number;
      readonly wireBytes: number;
    }
  /** Said once of each link that was not closed from here; `code`: the peer broke the rules. */
  | {
      readonly kind: 'closed';
      readonly link: LinkId;
      readonly reason: string;
      readonly code: P2psyncError['code'] | null;
    };

/** Memory that a frame holds while it waits between the threads, bytes. */
export function costOf(frame: BulkFrame): number {
  if (frame.kind === 'request') {
    return bulkFrameCostBytes + frame.request.digests.length * bulkDigestCostBytes;
  }
  if (frame.kind === 'packed') return bulkFrameCostBytes + frame.bytes.byteLength;
  return (
    bulkFrameCostBytes +
    (frame.kind === 'answer' && frame.answer.kind === 'block' ? frame.answer.bytes.byteLength : 0)
  );
}
