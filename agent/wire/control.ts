/** Bytes of the control stream's frames: the one place where what strangers say there is parsed. Pure. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { WireType } from '@bufbuild/protobuf/wire';
import { assert, unreachable } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import {
  controlFrameBytesMax,
  gossipBytesMax,
  helloBytesMax,
  KIB,
  reasonBytesMax,
  sharesMax,
} from '../base/limits.ts';
import { decodeCertificate, encodeCertificate } from '../core/certificate.ts';
import { keyBytes, shareIdFromBytes } from '../core/keys.ts';
import { parseAddresses, parseAgentVersion, parseLabel } from '../core/label.ts';
import { openStatement } from '../core/statement.ts';
import { fromDocument, toDocument } from './convert.ts';
import {
  type ControlFrame,
  type Hello,
  protocolNumber,
  pskBytes,
  pskIdentityBytes,
  type RefusalCode,
  type ShareWelcome,
} from './frames.ts';
import {
  type Frame,
  FrameSchema,
  type HelloSchema,
  type BulkOffer as WireBulkOffer,
  type Hello as WireHello,
  RefusalCode as WireRefusalCode,
  type ShareHello as WireShareHello,
  type ShareWelcome as WireShareWelcome,
} from './gen/p2psync/v1/control_pb.ts';
import { fromShareMessage, toShareMessage } from './message.ts';
import { checkCount, decodeStrict, malformed, safeNumber, soleField } from './strict.ts';

type FrameKind = NonNullable<MessageInitShape<typeof FrameSchema>['kind']>;

/** Not for `unknown`. A head's operations are left out where the frame would grow too large for gossip with them. */
export function encodeControl(frame: ControlFrame): Bytes {
  const bytes = toBinary(FrameSchema, create(FrameSchema, { kind: toKind(frame) }));
  if (frame.kind === 'share' && bytes.byteLength > gossipBytesMax && frame.message.kind === 'head') {
    return encodeControl({ ...frame, message: { ...frame.message, operations: null } });
  }
  assert(bytes.byteLength <= controlFrameBytesMax, 'a control frame is within its bound');
  return bytes;
}

/**
 * Signatures of heads and statements are checked; grants, rosters, removals and certificates are for who knows the authority.
 * @throws {P2psyncError} malformed, limit-exceeded, bad-path, bad-signature.
 */
export function decodeControl(bytes: Bytes): ControlFrame {
  if (bytes.byteLength > controlFrameBytesMax) throw tooLong(bytes, controlFrameBytesMax);
  const number = soleField(bytes, what);
  const field = FrameSchema.fields.find((candidate) => candidate.number === number);
  if (field === undefined) return { kind: 'unknown' };
  // Each kind has its own bound, so that only a roster can be as large as a frame may be.
  const bytesMax = bytesMaxOf[field.localName] ?? smallBytesMax;
  if (bytes.byteLength > bytesMax) throw tooLong(bytes, bytesMax);
  return fromKind(decodeStrict(FrameSchema, bytes, what).kind);
}

/** Whether `decodeControl` would give a `BulkSetup`, or refuse it; looks at the tag alone. */
export function isBulkSetup(bytes: Bytes): boolean {
  return bulkTags.has(bytes[0] ?? 0);
}

const what = 'a control frame';

/** Field and wire type, which fit one byte up to field 15. */
const bulkTags: ReadonlySet<number> = new Set(
  FrameSchema.fields
    .filter(({ localName }) => localName === 'bulkWanted' || localName === 'bulkOffer')
    .map(({ number }) => (number << 3) | WireType.LengthDelimited),
);

/** Everything but these: a certificate with eight addresses, a statement, a grant. */
const smallBytesMax = 8 * KIB;
const bytesMaxOf: Readonly<Record<string, number>> = {
  hello: helloBytesMax,
  roster: controlFrameBytesMax,
  share: gossipBytesMax + KIB,
};

function tooLong(bytes: Bytes, max: number): P2psyncError {
  return new P2psyncError(
    'limit-exceeded',
    `a control frame of ${bytes.byteLength} bytes, ${max} are allowed`,
  );
}

function toKind(frame: ControlFrame): FrameKind {
  switch (frame.kind) {
    case 'hello':
      return { case: 'hello', value: toHello(frame) };
    case 'welcome':
      return { case: 'welcome', value: { shares: frame.shares.map(toShare) } };
    case 'refused':
      return {
        case: 'refused',
        value: {
          share: keyBytes(frame.share),
          code: refusalNumbers[frame.code],
          text: clip(frame.text),
        },
      };
    case 'grant':
    case 'roster':
    case 'removal':
      return {
        case: frame.kind,
        value: { share: keyBytes(frame.share), document: toDocument(frame.document) },
      };
    case 'introduce':
      return {
        case: 'introduce',
        value: {
          share: keyBytes(frame.share),
          certificate: encodeCertificate(frame.certificate),
          addresses: [...frame.addresses],
        },
      };
    case 'share':
      return { case: 'share', value: toShareMessage(frame.share, frame.message) };
    case 'statement':
      return { case: 'statement', value: toDocument(frame.statement) };
    case 'ping':
    case 'pong':
      return { case: frame.kind, value: { id: BigInt(frame.id) } };
    case 'goodbye':
      return { case: 'goodbye', value: { reason: clip(frame.reason) } };
    case 'bulkWanted':
      return { case: 'bulkWanted', value: {} };
    case 'bulkOffer': {
      const { port, identity, key } = frame;
      return { case: 'bulkOffer', value: { port, identity, key } };
    }
    case 'unknown':
      throw malformed(what, 'nobody sends a frame that nobody knows');
    default:
      return unreachable(frame);
  }
}

