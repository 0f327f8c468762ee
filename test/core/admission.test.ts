/** Who is taken into a share and who is not. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  clockSkewMs,
  introductionGraceMs,
  invitationLifeMaxMs,
  membersMax,
  revocationsMax,
} from '../../agent/base/limits.ts';
import { admit, exclude, type RosterOutcome, revoke } from '../../agent/core/admission.ts';
import { certifyByInvitation } from '../../agent/core/certificate.ts';
import type { PublicKey } from '../../agent/core/keys.ts';
import {
  decodeRoster,
  emptyRoster,
  encodeRoster,
  isMember,
  isRevoked,
  memberOf,
  type Roster,
} from '../../agent/core/roster.ts';
import {
  authority,
  invitationOf,
  invited,
  keyOf,
  nowMs,
  replica,
  share,
  stranger,
  writer,
  writerCertificate,
} from './documents.ts';

const empty = emptyRoster({ share, epoch: 1, writer: writer.publicKey, timeMs: nowMs });
const first = changedTo(admit(empty, writerCertificate, nowMs, ['origin:8873']));

function changedTo(outcome: RosterOutcome): Roster {
  assert.is(outcome.kind, 'changed');
  if (outcome.kind !== 'changed') throw new Error('unreachable');
  return outcome.roster;
}

function refusedWith(outcome: RosterOutcome, code: string, says: RegExp): void {
  if (outcome.kind !== 'refused') throw new Error(`${outcome.kind} instead of refused`);
  assert.is(outcome.code, code);
  assert.match(outcome.reason, says);
}

test('admission adds a member, raises the version and leaves the old roster as it was', () => {
  const next = changedTo(admit(first, invited(replica, 'web2'), nowMs + 5, ['web2:8873']));
  assert.is(next.version, first.version + 1);
  assert.is(next.timeMs, nowMs + 5);
  assert.equal(memberOf(next, replica.publicKey)?.addresses, ['web2:8873']);
  assert.is(memberOf(next, replica.publicKey)?.admittedMs, nowMs + 5);
  assert.not.ok(isMember(first, replica.publicKey));
});

test('in whatever order members come, the roster is sorted and the same', () => {
  const numbers = [10, 11, 12, 13, 14, 15];
  const invitation = invitationOf({ uses: membersMax });
  const certificates = numbers.map((number) => invited(keyOf(number), `web${number}`, invitation));
  const admitAll = (order: typeof certificates): Roster =>
    order.reduce((roster, certificate) => changedTo(admit(roster, certificate, nowMs, [])), first);
  const expected = encodeRoster(admitAll(certificates));
  fc.assert(
    fc.property(fc.shuffledSubarray(certificates, { minLength: numbers.length }), (order) => {
      assert.equal(encodeRoster(admitAll(order)), expected);
    }),
    { numRuns: 20 },
  );
  assert.is(decodeRoster(expected).members.length, numbers.length + 1);
});

test('whom the roster knows changes nothing, and nothing said of addresses is no news', () => {
  const roster = changedTo(admit(first, invited(replica, 'web2'), nowMs, ['web2:8873']));
  assert.is(admit(roster, invited(replica, 'web2'), nowMs + 9, ['web2:8873']).kind, 'unchanged');
  assert.is(admit(roster, invited(replica, 'web2'), nowMs + 9, []).kind, 'unchanged');
  const moved = changedTo(admit(roster, invited(replica, 'web2'), nowMs + 9, ['10.0.0.9:8873']));
  assert.equal(memberOf(moved, replica.publicKey)?.addresses, ['10.0.0.9:8873']);
  assert.is(memberOf(moved, replica.publicKey)?.admittedMs, nowMs);
});

test('a later certificate replaces an earlier one, and never the other way round', () => {
  const again = invitationOf({ role: 'archive' }, keyOf(77));
  const earlier = invited(replica, 'web2');
  const later = certifyByInvitation(again, { member: replica.publicKey, name: 'web2', nowMs: nowMs + 1000 });
  const roster = changedTo(admit(first, earlier, nowMs, []));
  const replaced = changedTo(admit(roster, later, nowMs, []));
  assert.is(memberOf(replaced, replica.publicKey)?.certificate, later);
  assert.is(admit(replaced, earlier, nowMs, []).kind, 'unchanged');
});

test('an invitation is used up by others, not by the same member again', () => {
  const once = invitationOf({ uses: 1 });
  const roster = changedTo(admit(first, invited(replica, 'web2', once), nowMs, []));
  refusedWith(
    admit(roster, invited(stranger, 'web3', once), nowMs, []),
    'bad-invitation',
    /good once and is used up/,
  );
  assert.is(admit(roster, invited(replica, 'web2', once), nowMs, ['new:1']).kind, 'changed');
  const twice = invitationOf({ uses: 2 });
  const second = changedTo(admit(roster, invited(stranger, 'web3', twice), nowMs, []));
  refusedWith(admit(second, invited(keyOf(9), 'web4', twice), nowMs, []), 'bad-invitation', /2 times/);
});

test('removing a member does not give its use of the invitation back', () => {
  const once = invitationOf({ uses: 1 });
  const roster = changedTo(admit(first, invited(replica, 'web2', once), nowMs, []));
  const without = changedTo(revoke(roster, replica.publicKey, nowMs));
  refusedWith(admit(without, invited(stranger, 'web3', once), nowMs, []), 'bad-invitation', /used up/);
});

test('a revoked member is out and stays out', () => {
  const roster = changedTo(admit(first, invited(replica, 'web2'), nowMs, []));
  const without = changedTo(revoke(roster, replica.publicKey, nowMs + 1));
  assert.not.ok(isMember(without, replica.publicKey));
  assert.ok(isRevoked(without, replica.publicKey));
  assert.is(without.version, roster.version + 1);
  const fresh = invited(replica, 'other', invitationOf({}, keyOf(88)));
  refusedWith(admit(without, fresh, nowMs + 2, []), 'revoked', /new identity/);
  assert.is(revoke(without, replica.publicKey, nowMs + 2).kind, 'unchanged');
  assert.is(decodeRoster(encodeRoster(without)).revoked.length, 1);
});

test('the writer and strangers cannot be removed', () => {
  refusedWith(revoke(first, writer.publicKey, nowMs), 'conflict', /promote another agent first/);
  refusedWith(revoke(first, stranger.publicKey, nowMs), 'not-a-member', /no member/);
});

test('who is removed before it was ever seen stays out, and its invitation has been used', () => {
  const once = invitationOf({ uses: 1 });
  const unseen = { member: stranger.publicKey, timeMs: nowMs, invite: once.signed.terms.invite };
  const without = changedTo(exclude(first, unseen, nowMs + 5));
  assert.equal(without.revoked, [unseen]);
  assert.is(without.version, first.version + 1);
  assert.is(exclude(without, unseen, nowMs + 6).kind, 'unchanged');
  refusedWith(admit(without, invited(stranger, 'late', once), nowMs, []), 'revoked', /new identity/);
  refusedWith(admit(without, invited(replica, 'web2', once), nowMs, []), 'bad-invitation', /used up/);
});

test('who writes by a newer grant cannot be removed, and who wrote before can', () => {
  const two = changedTo(admit(first, invited(replica, 'web2'), nowMs, []));
  refusedWith(revoke(two, replica.publicKey, nowMs, replica.publicKey), 'conflict', /web2 is the writer/);
  const without = changedTo(revoke(two, writer.publicKey, nowMs, replica.publicKey));
  assert.ok(isRevoked(without, writer.publicKey));
});

test('two members may have one name: machines made from one image share it', () => {
  const roster = changedTo(admit(first, invited(replica, 'web2'), nowMs, []));
  const both = changedTo(admit(roster, invited(stranger, 'web2'), nowMs, []));
  assert.ok(isMember(both, replica.publicKey) && isMember(both, stranger.publicKey));
});

test('a share is full at a thousand members', () => {
  const member = first.members[0];
  assert.ok(member);
  // Only the number of the others counts here, so one member stands for all of them.
  const full = { ...first, members: Array.from({ length: membersMax }, () => member) };
  refusedWith(admit(full, invited(replica, 'web2'), nowMs, []), 'limit-exceeded', /1000 members already/);
});

test('of many or long addresses the first that fit are kept, each once', () => {
  const addresses = ['a:1', 'a:1', ...Array.from({ length: 20 }, (_, index) => `b${index}:1`)];
  const roster = changedTo(admit(first, invited(replica, 'web2'), nowMs, addresses));
  assert.equal(memberOf(roster, replica.publicKey)?.addresses, ['a:1', ...addresses.slice(2, 9)]);
  const long = changedTo(
    admit(first, invited(replica, 'web2'), nowMs, [`${'a'.repeat(250)}:1`, `${'b'.repeat(250)}:1`]),
  );
  assert.is(memberOf(long, replica.publicKey)?.addresses.length, 1);
  decodeRoster(encodeRoster(long));
});

test('revocations are forgotten only when they guard against nothing and room is needed', () => {
  const revocations = (timeMs: number) =>
    Array.from({ length: revocationsMax }, (_, index) => ({
      member: index.toString(16).padStart(64, '0') as PublicKey,
      timeMs,
      invite: authority.publicKey,
    }));
  const roster = changedTo(admit(first, invited(replica, 'web2'), nowMs, []));
  const lateMs = nowMs + invitationLifeMaxMs + introductionGraceMs + 2 * clockSkewMs + 1;
  const old = changedTo(revoke({ ...roster, revoked: revocations(nowMs) }, replica.publicKey, lateMs));
  assert.is(old.revoked.length, 1);
  const young = revoke({ ...roster, revoked: revocations(nowMs + 1) }, replica.publicKey, lateMs);
  refusedWith(young, 'limit-exceeded', /2000 members/);
});

test.run();
