/** The layouts are frozen: an example of each signed document and frame is, byte for byte, the one in test/vectors. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bytes, fromHex, toHex } from '../../agent/base/bytes.ts';
import { decodeCertificate, encodeCertificate, verifyCertificate } from '../../agent/core/certificate.ts';
import { openGrant, signGrant } from '../../agent/core/grant.ts';
import { headDigest, openHead, signHead } from '../../agent/core/head.ts';
import { openTerms, readInvitation, writeInvitation } from '../../agent/core/invitation.ts';
import { peerIdOf } from '../../agent/core/keys.ts';
import { openRoster, type Roster, signRoster } from '../../agent/core/roster.ts';
import { openStatement, signStatement } from '../../agent/core/statement.ts';
import {
  authority,
  exampleGrant,
  exampleHead,
  exampleStatement,
  invitationOf,
  invited,
  nowMs,
  replica,
  share,
  stranger,
  writer,
  writerCertificate,
} from './documents.ts';

type Vector = { readonly body: string; readonly signature: string };
type Vectors = {
  readonly keys: Readonly<
    Record<'authority' | 'writer' | 'replica', { seed: string; publicKey: string; peerId: string }>
  >;
  readonly share: string;
  readonly head: Vector & { readonly digest: string };
  readonly grant: Vector;
  readonly roster: Vector;
  readonly statement: Vector;
  readonly terms: Vector;
  readonly certificate: string;
  readonly invitation: string;
};

const path = join(import.meta.dirname, '..', 'vectors', 'documents.json');
const vectors = JSON.parse(readFileSync(path, 'utf8')) as Vectors;

const roster: Roster = {
  share,
  epoch: 1,
  version: 2,
  writer: writer.publicKey,
  timeMs: nowMs,
  members: [
    { certificate: invited(replica, 'web2'), admittedMs: nowMs, addresses: ['web2:8873'] },
    { certificate: writerCertificate, admittedMs: nowMs, addresses: [] },
  ].sort((left, right) =>
    left.certificate.certificate.member < right.certificate.certificate.member ? -1 : 1,
  ),
  revoked: [{ member: stranger.publicKey, timeMs: nowMs, invite: null }],
};

function bytesOf(hex: string): Bytes {
  const bytes = fromHex(hex);
  assert.ok(bytes);
  return bytes;
}

function check(signed: { readonly body: Bytes; readonly signature: Bytes }, vector: Vector): void {
  assert.is(toHex(signed.body), vector.body);
  assert.is(toHex(signed.signature), vector.signature);
}

test('keys, their peers and their share', () => {
  const pairs = { authority, writer, replica };
  for (const name of ['authority', 'writer', 'replica'] as const) {
    const { seed, publicKey } = pairs[name];
    assert.equal({ seed: toHex(seed), publicKey, peerId: peerIdOf(publicKey) }, vectors.keys[name]);
  }
  assert.is(share, vectors.share);
});

test('a head', () => {
  check(signHead(exampleHead, writer), vectors.head);
  const opened = openHead(bytesOf(vectors.head.body), bytesOf(vectors.head.signature));
  assert.equal(opened.head, exampleHead);
  assert.is(headDigest(opened), vectors.head.digest);
});

test('a grant', () => {
  check(signGrant(exampleGrant, authority), vectors.grant);
  const opened = openGrant(
    bytesOf(vectors.grant.body),
    bytesOf(vectors.grant.signature),
    authority.publicKey,
  );
  assert.equal(opened.grant, exampleGrant);
});

test('a roster', () => {
  check(signRoster(roster, writer), vectors.roster);
  assert.equal(openRoster(bytesOf(vectors.roster.body), bytesOf(vectors.roster.signature)).roster, roster);
});

test('a statement', () => {
  check(signStatement(exampleStatement, replica), vectors.statement);
  const opened = openStatement(bytesOf(vectors.statement.body), bytesOf(vectors.statement.signature));
  assert.equal(opened.statement, exampleStatement);
});

test('an invitation, its terms, and the certificate that comes of it', () => {
  const invitation = invitationOf();
  check(invitation.signed, vectors.terms);
  assert.equal(openTerms(bytesOf(vectors.terms.body), bytesOf(vectors.terms.signature)), invitation.signed);
  assert.is(writeInvitation(invitation), vectors.invitation);
  assert.equal(readInvitation(vectors.invitation, nowMs), invitation);
  const certificate = invited(replica, 'web2');
  assert.is(toHex(encodeCertificate(certificate)), vectors.certificate);
  verifyCertificate(decodeCertificate(bytesOf(vectors.certificate)), {
    authority: authority.publicKey,
    nowMs,
  });
});

test.run();
