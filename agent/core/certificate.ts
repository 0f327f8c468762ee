/**
 * "K is a member of this share, by this name and in this role": issued by the authority itself, or by the key of an
 * invitation whose terms ride along, so that any member can check a newcomer with no one else online. Pure.
 */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { certificateBytesMax, clockSkewMs, invitationLifeMaxMs } from '../base/limits.ts';
import { createReader, createWriter, type Reader, type Writer } from './codec.ts';
import { type Digest, digestOf } from './digest.ts';
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
import { decodeTerms, type Invitation, openTerms, type SignedTerms } from './invitation.ts';
import {
  type KeyPair,
  keyPairFromSeed,
  type PublicKey,
  type Role,
  requireSignature,
  type ShareId,
  shareIdOf,
  sign,
  signatureBytes,
} from './keys.ts';
import { parseLabel } from './label.ts';

export type Certificate = {
  readonly share: ShareId;
  readonly member: PublicKey;
  /** 1 to 64 bytes, no control characters. */
  readonly name: string;
  readonly role: Role;
  /** When this was signed, ms since 1970, by the clock of who issued it. */
  readonly issuedMs: number;
};

/** What is stored and sent: the exact bytes that were signed, never encoded again. */
export type SignedCertificate = {
  readonly certificate: Certificate;
  /** The terms of the invitation whose key signed; null where the authority did. */
  readonly invitation: SignedTerms | null;
  readonly body: Bytes;
  readonly signature: Bytes;
};

/** @throws {P2psyncError} malformed, where the name is not a name. */
export function certifyByAuthority(certificate: Certificate, authority: KeyPair): SignedCertificate {
  assert(certificate.share === shareIdOf(authority.publicKey), 'the authority is of the share');
  return issue(certificate, null, authority);
}

/** What a newcomer makes of its invitation, by itself. @throws {P2psyncError} malformed, where the name is not a name. */
export function certifyByInvitation(
  invitation: Invitation,
  newcomer: { readonly member: PublicKey; readonly name: string; readonly nowMs: number },
): SignedCertificate {
  const { terms } = invitation.signed;
  const { member, name, nowMs } = newcomer;
  // A clock that is off by less than the tolerance must not make a certificate from outside the invitation's life.
  const issuedMs = Math.min(Math.max(nowMs, terms.issuedMs), terms.expiresMs);
  const certificate: Certificate = { share: terms.share, member, name, role: terms.role, issuedMs };
  return issue(certificate, invitation.signed, keyPairFromSeed(invitation.seed));
}

/**
 * Who is trusted, and when: `nowMs` at the first sight of a newcomer, null for one that the roster names. `graceMs`: that
 * long after its end an invitation still counts, because a member says that it was shown in time.
 */
export type CertificateContext = {
  readonly authority: PublicKey;
  readonly nowMs: number | null;
  readonly graceMs?: number;
};

/**
 * The whole chain: authority, invitation, certificate. Revocation and uses are the roster's to judge.
 * @throws {P2psyncError} not-a-member (another share), bad-signature, bad-invitation (terms broken), expired.
 */
