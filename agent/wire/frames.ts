/** What two neighbours say on their control stream, as core values; `control.ts` has the bytes. Types and names only. */
import type { Bytes } from '../base/bytes.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { SignedCertificate } from '../core/certificate.ts';
import type { SignedBytes } from '../core/document.ts';
import type { ShareId } from '../core/keys.ts';
import type { SignedStatement } from '../core/statement.ts';
import type { Message } from '../swarm/messages.ts';

/** Two agents talk when their numbers are the same. */
export const protocolNumber = 1;

/** Why a share is closed to someone. */
export type RefusalCode = Extract<
  ErrorCode,
  | 'not-a-member'
  | 'revoked'
  | 'expired'
  | 'bad-invitation'
  | 'bad-signature'
  | 'conflict'
  | 'limit-exceeded'
  | 'protocol-mismatch'
  | 'not-found'
>;

/** What a side can show for a share, and how new its documents are (0: none yet). */
export type ShareHello = {
  readonly share: ShareId;
  /** Parsed, not verified. */
  readonly certificate: SignedCertificate;
  readonly rosterVersion: number;
  readonly grantEpoch: number;
};

export type ShareWelcome = {
  readonly share: ShareId;
  readonly rosterVersion: number;
  readonly grantEpoch: number;
};

/** The first frame of either side. */
export type Hello = {
  readonly kind: 'hello';
  readonly protocol: number;
  readonly agentVersion: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly shares: readonly ShareHello[];
};

/** Of the key that two neighbours share for one TLS connection, and of its name. */
export const pskBytes = 32;
export const pskIdentityBytes = 16;

/** How two neighbours agree on a TLS connection for blocks: for the network alone, nobody above it sees these. */
export type BulkSetup =
  /** The sender wants one to ask on. */
  | { readonly kind: 'bulkWanted' }
  /** TCP port of the sender; identity (16 bytes) and key (32 bytes, a secret) of one connection. */
  | { readonly kind: 'bulkOffer'; readonly port: number; readonly identity: Bytes; readonly key: Bytes };

export type ControlFrame =
  | Hello
  /** The sender takes the receiver as a member of these shares. */
  | { readonly kind: 'welcome'; readonly shares: readonly ShareWelcome[] }
  | { readonly kind: 'refused'; readonly share: ShareId; readonly code: RefusalCode; readonly text: string }
  /** To be opened with `openGrant`, `openRoster` and `openRemoval`, which check the signatures. */
  | { readonly kind: 'grant' | 'roster' | 'removal'; readonly share: ShareId; readonly document: SignedBytes }
  /** A member tells its neighbours of a newcomer whose certificate it verified. The certificate is parsed, not verified. */
  | {
      readonly kind: 'introduce';
      readonly share: ShareId;
      readonly certificate: SignedCertificate;
      readonly addresses: readonly string[];
    }
  | { readonly kind: 'share'; readonly share: ShareId; readonly message: Message }
  /** What another member said of itself; its signature is checked. */
  | { readonly kind: 'statement'; readonly statement: SignedStatement }
  | { readonly kind: 'ping' | 'pong'; readonly id: number }
  | { readonly kind: 'goodbye'; readonly reason: string }
  | BulkSetup
  /** A kind of frame or message that this program does not know: to be passed over. */
  | { readonly kind: 'unknown' };
