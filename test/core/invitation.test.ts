/** Invitations: the pasteable line, and how a damaged, an expired and a forged one are told apart. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clockSkewMs, invitationCharactersMax, membersMax } from '../../agent/base/limits.ts';
import {
  createInvitation,
  decodeTerms,
  encodeTerms,
  type Invitation,
  openTerms,
  readInvitation,
  signTerms,
  writeInvitation,
} from '../../agent/core/invitation.ts';
import { keyPairFromSeed } from '../../agent/core/keys.ts';
import {
  addresses,
  authority,
  dayMs,
  exampleTerms,
  invitationOf,
  labels,
  mutations,
  nowMs,
  salt,
  stranger,
  survives,
  throwsCode,
} from './documents.ts';

const line = writeInvitation(invitationOf());

function created(): Invitation {
  const options = {
    shareName: 'www',
    role: 'standby',
    issuedMs: nowMs,
    expiresMs: nowMs + dayMs,
    uses: 1,
  } as const;
  return createInvitation({ ...options, salt, addresses: ['web1:8873'] }, authority);
}

test('a created invitation is written and read back, and its key is its own', () => {
  const invitation = created();
  assert.equal(readInvitation(writeInvitation(invitation), nowMs), invitation);
  assert.is(keyPairFromSeed(invitation.seed).publicKey, invitation.signed.terms.invite);
  assert.is.not(created().signed.terms.invite, invitation.signed.terms.invite);
});

test('whatever it carries comes back', () => {
  fc.assert(
    fc.property(labels, addresses, fc.integer({ min: 1, max: membersMax }), (shareName, dial, uses) => {
      const invitation = { ...invitationOf({ shareName, uses }), addresses: dial };
      assert.equal(readInvitation(writeInvitation(invitation), nowMs), invitation);
    }),
    { numRuns: 40 },
  );
});

test('the line is one word for a shell, and not long', () => {
  assert.match(line, /^p2psync1-[A-Za-z0-9_-]+$/);
  assert.ok(line.length < 600, `${line.length} characters`);
  const longest = {
    ...invitationOf({ shareName: 'x'.repeat(64) }),
    addresses: Array(8).fill(`/${'a'.repeat(200)}/${'b'.repeat(138)}`),
  };
  assert.equal(readInvitation(writeInvitation(longest), nowMs), longest);
  assert.ok(writeInvitation(longest).length <= invitationCharactersMax);
});

test('a wrapped line is read as if it were whole', () => {
  const wrapped = `  ${line.slice(0, 80)}\r\n   ${line.slice(80)}\n`;
  assert.equal(readInvitation(wrapped, nowMs), readInvitation(line, nowMs));
});

test('a line cut short anywhere, or mistyped in one place, is called damaged', () => {
  const says = /damaged|starts with p2psync1-/;
  for (let end = 0; end < line.length; end += 1)
    assert.throws(() => readInvitation(line.slice(0, end), nowMs), says);
  for (let at = 9; at < line.length; at += 1) {
    const typed = `${line.slice(0, at)}${line[at] === 'A' ? 'B' : 'A'}${line.slice(at + 1)}`;
    assert.throws(() => readInvitation(typed, nowMs), /damaged/);
    throwsCode(() => readInvitation(typed, nowMs), 'bad-invitation');
  }
});

test('what is no invitation, or one of a later version, says what to do', () => {
  assert.throws(() => readInvitation('hello', nowMs), /p2psync invite on the node that ran init/);
  assert.throws(
    () => readInvitation(line.replace('p2psync1-', 'p2psync2-'), nowMs),
    /another version.*upgrade/,
  );
  throwsCode(() => readInvitation('x'.repeat(10_000_000), nowMs), 'bad-invitation');
});

test('a forged invitation is whole and yet not genuine', () => {
  const { body } = invitationOf().signed;
  const forged = { ...invitationOf(), signed: { terms: exampleTerms, body, signature: new Uint8Array(64) } };
  assert.throws(() => readInvitation(writeInvitation(forged), nowMs), /not genuine.*not signed by/);
  const otherKey = { ...invitationOf(), seed: stranger.seed };
  assert.throws(() => readInvitation(writeInvitation(otherKey), nowMs), /not genuine.*another key/);
});

test('an expired invitation says since when and whom to ask', () => {
  readInvitation(line, exampleTerms.expiresMs + clockSkewMs);
  assert.throws(
    () => readInvitation(line, exampleTerms.expiresMs + clockSkewMs + 1),
    /expired at 2026-01-02T00:00:00.000Z; ask for a new one: p2psync invite/,
  );
  throwsCode(() => readInvitation(line, exampleTerms.expiresMs + dayMs), 'expired');
});

test('a clock that is behind is told from a bad invitation', () => {
  assert.throws(() => readInvitation(line, nowMs - dayMs), /set this machine's clock/);
});

test('impossible terms are refused when they are made and when they are read', () => {
  const wrong = [
    { uses: 0 },
    { uses: membersMax + 1 },
    { expiresMs: nowMs },
    { expiresMs: nowMs + 400 * dayMs },
    { share: '00'.repeat(16) as typeof exampleTerms.share },
    { shareName: '' },
    { shareName: 'a\nb' },
  ];
  for (const change of wrong) {
    assert.throws(
      () => decodeTerms(encodeTerms({ ...exampleTerms, ...change })),
      /invitation|share's name|allowed/,
    );
  }
  const options = { shareName: 'www', role: 'replica', issuedMs: nowMs, expiresMs: nowMs, uses: 1 } as const;
  throwsCode(() => createInvitation({ ...options, salt, addresses: [] }, authority), 'usage');
});

test('nobody is invited to write', () => {
  const body = encodeTerms(exampleTerms);
  // The role follows the format, the share, its name with a length, and two keys.
  body[1 + 16 + 4 + 64] = 0;
  throwsCode(() => decodeTerms(body), 'malformed');
});

test('mutated terms are values or refusals, and never pass as signed', () => {
  const { body, signature } = signTerms(exampleTerms, authority);
  fc.assert(
    fc.property(mutations(body), (bytes) => {
      survives(decodeTerms, bytes);
      if (Buffer.compare(bytes, body) !== 0) assert.throws(() => openTerms(bytes, signature));
    }),
  );
});

test.run();
