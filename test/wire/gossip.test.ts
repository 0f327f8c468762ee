/** Gossip payloads: heads with their operations, and statements. */
import { create, toBinary } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ErrorCode } from '../../agent/base/errors.ts';
import { gossipBytesMax, inlineBytesMax, inlineEditsMax, inlineMovesMax } from '../../agent/base/limits.ts';
import { digestOf, encodeDigest } from '../../agent/core/digest.ts';
import { parsePath, type SharePath } from '../../agent/core/path.ts';
import { signStatement } from '../../agent/core/statement.ts';
import type { Operations } from '../../agent/swarm/messages.ts';
import { HeadMessageSchema } from '../../agent/wire/gen/p2psync/v1/head_pb.ts';
import {
  decodeHeadMessage,
  decodeStatementMessage,
  encodeHeadMessage,
  encodeStatementMessage,
  headsTopic,
  peersTopic,
} from '../../agent/wire/gossip.ts';
import {
  exampleStatement,
  mutations,
  replica,
  share,
  statements,
  survives,
  throwsCode,
} from '../core/documents.ts';
import { exampleHeadMessage, headMessages } from './messages.ts';

function withOperations(change: Partial<Operations>): typeof exampleHeadMessage {
  const { operations } = exampleHeadMessage;
  if (operations === null) throw new Error('the example has operations');
  return { ...exampleHeadMessage, operations: { ...operations, ...change } };
}

test('a head and its operations come back as they were sent', () => {
  fc.assert(
    fc.property(headMessages, (message) =>
      assert.equal(decodeHeadMessage(encodeHeadMessage(message)), message),
    ),
    { numRuns: 100 },
  );
});

test('a statement comes back as it was sent', () => {
  fc.assert(
    fc.property(statements, (statement) => {
      const signed = signStatement(statement, replica);
      assert.equal(decodeStatementMessage(encodeStatementMessage(signed)), signed);
    }),
    { numRuns: 50 },
  );
});

test('mutated heads are heads or refusals, and a changed head never passes', () => {
  const bytes = encodeHeadMessage(exampleHeadMessage);
  fc.assert(
    fc.property(mutations(bytes), (mutated) => {
      survives((input) => assert.equal(decodeHeadMessage(input).head, exampleHeadMessage.head), mutated);
    }),
  );
});

test('mutated statements and garbage are refused', () => {
  const bytes = encodeStatementMessage(signStatement(exampleStatement, replica));
  fc.assert(fc.property(mutations(bytes), (mutated) => survives(decodeStatementMessage, mutated)));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => survives(decodeHeadMessage, garbage)),
  );
  throwsCode(() => decodeStatementMessage(new Uint8Array(0)), 'malformed');
  throwsCode(() => decodeHeadMessage(new Uint8Array(0)), 'malformed');
});

test('edits out of order, or two of one path, are malformed', () => {
  const edits = ['b', 'a'].map((path) => ({ path: parsePath(path), entry: null }));
  throwsCode(() => decodeHeadMessage(encodeHeadMessage(withOperations({ edits }))), 'malformed');
  const twice = ['a', 'a'].map((path) => ({ path: parsePath(path), entry: null }));
  throwsCode(() => decodeHeadMessage(encodeHeadMessage(withOperations({ edits: twice }))), 'malformed');
});

test('a path that leaves the share is refused', () => {
  const bytes = toBinary(
    HeadMessageSchema,
    create(HeadMessageSchema, {
      head: { body: exampleHeadMessage.head.body, signature: exampleHeadMessage.head.signature },
      operations: {
        base: {},
        baseRoot: new Uint8Array(33),
        edits: [{ edit: { case: 'removed', value: '../etc/passwd' } }],
      },
    }),
  );
  throwsCode(() => decodeHeadMessage(bytes), 'bad-path');
});

test('moves that touch each other, lead out of the share or come from outside, are refused', () => {
  const move = (from: string, to: string) => ({ from: from as SharePath, to: to as SharePath });
  const code = (moves: readonly ReturnType<typeof move>[], expected: ErrorCode) =>
    throwsCode(() => decodeHeadMessage(encodeHeadMessage(withOperations({ moves }))), expected);
  code([move('a', 'b'), move('a', 'c')], 'malformed');
  code([move('a', 'b'), move('b/c', 'd')], 'malformed');
  code([move('a', 'a')], 'malformed');
  code([move('a', 'a/b')], 'malformed');
  for (const hostile of ['../b', '/b', 'a/../b', '.p2psync/stage']) {
    code([move('a', hostile)], 'bad-path');
    code([move(hostile, 'a')], 'bad-path');
  }
  const many = Array.from({ length: inlineMovesMax }, (_, at) => move(`a${at}`, `b${at}`));
  assert.equal(decodeHeadMessage(encodeHeadMessage(withOperations({ moves: many }))).operations?.moves, many);
});

test('an edit that says nothing, and operations without a base, are malformed', () => {
  const head = { body: exampleHeadMessage.head.body, signature: exampleHeadMessage.head.signature };
  const messageOf = (operations: object) =>
    toBinary(HeadMessageSchema, create(HeadMessageSchema, { head, operations }));
  throwsCode(() => decodeHeadMessage(messageOf({ edits: [{}] })), 'malformed');
  throwsCode(() => decodeHeadMessage(messageOf({})), 'malformed');
});

test('as many edits, moves and bytes as may be inline pass; one more does not', () => {
  const edits = Array.from({ length: inlineEditsMax }, (_, index) => ({
    path: parsePath(`f${index.toString().padStart(4, '0')}`),
    entry: null,
  }));
  const blocks = [new Uint8Array(inlineBytesMax)];
  const full = withOperations({ edits, blocks });
  assert.equal(decodeHeadMessage(encodeHeadMessage(full)), full);
  const over = withOperations({ blocks: [new Uint8Array(inlineBytesMax), Uint8Array.of(1)] });
  throwsCode(() => decodeHeadMessage(encodeHeadMessage(over)), 'limit-exceeded');
  const pieces = withOperations({ blocks: Array(inlineEditsMax + 1).fill(new Uint8Array(0)) });
  throwsCode(() => decodeHeadMessage(encodeHeadMessage(pieces)), 'limit-exceeded');
  // Our own writer never makes so many.
  const { body, signature } = exampleHeadMessage.head;
  const removals = [...edits.map(({ path }) => path), 'g'].map((value) => ({
    edit: { case: 'removed' as const, value },
  }));
  const moves = Array.from({ length: inlineMovesMax + 1 }, (_, at) => ({ from: `a${at}`, to: `b${at}` }));
  for (const more of [{ edits: removals }, { moves }]) {
    const operations = { base: {}, baseRoot: encodeDigest(digestOf(body)), ...more };
    const many = create(HeadMessageSchema, { head: { body, signature }, operations });
    throwsCode(() => decodeHeadMessage(toBinary(HeadMessageSchema, many)), 'limit-exceeded');
  }
});

test('operations that do not fit a gossip message are left out of it', () => {
  const large = withOperations({ blocks: [new Uint8Array(gossipBytesMax)] });
  const bytes = encodeHeadMessage(large);
  assert.ok(bytes.byteLength < gossipBytesMax);
  assert.is(decodeHeadMessage(bytes).operations, null);
  throwsCode(() => decodeHeadMessage(new Uint8Array(gossipBytesMax + 1)), 'limit-exceeded');
});

test('topics are named by protocol, share and purpose', () => {
  assert.is(headsTopic(share), `/p2psync/1/${share}/heads`);
  assert.is(peersTopic(share), `/p2psync/1/${share}/peers`);
});

test.run();