function fromKind(kind: Frame['kind']): ControlFrame {
  switch (kind.case) {
    case 'hello':
      return fromHello(kind.value);
    case 'welcome':
      checkCount(kind.value.shares.length, sharesMax, 'shares');
      return { kind: 'welcome', shares: kind.value.shares.map(fromShare) };
    case 'refused': {
      const { share, code, text } = kind.value;
      return { kind: 'refused', share: shareIdFromBytes(share), code: refusalOf(code), text: reasonOf(text) };
    }
    case 'grant':
    case 'roster':
    case 'removal':
      return {
        kind: kind.case,
        share: shareIdFromBytes(kind.value.share),
        document: fromDocument(kind.value.document, what),
      };
    case 'introduce': {
      const share = shareIdFromBytes(kind.value.share);
      const certificate = decodeCertificate(kind.value.certificate);
      if (certificate.certificate.share !== share)
        throw malformed(what, 'a certificate is for another share');
      return { kind: 'introduce', share, certificate, addresses: parseAddresses(kind.value.addresses) };
    }
    case 'share':
      return fromShareMessage(kind.value, what) ?? { kind: 'unknown' };
    case 'statement': {
      const { body, signature } = fromDocument(kind.value, what);
      return { kind: 'statement', statement: openStatement(body, signature) };
    }
    case 'ping':
    case 'pong':
      return { kind: kind.case, id: safeNumber(kind.value.id, what) };
    case 'goodbye':
      return { kind: 'goodbye', reason: reasonOf(kind.value.reason) };
    case 'bulkWanted':
      return { kind: 'bulkWanted' };
    case 'bulkOffer':
      return fromBulkOffer(kind.value);
    case undefined:
      throw malformed(what, 'it is empty');
    default:
      return unreachable(kind);
  }
}

function toHello(hello: Hello): MessageInitShape<typeof HelloSchema> {
  return {
    protocol: hello.protocol,
    agentVersion: hello.agentVersion,
    name: hello.name,
    addresses: [...hello.addresses],
    shares: hello.shares.map((share) => ({
      ...toShare(share),
      certificate: encodeCertificate(share.certificate),
    })),
  };
}

/** @throws {P2psyncError} protocol-mismatch before anything else: another protocol's hello may look otherwise. */
function fromHello(hello: WireHello): Hello {
  const { protocol } = hello;
  if (protocol !== protocolNumber) {
    throw new P2psyncError(
      'protocol-mismatch',
      `the peer speaks protocol ${protocol}, this agent ${protocolNumber}: upgrade the older of the two`,
      { protocol },
    );
  }
  checkCount(hello.shares.length, sharesMax, 'shares');
  return {
    kind: 'hello',
    protocol,
    agentVersion: parseAgentVersion(hello.agentVersion),
    name: parseLabel(hello.name, "an agent's name"),
    addresses: parseAddresses(hello.addresses),
    shares: hello.shares.map((share) => {
      const certificate = decodeCertificate(share.certificate);
      const welcome = fromShare(share);
      if (certificate.certificate.share === welcome.share) return { ...welcome, certificate };
      throw malformed(what, 'a certificate is for another share');
    }),
  };
}

function toShare(share: ShareWelcome): { share: Bytes; rosterVersion: bigint; grantEpoch: bigint } {
  return {
    share: keyBytes(share.share),
    rosterVersion: BigInt(share.rosterVersion),
    grantEpoch: BigInt(share.grantEpoch),
  };
}

function fromShare(share: WireShareWelcome | WireShareHello): ShareWelcome {
  return {
    share: shareIdFromBytes(share.share),
    rosterVersion: safeNumber(share.rosterVersion, what),
    grantEpoch: safeNumber(share.grantEpoch, what),
  };
}

/** @throws {P2psyncError} malformed. The bytes are copied: the frame's memory is not kept for a key's sake. */
function fromBulkOffer({ port, identity, key }: WireBulkOffer): ControlFrame {
  if (port < 1 || port > 65_535) throw malformed(what, `a bulk offer names the port ${port}`);
  if (identity.byteLength !== pskIdentityBytes || key.byteLength !== pskBytes) {
    throw malformed(what, 'a bulk offer has a key or an identity of the wrong length');
  }
  return { kind: 'bulkOffer', port, identity: new Uint8Array(identity), key: new Uint8Array(key) };
}

const refusalNumbers: Readonly<Record<RefusalCode, WireRefusalCode>> = {
  'not-a-member': WireRefusalCode.NOT_A_MEMBER,
  revoked: WireRefusalCode.REVOKED,
  expired: WireRefusalCode.EXPIRED,
  'bad-invitation': WireRefusalCode.BAD_INVITATION,
  'bad-signature': WireRefusalCode.BAD_SIGNATURE,
  conflict: WireRefusalCode.CONFLICT,
  'limit-exceeded': WireRefusalCode.LIMIT_EXCEEDED,
  'protocol-mismatch': WireRefusalCode.PROTOCOL_MISMATCH,
  'not-found': WireRefusalCode.NOT_FOUND,
};
const refusalByNumber = new Map<number, string>(
  Object.entries(refusalNumbers).map(([code, number]) => [number, code]),
);

/** A reason that a newer agent knows and this one does not still keeps it out. */
function refusalOf(number: number): RefusalCode {
  const code = refusalByNumber.get(number);
  return isRefusalCode(code) ? code : 'not-a-member';
}

function isRefusalCode(code: string | undefined): code is RefusalCode {
  return code !== undefined && code in refusalNumbers;
}

function reasonOf(text: string): string {
  checkCount(Buffer.byteLength(text), reasonBytesMax, 'bytes of a reason');
  return text;
}

/** As many whole characters as fit. */
function clip(text: string): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(reasonBytesMax));
  return text.slice(0, read).toWellFormed();
}
