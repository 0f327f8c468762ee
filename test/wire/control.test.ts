/** Control frames: round trips, bounds for each kind, and what strangers may try. */
import { create, toBinary } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  controlFrameBytesMax,
  gossipBytesMax,
  haveDigestsMax,
  helloBytesMax,
  reasonBytesMax,
  sharesMax,
} from '../../agent/base/limits.ts';
import { signGrant } from '../../agent/core/grant.ts';
import { signStatement } from '../../agent/core/statement.ts';
import { decodeControl, encodeControl, isBulkSetup } from '../../agent/wire/control.ts';
import type { ControlFrame, Hello, RefusalCode } from '../../agent/wire/frames.ts';
import { FrameSchema } from '../../agent/wire/gen/p2psync/v1/control_pb.ts';
import {
  addresses,
  authority,
  exampleGrant,
  exampleStatement,
  invited,
  labels,
  mutations,
  record,
  replica,
  share,
  statements,
  stranger,
  survives,
  throwsCode,
  writerCertificate,
} from '../core/documents.ts';
import { exampleHeadMessage, messages } from './messages.ts';

const certificates = fc.constantFrom(writerCertificate, invited(replica, 'web2'));
const numbers = fc.maxSafeNat();
const signedBytes = record({
  body: fc.uint8Array({ maxLength: 100 }),
  signature: fc.uint8Array({ maxLength: 70 }),
});
const codes = fc.constantFrom<RefusalCode[]>(
  'not-a-member',
  'revoked',
  'expired',
  'bad-invitation',
  'bad-signature',
  'conflict',
  'limit-exceeded',
  'protocol-mismatch',
  'not-found',
);

const hellos: fc.Arbitrary<Hello> = record({
  kind: fc.constant('hello' as const),
  protocol: fc.constant(1),
  agentVersion: fc.constant('0.1.0'),
  name: labels,
  addresses,
  shares: fc.array(
    record({
      share: fc.constant(share),
      certificate: certificates,
      rosterVersion: numbers,
      grantEpoch: numbers,
    }),
    { maxLength: 3 },
  ),
});

const frames: fc.Arbitrary<ControlFrame> = fc.oneof(
  hellos,
  record({
    kind: fc.constant('welcome' as const),
    shares: fc.array(record({ share: fc.constant(share), rosterVersion: numbers, grantEpoch: numbers }), {
      maxLength: 3,
    }),
  }),
  record({
    kind: fc.constant('refused' as const),
    share: fc.constant(share),
    code: codes,
    text: fc.string({ unit: 'grapheme', maxLength: 20 }),
  }),
  record({
    kind: fc.constantFrom('grant' as const, 'roster' as const, 'removal' as const),
    share: fc.constant(share),
    document: signedBytes,
  }),
  record({
    kind: fc.constant('introduce' as const),
    share: fc.constant(share),
    certificate: certificates,
    addresses,
  }),
  record({ kind: fc.constant('share' as const), share: fc.constant(share), message: messages }),
  record({
    kind: fc.constant('statement' as const),
    statement: statements.map((statement) => signStatement(statement, replica)),
  }),
  record({ kind: fc.constantFrom('ping' as const, 'pong' as const), id: numbers }),
  record({ kind: fc.constant('goodbye' as const), reason: fc.string({ maxLength: 20 }) }),
  record({ kind: fc.constant('bulkWanted' as const) }),
  record({
    kind: fc.constant('bulkOffer' as const),
    port: fc.integer({ min: 1, max: 65_535 }),
    identity: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  }),
);

const exampleHello: Hello = {
  kind: 'hello',
  protocol: 1,
  agentVersion: '0.1.0',
  name: 'web2',
  addresses: ['web2:8873'],
  shares: [{ share, certificate: invited(replica, 'web2'), rosterVersion: 3, grantEpoch: 1 }],
};

test('every frame comes back as it was sent', () => {
  fc.assert(
    fc.property(frames, (frame) => assert.equal(decodeControl(encodeControl(frame)), frame)),
    { numRuns: 300 },
  );
});

test('what is decoded does not keep the frame’s memory', () => {
  const bytes = encodeControl({ kind: 'share', share, message: exampleHeadMessage });
  const frame = decodeControl(bytes);
  bytes.fill(0);
  assert.equal(frame, { kind: 'share', share, message: exampleHeadMessage });
});

test('garbage is refused, and nothing else is thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => survives(decodeControl, bytes)),
    { numRuns: 500 },
  );
  throwsCode(() => decodeControl(new Uint8Array(0)), 'malformed');
});

