/** The roster as a document: canonical, bounded, signed by the granted writer. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  controlFrameBytesMax,
  KIB,
  membersMax,
  revocationsMax,
  rosterAddressesBytesMax,
} from '../../agent/base/limits.ts';
import { type PublicKey, shareIdOf } from '../../agent/core/keys.ts';
import {
  checkRoster,
  compareRosters,
  decodeRoster,
  encodeRoster,
  isMember,
  isRevoked,
  type Member,
  memberOf,
  openRoster,
  type Revocation,
  type Roster,
  roleOf,
  signRoster,
} from '../../agent/core/roster.ts';
import {
  exampleGrant,
  invitationOf,
  invited,
  keyOf,
  mutations,
  nowMs,
  replica,
  share,
  stranger,
  survives,
  throwsCode,
  writer,
  writerCertificate,
} from './documents.ts';

const web2: Member = { certificate: invited(replica, 'web2'), admittedMs: nowMs, addresses: ['web2:8873'] };
const origin: Member = { certificate: writerCertificate, admittedMs: nowMs, addresses: [] };
const gone: Revocation = { member: stranger.publicKey, timeMs: nowMs, invite: null };

const example: Roster = {
  share,
  epoch: 2,
  version: 5,
  writer: writer.publicKey,
  timeMs: nowMs,
  members: byKey([web2, origin], (member) => member.certificate.certificate.member),
  revoked: [gone],
};

function byKey<Item>(items: readonly Item[], keyOf: (item: Item) => string): readonly Item[] {
  return [...items].sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
}

test('a signed roster opens to what was signed', () => {
  const signed = signRoster(example, writer);
  assert.equal(openRoster(signed.body, signed.signature), signed);
  checkRoster(signed.roster, exampleGrant);
});

test('a roster that its writer did not sign, or was not granted to sign, is refused', () => {
  const signed = signRoster(example, writer);
  throwsCode(() => openRoster(signed.body, new Uint8Array(64)), 'bad-signature');
  const forged = signRoster({ ...example, writer: stranger.publicKey }, stranger);
  openRoster(forged.body, forged.signature);
  throwsCode(() => checkRoster(forged.roster, exampleGrant), 'bad-grant');
  throwsCode(() => checkRoster({ ...example, epoch: 3 }, exampleGrant), 'bad-grant');
  throwsCode(
    () => checkRoster({ ...example, share: shareIdOf(stranger.publicKey) }, exampleGrant),
    'bad-grant',
  );
});

test('rosters are ordered by epoch before version', () => {
  const order = [
    { epoch: 1, version: 9 },
    { epoch: 2, version: 3 },
    { epoch: 2, version: 4 },
  ];
  assert.equal([...order].reverse().sort(compareRosters), order);
});

test('members and revoked are found by key, strangers are neither', () => {
  assert.is(memberOf(example, replica.publicKey), web2);
  assert.ok(isMember(example, writer.publicKey));
  assert.ok(isRevoked(example, stranger.publicKey));
  for (const key of [stranger.publicKey, keyOf(99).publicKey]) {
    assert.not.ok(isMember(example, key));
    assert.is(roleOf(example, key), undefined);
  }
  assert.not.ok(isRevoked(example, replica.publicKey));
});

test('every member of a large roster is found', () => {
  const members = many(200);
  const roster = { ...example, members, revoked: [] };
  for (const member of members) assert.is(memberOf(roster, member.certificate.certificate.member), member);
});

test('the writer is who was granted to be; a former writer is a standby', () => {
  assert.is(roleOf(example, writer.publicKey), 'writer');
  assert.is(roleOf(example, replica.publicKey), 'replica');
  assert.is(roleOf(example, replica.publicKey, replica.publicKey), 'writer');
  assert.is(roleOf(example, writer.publicKey, replica.publicKey), 'standby');
});

test('a roster that is unsorted, says one twice, or lists a revoked one as a member is malformed', () => {
  const wrong: Partial<Roster>[] = [
    { members: [...example.members].reverse() },
    { members: [web2, web2] },
    { revoked: [gone, gone] },
    { revoked: [{ ...gone, member: replica.publicKey }] },
    { share: shareIdOf(stranger.publicKey) },
  ];
  for (const change of wrong)
    throwsCode(() => decodeRoster(encodeRoster({ ...example, ...change })), 'malformed');
});

test('counts beyond the bounds are refused before anything is read', () => {
  // After format, share, epoch, version, writer and time comes the number of members.
  const body = encodeRoster({ ...example, members: [], revoked: [] });
  const at = body.byteLength - 2;
  const huge = Buffer.concat([body.subarray(0, at), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f)]);
  throwsCode(() => decodeRoster(huge), 'limit-exceeded');
  throwsCode(() => decodeRoster(new Uint8Array(controlFrameBytesMax)), 'limit-exceeded');
});

test('addresses of one member are bounded in all', () => {
  const long = Array.from({ length: 2 }, (_, index) => `/dns4/${'a'.repeat(200)}${index}/tcp/1`);
  const members = [{ ...web2, addresses: long }];
  throwsCode(() => decodeRoster(encodeRoster({ ...example, members })), 'limit-exceeded');
});

test('a thousand members with the longest of everything and as many revocations as are kept fit one frame', () => {
  const addresses = Array.from(
    { length: 8 },
    (_, index) => `/${'a'.repeat(rosterAddressesBytesMax / 8 - 4)}/b${index}`,
  );
  const members = many(membersMax, 'x'.repeat(58)).map((member) => ({ ...member, addresses }));
  const revoked = Array.from({ length: revocationsMax }, (_, index) => ({
    member: index.toString(16).padStart(64, '0') as PublicKey,
    timeMs: nowMs,
    invite: stranger.publicKey,
  }));
  const signed = signRoster({ ...example, members, revoked }, writer);
  assert.equal(decodeRoster(signed.body), signed.roster);
  assert.ok(signed.body.byteLength + KIB < controlFrameBytesMax, `${signed.body.byteLength} bytes`);
});

test('mutated rosters are values or refusals, and what is read is canonical', () => {
  fc.assert(
    fc.property(mutations(encodeRoster(example)), (bytes) => {
      survives((body) => assert.equal(encodeRoster(decodeRoster(body)), new Uint8Array(body)), bytes);
    }),
  );
});

/** Members with keys of their own; signed by one key, which nobody checks here. */
function many(count: number, prefix = 'web'): readonly Member[] {
  const invitation = invitationOf({ shareName: 's'.repeat(64) });
  const members = Array.from({ length: count }, (_, index) => ({
    certificate: invited(keyOf(100 + index), `${prefix}${index}`, invitation),
    admittedMs: nowMs,
    addresses: [],
  }));
  return byKey(members, (member) => member.certificate.certificate.member);
}

test.run();
