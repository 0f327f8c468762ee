/** Certificates: the chain from the authority, each way in which it can be broken, and expiry at first sight. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clockSkewMs, invitationLifeMaxMs } from '../../agent/base/limits.ts';
import {
  certificateId,
  certifyByAuthority,
  certifyByInvitation,
  decodeCertificate,
  encodeCertificate,
  type SignedCertificate,
  verifyCertificate,
} from '../../agent/core/certificate.ts';
import { type InvitationTerms, signTerms } from '../../agent/core/invitation.ts';
import { type KeyPair, shareIdOf } from '../../agent/core/keys.ts';
import {
  authority,
  dayMs,
  exampleTerms,
  invitationOf,
  invite,
  invited,
  labels,
  mutations,
  nowMs,
  replica,
  share,
  stranger,
  survives,
  throwsCode,
  writerCertificate,
} from './documents.ts';

const here = { authority: authority.publicKey, nowMs };

/** A certificate for our share, signed by whoever likes to. */
function rogue(change: Partial<SignedCertificate['certificate']>, key: KeyPair = invite): SignedCertificate {
  const certificate = {
    share,
    member: replica.publicKey,
    name: 'web2',
    role: 'replica',
    issuedMs: nowMs,
    ...change,
  } as const;
  const asAuthority = shareIdOf(key.publicKey);
  const signed = certifyByAuthority({ ...certificate, share: asAuthority }, key);
  const body = Buffer.from(signed.body);
  Buffer.from(share, 'hex').copy(body, 1);
  return { ...signed, body };
}

test('a newcomer makes a certificate of its invitation, and a member believes it', () => {
  const signed = invited(replica, 'web2');
  verifyCertificate(signed, here);
  assert.equal(signed.certificate, {
    share,
    member: replica.publicKey,
    name: 'web2',
    role: 'replica',
    issuedMs: nowMs,
  });
});

test('the authority certifies without an invitation', () => {
  verifyCertificate(writerCertificate, here);
  assert.is(writerCertificate.invitation, null);
});

test('a certificate comes back from its bytes, with the same id, and holds', () => {
  fc.assert(
    fc.property(labels, (name) => {
      const signed = invited(replica, name);
      const again = decodeCertificate(encodeCertificate(signed));
      assert.equal(again, signed);
      assert.is(certificateId(again), certificateId(signed));
      verifyCertificate(again, here);
    }),
    { numRuns: 30 },
  );
  assert.equal(decodeCertificate(encodeCertificate(writerCertificate)), writerCertificate);
});

test('another share’s certificate makes no member here', () => {
  throwsCode(
    () => verifyCertificate(invited(replica, 'web2'), { authority: stranger.publicKey, nowMs }),
    'not-a-member',
  );
});

test('what the stranger signs in place of authority or invitation is refused', () => {
  const signed = invited(replica, 'web2');
  throwsCode(() => verifyCertificate({ ...signed, invitation: null }, here), 'bad-signature');
  const other = invited(stranger, 'web3');
  throwsCode(() => verifyCertificate({ ...signed, signature: other.signature }, here), 'bad-signature');
  throwsCode(
    () => verifyCertificate({ ...writerCertificate, invitation: signed.invitation }, here),
    'bad-signature',
  );
});

test('terms that the authority did not sign are refused', () => {
  const signed = invited(replica, 'web2');
  assert.ok(signed.invitation);
  const unsigned = { ...signed.invitation, signature: new Uint8Array(64) };
  throwsCode(() => verifyCertificate({ ...signed, invitation: unsigned }, here), 'bad-signature');
  const terms: InvitationTerms = {
    ...exampleTerms,
    authority: stranger.publicKey,
    share: shareIdOf(stranger.publicKey),
  };
  const foreign = signTerms(terms, stranger);
  throwsCode(() => verifyCertificate({ ...signed, invitation: foreign }, here), 'bad-signature');
});

