/**
 * A short-lived key pair that may admit members: its public half signed by the authority together with role, expiry
 * and uses, and the one pasteable line that carries all a newcomer needs. Pure; the line is a secret until it expires.
 */
import { assert } from '../base/assert.ts';
import { type Bytes, equalBytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import {
  certificateBytesMax,
  clockSkewMs,
  invitationCharactersMax,
  invitationLifeMaxMs,
  membersMax,
} from '../base/limits.ts';
import { createReader, createWriter } from './codec.ts';
import { digestOf } from './digest.ts';
import {
  readAddresses,
  readFormat,
  readKey,
  readLabel,
  readRole,
  readShare,
  writeAddresses,
  writeFormat,
  writeKey,
  writeRole,
  writeShare,
} from './document.ts';
import {
  generateKeyPair,
  type KeyPair,
  keyPairFromSeed,
  type PublicKey,
  type Role,
  requireSignature,
  type ShareId,
  seedBytes,
  shareIdOf,
  sign,
  signatureBytes,
} from './keys.ts';
import { parseAddresses, parseLabel } from './label.ts';

/** Who writes is granted, never invited. */
export type InvitedRole = Exclude<Role, 'writer'>;

export type InvitationTerms = {
  readonly share: ShareId;
  readonly shareName: string;
  readonly authority: PublicKey;
  /** Public half of the invitation's key pair; the invitation's name. */
  readonly invite: PublicKey;
  readonly role: InvitedRole;
  readonly issuedMs: number;
  readonly expiresMs: number;
  /** How many different members it may admit. */
  readonly uses: number;
};

/** What every member can check: the exact bytes that the authority signed. */
export type SignedTerms = {
  readonly terms: InvitationTerms;
  readonly body: Bytes;
  readonly signature: Bytes;
};

export type Invitation = {
  readonly signed: SignedTerms;
  /** Secret half of the invitation's key pair. */
  readonly seed: Bytes;
  /** The share's secret for page boundaries, 32 bytes. */
  readonly salt: Bytes;
  /** Members to dial first; at most eight. */
  readonly addresses: readonly string[];
};

/** The secret of a share that page boundaries depend on, bytes. */
export const saltBytes = 32;

export type InvitationOptions = {
  readonly shareName: string;
  readonly role: InvitedRole;
  readonly issuedMs: number;
  readonly expiresMs: number;
  readonly uses: number;
  readonly salt: Bytes;
  readonly addresses: readonly string[];
};

/** Makes a fresh key pair and has the authority sign for it. @throws {P2psyncError} usage, where an option is impossible. */
export function createInvitation(options: InvitationOptions, authority: KeyPair): Invitation {
  assert(options.salt.byteLength === saltBytes, 'a salt is 32 bytes');
  const key = generateKeyPair();
  const terms: InvitationTerms = {
    share: shareIdOf(authority.publicKey),
    shareName: options.shareName,
    authority: authority.publicKey,
    invite: key.publicKey,
    role: options.role,
    issuedMs: options.issuedMs,
    expiresMs: options.expiresMs,
    uses: options.uses,
  };
  const fault = termsFault(terms);
  if (fault !== undefined) throw new P2psyncError('usage', `an invitation ${fault}`);
  parseLabel(terms.shareName, "a share's name");
  return {
    signed: signTerms(terms, authority),
    seed: key.seed,
    salt: options.salt,
    addresses: parseAddresses(options.addresses),
  };
}

export function signTerms(terms: InvitationTerms, authority: KeyPair): SignedTerms {
  assert(terms.authority === authority.publicKey, 'an invitation is signed by the authority it names');
  const body = encodeTerms(terms);
  return { terms, body, signature: sign(authority, termsDomain, body) };
}

/** Checks the signature by the authority named inside; the caller knows which authority it trusts. @throws {P2psyncError} malformed, bad-signature. */
export function openTerms(body: Bytes, signature: Bytes): SignedTerms {
  const terms = decodeTerms(body);
  requireSignature(terms.authority, termsDomain, { body, signature }, 'the invitation');
  return { terms, body, signature };
}

/** One line for a shell: `p2psync1-` and letters, digits, `-` and `_`. */
export function writeInvitation(invitation: Invitation): string {
  const writer = createWriter(1024);
  writer.bytes(invitation.signed.body);
  writer.raw(invitation.signed.signature);
  writer.raw(invitation.seed);
  writer.raw(invitation.salt);
  writeAddresses(writer, invitation.addresses);
  const content = writer.finish();
  return prefix + Buffer.concat([content, checksumOf(content)]).toString('base64url');
}

/**
 * Reads and checks a pasted line; white space inside it (a wrapped line) does not matter.
 * @throws {P2psyncError} bad-invitation, where it is damaged, of another version, or forged; expired.
 */
export function readInvitation(text: string, nowMs: number): Invitation {
  const invitation = decodeInvitation(contentOf(text));
  const { terms } = invitation.signed;
  if (nowMs > terms.expiresMs + clockSkewMs) {
    const expired = new Date(terms.expiresMs).toISOString();
    throw new P2psyncError('expired', `this invitation expired at ${expired}; ${remedy}`);
  }
  if (nowMs < terms.issuedMs - clockSkewMs) {
    const issued = new Date(terms.issuedMs).toISOString();
    throw new P2psyncError(
      'bad-invitation',
      `this invitation was made at ${issued}, which is to come: set this machine's clock`,
    );
  }
  return invitation;
}

export function encodeTerms(terms: InvitationTerms): Bytes {
  const writer = createWriter();
  writeFormat(writer);
  writeShare(writer, terms.share);
  writer.text(terms.shareName);
  writeKey(writer, terms.authority);
  writeKey(writer, terms.invite);
  writeRole(writer, terms.role);
  writer.varint(terms.issuedMs);
  writer.varint(terms.expiresMs);
  writer.varint(terms.uses);
  return writer.finish();
}

/** @throws {P2psyncError} malformed. */
export function decodeTerms(body: Bytes): InvitationTerms {
  const reader = createReader(body, 'an invitation');
  readFormat(reader, 'an invitation');
  const share = readShare(reader);
  const shareName = readLabel(reader, "a share's name");
  const authority = readKey(reader);
  const invite = readKey(reader);
  const role = readRole(reader);
  if (role === 'writer') throw new P2psyncError('malformed', 'an invitation for a writer');
  const terms: InvitationTerms = {
    share,
    shareName,
    authority,
    invite,
    role,
    issuedMs: reader.varint(latestMs),
    expiresMs: reader.varint(latestMs),
    uses: reader.varint(membersMax),
  };
  reader.end();
  const fault = termsFault(terms);
  if (fault !== undefined) throw new P2psyncError('malformed', `an invitation ${fault}`);
  return terms;
}

const termsDomain = 'p2psync invitation v1\0';
const prefix = 'p2psync1-';
const checksumBytes = 4;
/** The last millisecond that a Date can name (ECMA-262, 21.4.1.1). */
const latestMs = 8.64e15;
const remedy = 'ask for a new one: p2psync invite on the node that ran init';

function termsFault(terms: InvitationTerms): string | undefined {
  if (terms.share !== shareIdOf(terms.authority)) return 'names a share that is not of its authority';
  if (!Number.isSafeInteger(terms.uses) || terms.uses < 1 || terms.uses > membersMax)
    return `has 1 to ${membersMax} uses`;
  if (terms.expiresMs <= terms.issuedMs) return 'expires after it is made';
  if (terms.expiresMs - terms.issuedMs > invitationLifeMaxMs) return 'lives at most 366 days';
  return undefined;
}

function checksumOf(content: Bytes): Bytes {
  return Buffer.from(digestOf(content), 'hex').subarray(0, checksumBytes);
}

/** @throws {P2psyncError} bad-invitation, where the line is not one whole line of ours. */
function contentOf(text: string): Bytes {
  if (text.length > 2 * invitationCharactersMax) throw damaged('it is too long');
  const line = text.replaceAll(/\s+/g, '');
  if (!line.startsWith(prefix)) {
    if (/^p2psync\d+-/.test(line)) {
      throw new P2psyncError(
        'bad-invitation',
        'this invitation is of another version of p2psync: upgrade this node or the one that made it',
      );
    }
    throw new P2psyncError(
      'bad-invitation',
      `an invitation is one line that starts with ${prefix}; ${remedy}`,
    );
  }
  const digits = line.slice(prefix.length);
  if (digits.length > invitationCharactersMax) throw damaged('it is too long');
  const bytes = Buffer.from(digits, 'base64url');
  if (bytes.toString('base64url') !== digits) throw damaged('it has characters that do not belong there');
  const content = bytes.subarray(0, Math.max(0, bytes.byteLength - checksumBytes));
  if (!equalBytes(checksumOf(content), bytes.subarray(content.byteLength))) {
    throw damaged('it was copied only in part, or mistyped');
  }
  return content;
}

function damaged(how: string): P2psyncError {
  return new P2psyncError(
    'bad-invitation',
    `this invitation is damaged (${how}): paste the whole line again, or ${remedy}`,
  );
}

/** @throws {P2psyncError} bad-invitation, where a whole line does not hold what it claims. */
function decodeInvitation(content: Bytes): Invitation {
  try {
    const reader = createReader(content, 'an invitation');
    const body = reader.bytes(certificateBytesMax);
    const signed = openTerms(body, reader.raw(signatureBytes));
    const seed = reader.raw(seedBytes);
    const salt = reader.raw(saltBytes);
    const addresses = readAddresses(reader);
    reader.end();
    if (keyPairFromSeed(seed).publicKey !== signed.terms.invite) {
      throw new P2psyncError('bad-signature', 'the invitation carries another key than it names');
    }
    return { signed, seed, salt, addresses };
  } catch (cause) {
    if (!(cause instanceof P2psyncError)) throw cause;
    const message = `this invitation is not genuine (${cause.message}); ${remedy}`;
    throw new P2psyncError('bad-invitation', message, {}, { cause });
  }
}