test('mutated frames are frames or refusals', () => {
  const grant = signGrant(exampleGrant, authority);
  const examples: readonly ControlFrame[] = [
    exampleHello,
    { kind: 'share', share, message: exampleHeadMessage },
    { kind: 'grant', share, document: { body: grant.body, signature: grant.signature } },
    { kind: 'statement', statement: signStatement(exampleStatement, replica) },
    { kind: 'refused', share, code: 'revoked', text: 'no' },
  ];
  for (const example of examples) {
    const bytes = encodeControl(example);
    fc.assert(
      fc.property(mutations(bytes), (mutated) => survives(decodeControl, mutated)),
      { numRuns: 150 },
    );
  }
});

test('a kind of frame or message that is not known yet is passed over', () => {
  // Field 90, two bytes.
  assert.equal(decodeControl(Uint8Array.of(0xd2, 0x05, 0x02, 1, 2)), { kind: 'unknown' });
  const bytes = toBinary(
    FrameSchema,
    create(FrameSchema, { kind: { case: 'share', value: { share: Buffer.from(share, 'hex') } } }),
  );
  assert.equal(decodeControl(bytes), { kind: 'unknown' });
});

test('a frame is one field from end to end', () => {
  const ping = encodeControl({ kind: 'ping', id: 1 });
  throwsCode(() => decodeControl(Buffer.concat([ping, ping])), 'malformed');
  throwsCode(() => decodeControl(Buffer.concat([ping, Uint8Array.of(0)])), 'malformed');
  throwsCode(() => decodeControl(Uint8Array.of(0x40, 1)), 'malformed');
});

test('a hello of another protocol says which, whatever else is in it', () => {
  const value = { protocol: 2, name: '\n' };
  const bytes = toBinary(FrameSchema, create(FrameSchema, { kind: { case: 'hello', value } }));
  assert.throws(() => decodeControl(bytes), /speaks protocol 2, this agent 1: upgrade the older/);
  throwsCode(() => decodeControl(bytes), 'protocol-mismatch');
});

test('a hello is small, and holds few shares and addresses', () => {
  const shares = Array(sharesMax).fill(exampleHello.shares[0]);
  assert.equal(decodeControl(encodeControl({ ...exampleHello, shares })), { ...exampleHello, shares });
  const more = { ...exampleHello, shares: [...shares, ...shares.slice(0, 1)] };
  throwsCode(() => decodeControl(encodeControl(more)), 'limit-exceeded');
  const nine = { ...exampleHello, addresses: Array<string>(9).fill('a:1') };
  throwsCode(() => decodeControl(encodeControl(nine)), 'limit-exceeded');
  const large = { ...exampleHello, addresses: ['a'.repeat(helloBytesMax)] };
  throwsCode(() => decodeControl(encodeControl(large)), 'limit-exceeded');
});

test('each kind has its own bound, and none is above the frame’s', () => {
  throwsCode(() => decodeControl(new Uint8Array(controlFrameBytesMax + 1)), 'limit-exceeded');
  const document = { body: new Uint8Array(10_000), signature: new Uint8Array(64) };
  throwsCode(() => decodeControl(encodeControl({ kind: 'grant', share, document })), 'limit-exceeded');
  assert.is(decodeControl(encodeControl({ kind: 'roster', share, document })).kind, 'roster');
});

test('a certificate for another share than it is shown for is malformed', () => {
  const certificate = invited(replica, 'web2');
  const other = 'ff'.repeat(16) as typeof share;
  const shown = [{ share: other, certificate, rosterVersion: 1, grantEpoch: 1 }];
  throwsCode(() => decodeControl(encodeControl({ ...exampleHello, shares: shown })), 'malformed');
  throwsCode(
    () => decodeControl(encodeControl({ kind: 'introduce', share: other, certificate, addresses: [] })),
    'malformed',
  );
});

test('a head or a statement with a wrong signature is refused while it is read', () => {
  const signature = new Uint8Array(64);
  const message = { ...exampleHeadMessage, head: { ...exampleHeadMessage.head, signature } };
  throwsCode(() => decodeControl(encodeControl({ kind: 'share', share, message })), 'bad-signature');
  const statement = { ...signStatement(exampleStatement, replica), signature };
  throwsCode(() => decodeControl(encodeControl({ kind: 'statement', statement })), 'bad-signature');
});

