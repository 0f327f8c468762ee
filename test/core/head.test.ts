/** Heads and grants: round trips, signatures, the chain, and who may say what. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AssertionFailed } from '../../agent/base/assert.ts';
import { digestOf } from '../../agent/core/digest.ts';
import { checkHead, decodeGrant, encodeGrant, openGrant, signGrant } from '../../agent/core/grant.ts';
import {
  decodeHead,
  encodeHead,
  headDigest,
  openHead,
  sameStatement,
  signHead,
} from '../../agent/core/head.ts';
import { shareIdOf } from '../../agent/core/keys.ts';
import {
  authority,
  exampleGrant,
  exampleHead,
  heads,
  keys,
  mutations,
  record,
  share,
  stranger,
  survives,
  throwsCode,
  versions,
  writer,
} from './documents.ts';

test('a signed head opens to what was signed', () => {
  fc.assert(
    fc.property(heads, (head) => {
      const signed = signHead(head, writer);
      assert.equal(openHead(signed.body, signed.signature), signed);
    }),
    { numRuns: 50 },
  );
});

test('encoding is canonical: what decodes encodes to the same bytes', () => {
  fc.assert(
    fc.property(mutations(encodeHead(exampleHead)), (bytes) => {
      survives((body) => assert.equal(encodeHead(decodeHead(body)), new Uint8Array(body)), bytes);
    }),
  );
});

test('a changed head is refused, wherever it was changed', () => {
  const signed = signHead(exampleHead, writer);
  for (let index = 0; index < signed.body.byteLength; index += 1) {
    const body = signed.body.slice();
    body[index] = (body[index] ?? 0) ^ 1;
    assert.throws(() => openHead(body, signed.signature), /malformed|format|signed by|allowed|digest|files/);
  }
});

test('a head of an unknown format says so', () => {
  const body = encodeHead(exampleHead);
  body[0] = 2;
  throwsCode(() => decodeHead(body), 'protocol-mismatch');
});

test('a head with bytes after its end, or with more files than entries, is malformed', () => {
  throwsCode(() => decodeHead(Buffer.concat([encodeHead(exampleHead), Uint8Array.of(0)])), 'malformed');
  const wrong = { ...exampleHead, counts: { entries: 1, files: 2, bytes: 0 } };
  throwsCode(() => decodeHead(encodeHead(wrong)), 'malformed');
});

test('signing in another name is a bug', () => {
  assert.throws(
    () => signHead(exampleHead, stranger),
    (error: unknown) => error instanceof AssertionFailed,
  );
});

test('a head that is only signed again keeps its digest and says the same', () => {
  fc.assert(
    fc.property(heads, fc.nat(), fc.nat(), (head, timeMs, rosterVersion) => {
      const again = { ...head, timeMs, rosterVersion };
      assert.is(headDigest({ head }), headDigest({ head: again }));
      assert.ok(sameStatement(head, again));
    }),
    { numRuns: 50 },
  );
});

test('a head that says something else has another digest', () => {
  const others = [
    { ...exampleHead, root: digestOf(Uint8Array.of(9)) },
    { ...exampleHead, previous: null },
    { ...exampleHead, version: { epoch: 1, sequence: 43 } },
    { ...exampleHead, writer: stranger.publicKey },
  ];
  for (const other of others) {
    assert.is.not(headDigest({ head: other }), headDigest({ head: exampleHead }));
    assert.not.ok(sameStatement(other, exampleHead));
  }
});

test('a signed grant opens to what was signed', () => {
  const grants = record({
    share: fc.constant(share),
    epoch: fc.integer({ min: 1, max: 1_000_000 }),
    writer: keys.map((pair) => pair.publicKey),
    base: fc.option(versions.map(({ sequence }) => ({ epoch: 0, sequence }))),
    timeMs: fc.maxSafeNat(),
  });
  fc.assert(
    fc.property(grants, (grant) => {
      const signed = signGrant(grant, authority);
      assert.equal(openGrant(signed.body, signed.signature, authority.publicKey), signed);
    }),
    { numRuns: 50 },
  );
});

test('a grant of another share, or signed by another, is refused', () => {
  const signed = signGrant(exampleGrant, authority);
  throwsCode(() => openGrant(signed.body, signed.signature, stranger.publicKey), 'bad-grant');
  const forged = signGrant({ ...exampleGrant, share: shareIdOf(stranger.publicKey) }, stranger);
  throwsCode(() => openGrant(signed.body, forged.signature, authority.publicKey), 'bad-signature');
  throwsCode(() => openGrant(forged.body, forged.signature, authority.publicKey), 'bad-grant');
});

test('a grant that continues its own epoch or a later one is malformed', () => {
  const body = encodeGrant({ ...exampleGrant, base: { epoch: exampleGrant.epoch, sequence: 1 } });
  throwsCode(() => decodeGrant(body), 'malformed');
});

test('mutated grants are values or refusals', () => {
  fc.assert(fc.property(mutations(encodeGrant(exampleGrant)), (bytes) => survives(decodeGrant, bytes)));
});

test('only the writer that was granted the epoch makes heads of it', () => {
  const grant = { ...exampleGrant, epoch: 1, base: null };
  checkHead(exampleHead, grant);
  throwsCode(() => checkHead({ ...exampleHead, writer: stranger.publicKey }, grant), 'bad-grant');
  throwsCode(() => checkHead({ ...exampleHead, version: { epoch: 2, sequence: 1 } }, grant), 'bad-grant');
  throwsCode(() => checkHead({ ...exampleHead, share: shareIdOf(stranger.publicKey) }, grant), 'bad-grant');
});

test.run();
