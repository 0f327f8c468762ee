/** "Epoch E's writer is K", signed by the share's authority. Pure. */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { createReader, createWriter } from './codec.ts';
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
import type { Head } from './head.ts';
import { type KeyPair, type PublicKey, requireSignature, type ShareId, shareIdOf, sign } from './keys.ts';
import { formatVersion, type Version } from './version.ts';

export type Grant = {
  readonly share: ShareId;
  readonly epoch: number;
  readonly writer: PublicKey;
  /** The version that the epoch continues from; null for the first of a share. Its epoch is lower. */
  readonly base: Version | null;
  /** When this was signed, ms since 1970. */
  readonly timeMs: number;
};

/** What is stored and sent: the exact bytes that were signed, never encoded again. */
export type SignedGrant = { readonly grant: Grant; readonly body: Bytes; readonly signature: Bytes };

/** @param authority the key pair that the share's id was made from. */
export function signGrant(grant: Grant, authority: KeyPair): SignedGrant {
  assert(grant.share === shareIdOf(authority.publicKey), "a grant is signed by the share's authority");
  const body = encodeGrant(grant);
  return { grant, body, signature: sign(authority, grantDomain, body) };
}

/** @throws {P2psyncError} malformed; bad-grant, where it is another share's; bad-signature. */
export function openGrant(body: Bytes, signature: Bytes, authority: PublicKey): SignedGrant {
  const grant = decodeGrant(body);
  if (grant.share !== shareIdOf(authority)) {
    throw new P2psyncError(
      'bad-grant',
      `the grant of epoch ${grant.epoch} is for the share ${grant.share}, not this one`,
    );
  }
  requireSignature(authority, grantDomain, { body, signature }, `the grant of epoch ${grant.epoch}`);
  return { grant, body, signature };
}

/** That the head's writer was granted its epoch. @throws {P2psyncError} bad-grant, saying which part does not fit. */
export function checkHead(head: Head, grant: Grant): void {
  const fault =
    head.share !== grant.share
      ? `is of the share ${head.share}, the grant of ${grant.share}`
      : head.version.epoch !== grant.epoch
        ? `is not of the granted epoch ${grant.epoch}`
        : head.writer !== grant.writer
          ? `is signed by ${head.writer}, epoch ${grant.epoch} was granted to ${grant.writer}`
          : undefined;
  if (fault === undefined) return;
  throw new P2psyncError('bad-grant', `the head ${formatVersion(head.version)} ${fault}`, {
    writer: head.writer,
    epoch: head.version.epoch,
  });
}

export function encodeGrant(grant: Grant): Bytes {
  const writer = createWriter();
  writeFormat(writer);
  writeShare(writer, grant.share);
  writer.varint(grant.epoch);
  writeKey(writer, grant.writer);
  writeOptional(writer, grant.base, (base) => writeVersion(writer, base));
  writer.varint(grant.timeMs);
  return writer.finish();
}

/** @throws {P2psyncError} malformed. */
export function decodeGrant(body: Bytes): Grant {
  const reader = createReader(body, 'a grant');
  readFormat(reader, 'a grant');
  const grant: Grant = {
    share: readShare(reader),
    epoch: reader.varint(),
    writer: readKey(reader),
    base: readOptional(reader, () => readVersion(reader)),
    timeMs: reader.varint(),
  };
  reader.end();
  if (grant.base !== null && grant.base.epoch >= grant.epoch) {
    throw new P2psyncError(
      'malformed',
      `a grant of epoch ${grant.epoch} continues ${formatVersion(grant.base)}`,
    );
  }
  return grant;
}

const grantDomain = 'p2psync grant v1\0';