test('a have holds at most its bound of digests, and whole ones', () => {
  const { root } = exampleHeadMessage.head.head;
  const message = { kind: 'have', digests: Array(haveDigestsMax).fill(root) } as const;
  assert.equal(decodeControl(encodeControl({ kind: 'share', share, message })), {
    kind: 'share',
    share,
    message,
  });
  const packed = (count: number) =>
    toBinary(
      FrameSchema,
      create(FrameSchema, {
        kind: {
          case: 'share',
          value: {
            share: Buffer.from(share, 'hex'),
            message: { case: 'have', value: { digests: new Uint8Array(count) } },
          },
        },
      }),
    );
  throwsCode(() => decodeControl(packed(33 * (haveDigestsMax + 1))), 'limit-exceeded');
  throwsCode(() => decodeControl(packed(34)), 'malformed');
});

test('words of a refusal are cut to their bound between characters', () => {
  const frame = decodeControl(
    encodeControl({ kind: 'refused', share, code: 'conflict', text: '🙂'.repeat(500) }),
  );
  assert.equal(frame, { kind: 'refused', share, code: 'conflict', text: '🙂'.repeat(reasonBytesMax / 4) });
});

test('a reason for a refusal that is not known yet is a refusal all the same', () => {
  const value = { share: Buffer.from(share, 'hex'), code: 99 as never, text: 'because' };
  const bytes = toBinary(FrameSchema, create(FrameSchema, { kind: { case: 'refused', value } }));
  assert.equal(decodeControl(bytes), { kind: 'refused', share, code: 'not-a-member', text: 'because' });
});

test('numbers above 2^53 - 1 are malformed', () => {
  const bytes = toBinary(
    FrameSchema,
    create(FrameSchema, { kind: { case: 'ping', value: { id: 2n ** 53n } } }),
  );
  throwsCode(() => decodeControl(bytes), 'malformed');
});

test('a small frame of very many fields is refused before they are made', () => {
  // A roster frame may be large: fields without content in its document, two bytes each.
  const inner = new Uint8Array(600_000);
  for (let at = 0; at < inner.byteLength; at += 2) inner[at] = 0x0a;
  const bytes = toBinary(
    FrameSchema,
    create(FrameSchema, {
      kind: { case: 'roster', value: { share: Buffer.from(share, 'hex'), document: { body: inner } } },
    }),
  );
  assert.is(decodeControl(bytes).kind, 'roster');
  // The same bytes as the frame's own content are 300,000 fields.
  const many = Buffer.concat([Uint8Array.of(0x2a, 0xc0, 0xcf, 0x24), inner]);
  throwsCode(() => decodeControl(many), 'limit-exceeded');
});

test('a head whose operations are too large for gossip is sent without them', () => {
  const { operations } = exampleHeadMessage;
  assert.ok(operations);
  const message = {
    ...exampleHeadMessage,
    operations: { ...operations, blocks: [new Uint8Array(gossipBytesMax)] },
  };
  const frame = decodeControl(encodeControl({ kind: 'share', share, message }));
  assert.equal(frame, { kind: 'share', share, message: { ...exampleHeadMessage, operations: null } });
});

test('an offer of a bulk connection has a port, an identity of 16 bytes and a key of 32', () => {
  const good = { port: 1, identity: new Uint8Array(16), key: new Uint8Array(32) };
  const decode = (offer: typeof good) =>
    decodeControl(toBinary(FrameSchema, create(FrameSchema, { kind: { case: 'bulkOffer', value: offer } })));
  assert.equal(decode(good), { kind: 'bulkOffer', ...good });
  throwsCode(() => decode({ ...good, port: 0 }), 'malformed');
  throwsCode(() => decode({ ...good, port: 65_536 }), 'malformed');
  throwsCode(() => decode({ ...good, identity: new Uint8Array(17) }), 'malformed');
  throwsCode(() => decode({ ...good, key: new Uint8Array(31) }), 'malformed');
});

test('the frames of the bulk plane are told by their first byte, and no other frame is', () => {
  fc.assert(
    fc.property(frames, (frame) =>
      assert.is(isBulkSetup(encodeControl(frame)), frame.kind === 'bulkWanted' || frame.kind === 'bulkOffer'),
    ),
    { numRuns: 200 },
  );
  assert.not(isBulkSetup(new Uint8Array(0)));
});

test('nobody can send what nobody knows', () => {
  throwsCode(() => encodeControl({ kind: 'unknown' }), 'malformed');
});

test('a certificate is only parsed: who knows the authority verifies it', () => {
  const forged = { ...writerCertificate, signature: new Uint8Array(64) };
  const shares = [{ share, certificate: forged, rosterVersion: 0, grantEpoch: 0 }];
  assert.equal(decodeControl(encodeControl({ ...exampleHello, shares })), { ...exampleHello, shares });
  assert.is.not(forged.certificate.member, stranger.publicKey);
});

test.run();
