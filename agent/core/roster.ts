/**
 * Who belongs to a share: members with their certificates, and those whose membership was revoked. Signed by the
 * writer of the epoch it names. Pure; `admission.ts` says how a roster changes.
 */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { membersMax, revocationsMax, rosterAddressesBytesMax, rosterBytesMax } from '../base/limits.ts';
import { readCertificate, type SignedCertificate, writeCertificate } from './certificate.ts';
import { createReader, createWriter, type Reader } from './codec.ts';
import {
  readAddresses,
  readFormat,
  readKey,
  readOptional,
  readShare,
  writeAddresses,
  writeFormat,
  writeKey,
  writeOptional,
  writeShare,
} from './document.ts';
import type { Grant } from './grant.ts';
import { type KeyPair, type PublicKey, type Role, requireSignature, type ShareId, sign } from './keys.ts';

export type Member = {
  readonly certificate: SignedCertificate;
  /** When the writer took it in, ms since 1970. */
  readonly admittedMs: number;
  /** Where it was last known to listen; at most eight, and 384 bytes in all. */
  readonly addresses: readonly string[];
};

export type Revocation = {
  readonly member: PublicKey;
  readonly timeMs: number;
  /** The invitation it came by, whose use stays spent; null where the authority issued its certificate. */
  readonly invite: PublicKey | null;
};

export type Roster = {
  readonly share: ShareId;
  /** The epoch whose writer signed. */
  readonly epoch: number;
  /** Rises with every change, also from one epoch to the next. */
  readonly version: number;
  readonly writer: PublicKey;
  readonly timeMs: number;
  /** By public key, each once. */
  readonly members: readonly Member[];
  /** By public key, each once; none of them is a member. */
  readonly revoked: readonly Revocation[];
};

/** What is stored and sent: the exact bytes that were signed, never encoded again. */
export type SignedRoster = { readonly roster: Roster; readonly body: Bytes; readonly signature: Bytes };

/** A share's roster before anyone is in it: version 0, which is never sent. */
export function emptyRoster(origin: Pick<Roster, 'share' | 'epoch' | 'writer' | 'timeMs'>): Roster {
  return { ...origin, version: 0, members: [], revoked: [] };
}

/** @throws {P2psyncError} limit-exceeded, where it grew beyond what a document holds. */
export function signRoster(roster: Roster, writer: KeyPair): SignedRoster {
  assert(roster.writer === writer.publicKey, 'a roster is signed by the writer it names');
  const body = encodeRoster(roster);
  return { roster, body, signature: sign(writer, rosterDomain, body) };
}

/**
 * Parses, and checks the signature against the writer named inside; `checkRoster` says whether that one may sign.
 * The members' certificates are checked when they connect. @throws {P2psyncError} malformed, bad-signature.
 */
export function openRoster(body: Bytes, signature: Bytes): SignedRoster {
  const roster = decodeRoster(body);
  requireSignature(roster.writer, rosterDomain, { body, signature }, `the roster ${roster.version}`);
  return { roster, body, signature };
}

/** @throws {P2psyncError} bad-grant, where the signer was not granted the roster's epoch. */
export function checkRoster(roster: Roster, grant: Grant): void {
  if (roster.share === grant.share && roster.epoch === grant.epoch && roster.writer === grant.writer) return;
  throw new P2psyncError(
    'bad-grant',
    `the roster ${roster.version} is signed by ${roster.writer} for epoch ${roster.epoch}, which the grant does not cover`,
    { writer: roster.writer, epoch: roster.epoch },
  );
}

/** Which of two is newer: by epoch, so that an old writer outbids nobody, then by version. */
export function compareRosters(
  left: Pick<Roster, 'epoch' | 'version'>,
  right: Pick<Roster, 'epoch' | 'version'>,
): number {
  return left.epoch - right.epoch || left.version - right.version;
}

export function memberOf(roster: Roster, member: PublicKey): Member | undefined {
  return search(roster.members, member, keyOfMember);
}

export function isMember(roster: Roster, member: PublicKey): boolean {
  return memberOf(roster, member) !== undefined;
}

export function isRevoked(roster: Roster, member: PublicKey): boolean {
  return search(roster.revoked, member, keyOfRevocation) !== undefined;
}

/**
 * What a member is at present: the writer is who was granted the newest epoch; a former writer counts as a standby.
 * @returns undefined for one who is no member.
 */
