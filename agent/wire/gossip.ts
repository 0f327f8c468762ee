/** What travels on a share's two gossip topics: heads with their operations, and what members say of themselves. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { gossipBytesMax } from '../base/limits.ts';
import type { ShareId } from '../core/keys.ts';
import { openStatement, type SignedStatement } from '../core/statement.ts';
import type { HeadMessage } from '../swarm/messages.ts';
import { fromDocument, fromHeadMessage, toDocument, toHeadMessage } from './convert.ts';
import { DocumentSchema } from './gen/p2psync/v1/document_pb.ts';
import { HeadMessageSchema } from './gen/p2psync/v1/head_pb.ts';
import { decodeStrict } from './strict.ts';

/** `/p2psync/1/SHAREID/heads`: payloads of `encodeHeadMessage`. */
export function headsTopic(share: ShareId): string {
  return `/p2psync/1/${share}/heads`;
}

/** `/p2psync/1/SHAREID/peers`: payloads of `encodeStatementMessage`. */
export function peersTopic(share: ShareId): string {
  return `/p2psync/1/${share}/peers`;
}

/** At most `gossipBytesMax`: operations that would not fit are left out, and receivers walk the tree instead. */
export function encodeHeadMessage(message: HeadMessage): Bytes {
  const bytes = toBinary(HeadMessageSchema, create(HeadMessageSchema, toHeadMessage(message)));
  if (bytes.byteLength <= gossipBytesMax) return bytes;
  return encodeHeadMessage({ ...message, operations: null });
}

/**
 * The head's own signature is checked; whether its writer was granted the epoch is not.
 * @throws {P2psyncError} malformed, limit-exceeded, bad-path, bad-signature.
 */
export function decodeHeadMessage(bytes: Bytes): HeadMessage {
  checkSize(bytes);
  const what = 'a gossiped head';
  return fromHeadMessage(decodeStrict(HeadMessageSchema, bytes, what), what);
}

export function encodeStatementMessage(signed: SignedStatement): Bytes {
  return toBinary(DocumentSchema, create(DocumentSchema, toDocument(signed)));
}

/** The signature of the member named inside is checked; whether it is a member is not. @throws {P2psyncError} malformed, limit-exceeded, bad-signature. */
export function decodeStatementMessage(bytes: Bytes): SignedStatement {
  checkSize(bytes);
  const what = 'a gossiped statement';
  const { body, signature } = fromDocument(decodeStrict(DocumentSchema, bytes, what), what);
  return openStatement(body, signature);
}

function checkSize(bytes: Bytes): void {
  if (bytes.byteLength <= gossipBytesMax) return;
  throw new P2psyncError(
    'limit-exceeded',
    `a gossip message of ${bytes.byteLength} bytes, ${gossipBytesMax} are allowed`,
  );
}
