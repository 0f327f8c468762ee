/**
 * "K is no member of this share any more": signed by the share's authority, so that any member can put K out at once,
 * whoever writes and whatever roster it has. Holds for good. Pure.
 */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { createReader, createWriter } from './codec.ts';
import {
  readFormat,
  readKey,
  readLabel,
  readOptional,
  readRole,
  readShare,
  writeFormat,
  writeKey,
  writeOptional,
  writeRole,
  writeShare,
} from './document.ts';
import {
  type KeyPair,
  type PublicKey,
  type Role,
  requireSignature,
  type ShareId,
  shareIdOf,
  sign,
} from './keys.ts';
import type { Revocation } from './roster.ts';

export type Removal = Revocation & {
  readonly share: ShareId;
  /** What it was called and certified as; for people, nothing follows from it. */
  readonly name: string;
  readonly role: Role;
};

/** What is stored and sent: the exact bytes that were signed, never encoded again. */
export type SignedRemoval = { readonly removal: Removal; readonly body: Bytes; readonly signature: Bytes };

/** @param authority the key pair that the share's id was made from. */
export function signRemoval(removal: Removal, authority: KeyPair): SignedRemoval {
  assert(removal.share === shareIdOf(authority.publicKey), "a removal is signed by the share's authority");
  const body = encodeRemoval(removal);
  return { removal, body, signature: sign(authority, removalDomain, body) };
}

/** Parses, and checks the signature. @throws {P2psyncError} malformed; not-a-member, where it is another share's; bad-signature. */
export function openRemoval(body: Bytes, signature: Bytes, authority: PublicKey): SignedRemoval {
  const removal = decodeRemoval(body);
  if (removal.share !== shareIdOf(authority)) {
    throw new P2psyncError(
      'not-a-member',
      `${removal.name} was removed from the share ${removal.share}, not this one`,
    );
  }
  requireSignature(authority, removalDomain, { body, signature }, `the removal of ${removal.name}`);
  return { removal, body, signature };
}

export function encodeRemoval(removal: Removal): Bytes {
  const writer = createWriter();
  writeFormat(writer);
  writeShare(writer, removal.share);
  writeKey(writer, removal.member);
  writer.text(removal.name);
  writeRole(writer, removal.role);
  writeOptional(writer, removal.invite, (invite) => writeKey(writer, invite));
  writer.varint(removal.timeMs);
  return writer.finish();
}

/** @throws {P2psyncError} malformed. */
export function decodeRemoval(body: Bytes): Removal {
  const reader = createReader(body, 'a removal');
  readFormat(reader, 'a removal');
  const removal: Removal = {
    share: readShare(reader),
    member: readKey(reader),
    name: readLabel(reader, "an agent's name"),
    role: readRole(reader),
    invite: readOptional(reader, () => readKey(reader)),
    timeMs: reader.varint(),
  };
  reader.end();
  return removal;
}

const removalDomain = 'p2psync removal v1\0';
