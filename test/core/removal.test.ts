/** Removals: only the authority makes one, for its own share, and what they say cannot be altered. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { shareIdOf } from '../../agent/core/keys.ts';
import {
  decodeRemoval,
  encodeRemoval,
  openRemoval,
  type Removal,
  signRemoval,
} from '../../agent/core/removal.ts';
import {
  authority,
  invite,
  keys,
  labels,
  mutations,
  nowMs,
  record,
  replica,
  share,
  stranger,
  survives,
  throwsCode,
  writer,
} from './documents.ts';

const example: Removal = {
  share,
  member: replica.publicKey,
  name: 'web2',
  role: 'replica',
  invite: invite.publicKey,
  timeMs: nowMs,
};

const removals: fc.Arbitrary<Removal> = record({
  share: fc.constant(share),
  member: keys.map((key) => key.publicKey),
  name: labels,
  role: fc.constantFrom('replica', 'standby', 'archive', 'writer'),
  invite: fc.option(keys.map((key) => key.publicKey)),
  timeMs: fc.maxSafeNat(),
});

test('a removal opens to what the authority signed', () => {
  fc.assert(
    fc.property(removals, (removal) => {
      const { body, signature } = signRemoval(removal, authority);
      assert.equal(openRemoval(body, signature, authority.publicKey).removal, removal);
    }),
    { numRuns: 30 },
  );
});

test('nobody but the authority removes: not the writer, not the member, not another authority', () => {
  const { body } = signRemoval(example, authority);
  for (const key of [writer, replica, stranger]) {
    const { signature } = signRemoval({ ...example, share: shareIdOf(key.publicKey) }, key);
    throwsCode(() => openRemoval(body, signature, authority.publicKey), 'bad-signature');
  }
  const foreign = signRemoval({ ...example, share: shareIdOf(stranger.publicKey) }, stranger);
  throwsCode(() => openRemoval(foreign.body, foreign.signature, authority.publicKey), 'not-a-member');
});

test('mutated removals are values or refusals, what is read is canonical, and none of them holds', () => {
  const { body, signature } = signRemoval(example, authority);
  fc.assert(
    fc.property(mutations(body), (mutated) => {
      survives((bytes) => assert.equal(encodeRemoval(decodeRemoval(bytes)), bytes), mutated);
      if (Buffer.compare(mutated, body) === 0) return;
      assert.throws(() => openRemoval(mutated, signature, authority.publicKey));
    }),
  );
});

test.run();
