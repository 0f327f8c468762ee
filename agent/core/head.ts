/** The writer's signed statement "version V has root R". Pure; whether the writer was granted its epoch says `grant.ts`. */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { createReader, createWriter } from './codec.ts';
import { type Digest, digestOf } from './digest.ts';
import {
  readFormat,
  readKey,
  readOptional,
  readShare,
  readVersion,
  writeFormat,
  writeKey,
  writeOptional,
  writeShare,
  writeVersion,
} from './document.ts';
import type { Counts } from './entry.ts';
import { type KeyPair, type PublicKey, requireSignature, type ShareId, sign } from './keys.ts';
import { compareVersions, formatVersion, type Version } from './version.ts';

export type Head = {
  readonly share: ShareId;
  readonly version: Version;
  /** `headDigest` of the previous head; null for the first of an epoch. */
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

/** @param keyPair of `head.writer`. */
export function signHead(head: Head, keyPair: KeyPair): SignedHead {
  assert(head.writer === keyPair.publicKey, 'a head is signed by the writer it names');
  const body = encodeHead(head);
  return { head, body, signature: sign(keyPair, headDomain, body) };
}

/** Parses, and checks the signature against the writer named inside. @throws {P2psyncError} malformed, bad-signature. */
export function openHead(body: Bytes, signature: Bytes): SignedHead {
  const head = decodeHead(body);
  requireSignature(head.writer, headDomain, { body, signature }, `the head ${formatVersion(head.version)}`);
  return { head, body, signature };
}

/**
 * What the next head names as its `previous`: SHA-256 of the body with time and roster version put to 0. So it stays
 * the same when an idle writer signs its head again, and a chain can be followed whichever copy one has.
 */
export function headDigest(signed: { readonly head: Head }): Digest {
  return digestOf(encodeHead({ ...signed.head, timeMs: 0, rosterVersion: 0 }));
}

/** True where two heads say the same of one version. Two that share a version and differ here are equivocation. */
export function sameStatement(left: Head, right: Head): boolean {
  return (
    left.share === right.share &&
    left.writer === right.writer &&
    compareVersions(left.version, right.version) === 0 &&
    left.root === right.root &&
    left.previous === right.previous
  );
}

export function encodeHead(head: Head): Bytes {
  const writer = createWriter();
  writeFormat(writer);
  writeShare(writer, head.share);
  writeVersion(writer, head.version);
  writeOptional(writer, head.previous, writer.digest);
  writer.digest(head.root);
  writer.varint(head.counts.entries);
  writer.varint(head.counts.files);
  writer.varint(head.counts.bytes);
  writer.varint(head.timeMs);
  writer.varint(head.rosterVersion);
  writeKey(writer, head.writer);
  return writer.finish();
}

/** @throws {P2psyncError} malformed. */
export function decodeHead(body: Bytes): Head {
  const reader = createReader(body, 'a head');
  readFormat(reader, 'a head');
  const head: Head = {
    share: readShare(reader),
    version: readVersion(reader),
    previous: readOptional(reader, reader.digest),
    root: reader.digest(),
    counts: { entries: reader.varint(), files: reader.varint(), bytes: reader.varint() },
    timeMs: reader.varint(),
    rosterVersion: reader.varint(),
    writer: readKey(reader),
  };
  reader.end();
  if (head.counts.files > head.counts.entries) {
    throw new P2psyncError('malformed', 'a head counts more files than entries');
  }
  return head;
}

const headDomain = 'p2psync head v1\0';