test('terms of another invitation do not carry a certificate', () => {
  const other = invitationOf({}, stranger);
  throwsCode(
    () => verifyCertificate({ ...invited(replica, 'web2'), invitation: other.signed }, here),
    'bad-signature',
  );
});

test('the key of an invitation gives its own role and no other', () => {
  const terms = signTerms({ ...exampleTerms, role: 'standby' }, authority);
  throwsCode(
    () => verifyCertificate({ ...invited(replica, 'web2'), invitation: terms }, here),
    'bad-invitation',
  );
});

test('a certificate from outside the life of its invitation is refused at any time', () => {
  for (const issuedMs of [nowMs - clockSkewMs - 1, exampleTerms.expiresMs + clockSkewMs + 1]) {
    const invitation = invitationOf({ issuedMs: issuedMs - dayMs / 2, expiresMs: issuedMs + dayMs / 2 });
    const early = certifyByInvitation(invitation, {
      member: replica.publicKey,
      name: 'web2',
      nowMs: issuedMs,
    });
    const moved = { ...early, invitation: invitationOf().signed };
    throwsCode(() => verifyCertificate(moved, { ...here, nowMs: null }), 'bad-invitation');
  }
});

test('a clock that is somewhat off still makes a certificate that holds', () => {
  for (const offMs of [-clockSkewMs, clockSkewMs]) {
    const signed = certifyByInvitation(invitationOf(), {
      member: replica.publicKey,
      name: 'web2',
      nowMs: (offMs < 0 ? exampleTerms.issuedMs : exampleTerms.expiresMs) + offMs,
    });
    verifyCertificate(signed, { ...here, nowMs: offMs < 0 ? nowMs : exampleTerms.expiresMs });
  }
});

test('at first sight an invitation must not have expired; in the roster it may have', () => {
  const signed = invited(replica, 'web2');
  verifyCertificate(signed, { ...here, nowMs: exampleTerms.expiresMs + clockSkewMs });
  throwsCode(
    () => verifyCertificate(signed, { ...here, nowMs: exampleTerms.expiresMs + clockSkewMs + 1 }),
    'expired',
  );
  verifyCertificate(signed, { ...here, nowMs: null });
});

test('a certificate of the authority is new for as long as an invitation can live', () => {
  verifyCertificate(writerCertificate, { ...here, nowMs: nowMs + invitationLifeMaxMs });
  const late = nowMs + invitationLifeMaxMs + clockSkewMs + 1;
  throwsCode(() => verifyCertificate(writerCertificate, { ...here, nowMs: late }), 'expired');
  verifyCertificate(writerCertificate, { ...here, nowMs: null });
});

test('a certificate from the future is refused', () => {
  throwsCode(
    () => verifyCertificate(invited(replica, 'web2'), { ...here, nowMs: nowMs - clockSkewMs - 1 }),
    'expired',
  );
});

test('a name that is none is refused, when made and when read', () => {
  for (const name of ['', 'x'.repeat(65), 'a\u0000b', 'a\nb', ' a', 'a\u202eb']) {
    throwsCode(() => invited(replica, name), 'malformed');
  }
  const named = rogue({ name: 'web2' });
  const at = Buffer.from(named.body).indexOf('web2');
  named.body[at] = 0x0a;
  throwsCode(() => decodeCertificate(encodeCertificate(named)), 'malformed');
});

test('signing for a share whose authority one is not helps nobody', () => {
  const received = decodeCertificate(encodeCertificate(rogue({ role: 'writer' }, stranger)));
  assert.is(received.certificate.role, 'writer');
  throwsCode(() => verifyCertificate(received, here), 'bad-signature');
});

test('mutated certificates are values or refusals, and none of them holds', () => {
  const bytes = encodeCertificate(invited(replica, 'web2'));
  fc.assert(
    fc.property(mutations(bytes), (mutated) => {
      survives(decodeCertificate, mutated);
      if (Buffer.compare(mutated, bytes) === 0) return;
      assert.throws(() => verifyCertificate(decodeCertificate(mutated), here));
    }),
  );
});

test.run();