export function verifyCertificate(signed: SignedCertificate, context: CertificateContext): void {
  const { certificate, invitation } = signed;
  if (certificate.share !== shareIdOf(context.authority)) {
    throw new P2psyncError('not-a-member', `${certificate.name} has a certificate for another share`, {
      member: certificate.member,
    });
  }
  if (invitation === null) {
    requireSignature(context.authority, certificateDomain, signed, `the certificate of ${certificate.name}`);
    if (context.nowMs !== null)
      checkFresh(certificate, certificate.issuedMs + invitationLifeMaxMs, context.nowMs);
    return;
  }
  const { terms } = invitation;
  if (terms.authority !== context.authority) {
    throw new P2psyncError('bad-signature', `${certificate.name} was invited by another authority`, {
      member: certificate.member,
    });
  }
  openTerms(invitation.body, invitation.signature);
  requireSignature(terms.invite, certificateDomain, signed, `the certificate of ${certificate.name}`);
  const fault =
    certificate.role !== terms.role
      ? `takes the role ${certificate.role}, its invitation gives ${terms.role}`
      : certificate.issuedMs < terms.issuedMs - clockSkewMs ||
          certificate.issuedMs > terms.expiresMs + clockSkewMs
        ? 'was made outside the life of its invitation'
        : undefined;
  if (fault !== undefined) {
    throw new P2psyncError('bad-invitation', `the certificate of ${certificate.name} ${fault}`, {
      member: certificate.member,
    });
  }
  if (context.nowMs !== null)
    checkFresh(certificate, terms.expiresMs + (context.graceMs ?? 0), context.nowMs);
}

/** Stays the same wherever the certificate is: SHA-256 of what was signed. */
export function certificateId(signed: SignedCertificate): Digest {
  return digestOf(signed.body);
}

/** Body, signature and terms in one run of bytes, as a hello or a roster carries them. */
export function encodeCertificate(signed: SignedCertificate): Bytes {
  const writer = createWriter(512);
  writeCertificate(writer, signed);
  return writer.finish();
}

/** Parses only: what it says is believed after `verifyCertificate`. @throws {P2psyncError} malformed. */
export function decodeCertificate(bytes: Bytes): SignedCertificate {
  const reader = createReader(bytes, 'a certificate');
  const signed = readCertificate(reader);
  reader.end();
  return signed;
}

export function writeCertificate(writer: Writer, signed: SignedCertificate): void {
  writer.bytes(signed.body);
  writer.raw(signed.signature);
  writeOptional(writer, signed.invitation, (invitation) => {
    writer.bytes(invitation.body);
    writer.raw(invitation.signature);
  });
}

/** @throws {P2psyncError} malformed. */
export function readCertificate(reader: Reader): SignedCertificate {
  const body = reader.bytes(certificateBytesMax);
  const signature = reader.raw(signatureBytes);
  const invitation = readOptional(reader, () => {
    const termsBody = reader.bytes(certificateBytesMax);
    return { terms: decodeTerms(termsBody), body: termsBody, signature: reader.raw(signatureBytes) };
  });
  return { certificate: decodeBody(body), invitation, body, signature };
}

const certificateDomain = 'p2psync certificate v1\0';

function issue(certificate: Certificate, invitation: SignedTerms | null, issuer: KeyPair): SignedCertificate {
  parseLabel(certificate.name, "an agent's name");
  const body = encodeBody(certificate);
  return { certificate, invitation, body, signature: sign(issuer, certificateDomain, body) };
}

function checkFresh(certificate: Certificate, expiresMs: number, nowMs: number): void {
  const expired = nowMs > expiresMs + clockSkewMs;
  if (!expired && nowMs >= certificate.issuedMs - clockSkewMs) return;
  const how = expired
    ? 'uses an invitation that has expired: invite it again'
    : 'has a certificate from the future: one of the clocks is wrong';
  throw new P2psyncError('expired', `${certificate.name} ${how}`, { member: certificate.member });
}

function encodeBody(certificate: Certificate): Bytes {
  const writer = createWriter();
  writeFormat(writer);
  writeShare(writer, certificate.share);
  writeKey(writer, certificate.member);
  writer.text(certificate.name);
  writeRole(writer, certificate.role);
  writer.varint(certificate.issuedMs);
  return writer.finish();
}

function decodeBody(body: Bytes): Certificate {
  const reader = createReader(body, 'a certificate');
  readFormat(reader, 'a certificate');
  const certificate: Certificate = {
    share: readShare(reader),
    member: readKey(reader),
    name: readLabel(reader, "an agent's name"),
    role: readRole(reader),
    issuedMs: reader.varint(),
  };
  reader.end();
  return certificate;
}