export function roleOf(
  roster: Roster,
  member: PublicKey,
  writer: PublicKey = roster.writer,
): Role | undefined {
  const certified = memberOf(roster, member)?.certificate.certificate.role;
  if (certified === undefined) return undefined;
  if (member === writer) return 'writer';
  return certified === 'writer' ? 'standby' : certified;
}

export function encodeRoster(roster: Roster): Bytes {
  const writer = createWriter(1024);
  writeFormat(writer);
  writeShare(writer, roster.share);
  writer.varint(roster.epoch);
  writer.varint(roster.version);
  writeKey(writer, roster.writer);
  writer.varint(roster.timeMs);
  writer.varint(roster.members.length);
  for (const member of roster.members) {
    writeCertificate(writer, member.certificate);
    writer.varint(member.admittedMs);
    writeAddresses(writer, member.addresses);
  }
  writer.varint(roster.revoked.length);
  for (const revocation of roster.revoked) {
    writeKey(writer, revocation.member);
    writer.varint(revocation.timeMs);
    writeOptional(writer, revocation.invite, (invite) => writeKey(writer, invite));
  }
  if (writer.length() <= rosterBytesMax) return writer.finish();
  throw new P2psyncError(
    'limit-exceeded',
    `the roster would have ${writer.length()} bytes, ${rosterBytesMax} are allowed`,
  );
}

/** @throws {P2psyncError} malformed, limit-exceeded. */
export function decodeRoster(body: Bytes): Roster {
  if (body.byteLength > rosterBytesMax) {
    throw new P2psyncError(
      'limit-exceeded',
      `a roster of ${body.byteLength} bytes, ${rosterBytesMax} are allowed`,
    );
  }
  const reader = createReader(body, 'a roster');
  readFormat(reader, 'a roster');
  const roster: Roster = {
    share: readShare(reader),
    epoch: reader.varint(),
    version: reader.varint(),
    writer: readKey(reader),
    timeMs: reader.varint(),
    members: readSorted(reader, membersMax, readMember, keyOfMember),
    revoked: readSorted(reader, revocationsMax, readRevocation, keyOfRevocation),
  };
  reader.end();
  for (const { certificate } of roster.members) {
    const { share, member } = certificate.certificate;
    if (share !== roster.share || isRevoked(roster, member)) {
      throw new P2psyncError(
        'malformed',
        `a roster lists ${member}, of another share or revoked, as a member`,
      );
    }
  }
  return roster;
}

export function keyOfMember(member: Member): PublicKey {
  return member.certificate.certificate.member;
}

export function keyOfRevocation(revocation: Revocation): PublicKey {
  return revocation.member;
}

const rosterDomain = 'p2psync roster v1\0';

function readMember(reader: Reader): Member {
  const member = {
    certificate: readCertificate(reader),
    admittedMs: reader.varint(),
    addresses: readAddresses(reader),
  };
  if (addressBytesOf(member.addresses) <= rosterAddressesBytesMax) return member;
  throw new P2psyncError(
    'limit-exceeded',
    `a roster holds more than ${rosterAddressesBytesMax} bytes of addresses for one`,
  );
}

function readRevocation(reader: Reader): Revocation {
  return {
    member: readKey(reader),
    timeMs: reader.varint(),
    invite: readOptional(reader, () => readKey(reader)),
  };
}

function addressBytesOf(addresses: readonly string[]): number {
  let bytes = 0;
  for (const address of addresses) bytes += Buffer.byteLength(address);
  return bytes;
}

/** @throws {P2psyncError} malformed, where keys do not rise. */
function readSorted<Item>(
  reader: Reader,
  countMax: number,
  read: (reader: Reader) => Item,
  keyOf: (item: Item) => PublicKey,
): readonly Item[] {
  const items: Item[] = [];
  const count = reader.varint(countMax);
  let last = '';
  for (let index = 0; index < count; index += 1) {
    const item = read(reader);
    const key = keyOf(item);
    if (key <= last) throw new P2psyncError('malformed', `a roster is not sorted at ${key}`);
    last = key;
    items.push(item);
  }
  return items;
}

function search<Item>(
  items: readonly Item[],
  key: PublicKey,
  keyOf: (item: Item) => PublicKey,
): Item | undefined {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    assert(item !== undefined, 'a search stays inside');
    const found = keyOf(item);
    if (found === key) return item;
    if (found < key) low = middle + 1;
    else high = middle;
  }
  return undefined;
}
