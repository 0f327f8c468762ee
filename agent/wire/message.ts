/** Messages of a share between protobuf and the swarm's own values. Pure. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { assert, unreachable } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { haveDigestsMax } from '../base/limits.ts';
import { type Digest, decodeDigest, digestBytes, encodeDigest } from '../core/digest.ts';
import { keyBytes, type ShareId, shareIdFromBytes } from '../core/keys.ts';
import type { Message } from '../swarm/messages.ts';
import { fromHeadMessage, fromVersion, toHeadMessage, toVersion } from './convert.ts';
import type { ControlFrame } from './frames.ts';
import type {
  ShareMessageSchema,
  Status,
  StatusSchema,
  ShareMessage as WireMessage,
} from './gen/p2psync/v1/control_pb.ts';
import { checkCount, malformed, safeNumber } from './strict.ts';

type MessageInit = MessageInitShape<typeof ShareMessageSchema>;

export function toShareMessage(share: ShareId, message: Message): MessageInit {
  return { share: keyBytes(share), message: toMessage(message) };
}

/** @returns undefined for a kind of message that this program does not know. @throws {P2psyncError} as `decodeControl`. */
export function fromShareMessage(wire: WireMessage, what: string): ControlFrame | undefined {
  const share = shareIdFromBytes(wire.share);
  const message = fromMessage(wire.message, what);
  return message === undefined ? undefined : { kind: 'share', share, message };
}

function toMessage(message: Message): NonNullable<MessageInit['message']> {
  switch (message.kind) {
    case 'head':
      return { case: 'head', value: toHeadMessage(message) };
    case 'status':
      return { case: 'status', value: toStatus(message) };
    case 'have':
      return { case: 'have', value: { digests: packDigests(message.digests) } };
    case 'paused':
      return { case: 'paused', value: { paused: message.paused } };
    default:
      return unreachable(message);
  }
}

function fromMessage(message: WireMessage['message'], what: string): Message | undefined {
  switch (message.case) {
    case 'head':
      return fromHeadMessage(message.value, what);
    case 'status':
      return fromStatus(message.value, what);
    case 'have':
      return { kind: 'have', digests: unpackDigests(message.value.digests, what) };
    case 'paused':
      return { kind: 'paused', paused: message.value.paused };
    case undefined:
      return undefined;
    default:
      return unreachable(message);
  }
}

function toStatus(status: Message & { kind: 'status' }): MessageInitShape<typeof StatusSchema> {
  return {
    ...(status.applied !== null && { applied: toVersion(status.applied) }),
    ...(status.head !== null && { head: toVersion(status.head) }),
    rosterVersion: BigInt(status.rosterVersion),
  };
}

function fromStatus(status: Status, what: string): Message {
  return {
    kind: 'status',
    applied: status.applied === undefined ? null : fromVersion(status.applied, what),
    head: status.head === undefined ? null : fromVersion(status.head, what),
    rosterVersion: safeNumber(status.rosterVersion, what),
  };
}

function packDigests(digests: readonly Digest[]): Bytes {
  assert(digests.length <= haveDigestsMax, 'a have is within its bound');
  const packed = new Uint8Array(digests.length * digestBytes);
  for (const [index, digest] of digests.entries()) packed.set(encodeDigest(digest), index * digestBytes);
  return packed;
}

function unpackDigests(packed: Bytes, what: string): readonly Digest[] {
  if (packed.byteLength % digestBytes !== 0) throw malformed(what, 'a have ends inside a digest');
  checkCount(packed.byteLength / digestBytes, haveDigestsMax, 'digests of a have');
  const digests: Digest[] = [];
  for (let at = 0; at < packed.byteLength; at += digestBytes) {
    digests.push(decodeDigest(packed.subarray(at, at + digestBytes)));
  }
  return digests;
}
