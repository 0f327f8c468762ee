/** One example share with fixed keys, and generators of documents, for the tests of trust and of the wire. */
import * as fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../agent/base/bytes.ts';
import { type ErrorCode, hasCode, P2psyncError } from '../../agent/base/errors.ts';
import {
  certifyByAuthority,
  certifyByInvitation,
  type SignedCertificate,
} from '../../agent/core/certificate.ts';
import { digestOf } from '../../agent/core/digest.ts';
import type { Grant } from '../../agent/core/grant.ts';
import type { Head } from '../../agent/core/head.ts';
import { type Invitation, type InvitationTerms, signTerms } from '../../agent/core/invitation.ts';
import { type KeyPair, keyPairFromSeed, shareIdOf } from '../../agent/core/keys.ts';
import type { Statement } from '../../agent/core/statement.ts';

export const dayMs = 24 * 3600 * 1000;
/** 2026-01-01T00:00:00Z */
export const nowMs = 1_767_225_600_000;

/** Keys by number: the same in every run. */
export function keyOf(number: number): KeyPair {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(28, number);
  return keyPairFromSeed(seed);
}

export const authority = keyOf(1);
export const writer = keyOf(2);
export const replica = keyOf(3);
export const invite = keyOf(4);
export const stranger = keyOf(5);
export const share = shareIdOf(authority.publicKey);
export const salt = new Uint8Array(32).fill(7);

export const exampleTerms: InvitationTerms = {
  share,
  shareName: 'www',
  authority: authority.publicKey,
  invite: invite.publicKey,
  role: 'replica',
  issuedMs: nowMs,
  expiresMs: nowMs + dayMs,
  uses: 2,
};

export function invitationOf(change: Partial<InvitationTerms> = {}, key: KeyPair = invite): Invitation {
  return {
    signed: signTerms({ ...exampleTerms, invite: key.publicKey, ...change }, authority),
    seed: key.seed,
    salt,
    addresses: ['/ip4/192.168.9.1/tcp/8873', 'web1.example.org:8873'],
  };
}

export function invited(member: KeyPair, name: string, invitation = invitationOf()): SignedCertificate {
  return certifyByInvitation(invitation, { member: member.publicKey, name, nowMs });
}

export const writerCertificate = certifyByAuthority(
  { share, member: writer.publicKey, name: 'origin', role: 'writer', issuedMs: nowMs },
  authority,
);

export const exampleHead: Head = {
  share,
  version: { epoch: 1, sequence: 42 },
  previous: digestOf(Uint8Array.of(1)),
  root: digestOf(Uint8Array.of(2)),
  counts: { entries: 3, files: 2, bytes: 1_000_000_000_000 },
  timeMs: nowMs,
  rosterVersion: 7,
  writer: writer.publicKey,
};

export const exampleGrant: Grant = {
  share,
  epoch: 2,
  writer: writer.publicKey,
  base: { epoch: 1, sequence: 41 },
  timeMs: nowMs,
};

export const exampleStatement: Statement = {
  share,
  member: replica.publicKey,
  name: 'web2',
  agentVersion: '0.1.0',
  applied: { version: { epoch: 1, sequence: 42 }, root: exampleHead.root },
  state: 'in-sync',
  progressPermille: 1000,
  addresses: ['/ip4/192.168.9.2/tcp/8873'],
  timeMs: nowMs,
};

/** Plain objects, as the program makes them; fast-check's own have no prototype. */
export function record<T>(model: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

export const digests = fc.uint8Array({ minLength: 0, maxLength: 8 }).map((bytes) => digestOf(bytes));
export const versions = record({ epoch: fc.nat(), sequence: fc.maxSafeNat() });
export const labels = fc
  .stringMatching(/^[a-zA-Z0-9äß日🙂_. -]{1,16}$/u)
  .map((text) => text.trim())
  .filter((text) => text !== '');
export const addresses = fc.array(
  fc.constantFrom(
    '/ip4/10.0.0.1/tcp/8873',
    '[fe80::1]:8873',
    'web1:80',
    '/dns4/a.example/tcp/1/p2p/12D3KooW',
  ),
  { maxLength: 8 },
);
export const keys = fc.integer({ min: 1, max: 9 }).map(keyOf);

export const heads: fc.Arbitrary<Head> = record({
  share: fc.constant(share),
  version: versions,
  previous: fc.option(digests),
  root: digests,
  counts: record({ files: fc.nat(), others: fc.nat(), bytes: fc.maxSafeNat() }).map(
    ({ files, others, bytes }) => ({ entries: files + others, files, bytes }),
  ),
  timeMs: fc.maxSafeNat(),
  rosterVersion: fc.nat(),
  writer: fc.constant(writer.publicKey),
});

export const statements: fc.Arbitrary<Statement> = record({
  share: fc.constant(share),
  member: fc.constant(replica.publicKey),
  name: labels,
  agentVersion: fc.constantFrom('0.1.0', '12.0.3-rc.1+abc'),
  applied: fc.option(record({ version: versions, root: digests })),
  state: fc.constantFrom('starting', 'scanning', 'syncing', 'in-sync', 'stale', 'paused', 'error'),
  progressPermille: fc.nat(1000),
  addresses,
  timeMs: fc.maxSafeNat(),
});

export function throwsCode(act: () => unknown, code: ErrorCode): void {
  assert.throws(act, (error: unknown) => {
    if (!hasCode(error, code)) throw error;
    return true;
  });
}

/** Whatever the bytes are, reading them gives a value or a P2psyncError. */
export function survives(read: (bytes: Bytes) => unknown, bytes: Bytes): void {
  try {
    read(bytes);
  } catch (error) {
    if (!(error instanceof P2psyncError)) throw error;
  }
}

/** One to three bytes of `bytes` changed, or its end cut off. */
export function mutations(bytes: Bytes): fc.Arbitrary<Bytes> {
  const at = fc.nat(bytes.byteLength - 1);
  const changed = fc.array(fc.tuple(at, fc.nat(255)), { minLength: 1, maxLength: 3 }).map((changes) => {
    const copy = new Uint8Array(bytes);
    for (const [index, value] of changes) copy[index] = value;
    return copy;
  });
  return fc.oneof(
    changed,
    at.map((end) => bytes.subarray(0, end)),
  );
}
