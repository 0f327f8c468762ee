/** Generators and examples of what agents say, for the tests of control frames and gossip. */
import * as fc from 'fast-check';
import { digestOf } from '../../agent/core/digest.ts';
import type { SignedBytes } from '../../agent/core/document.ts';
import type { Edit, Entry, Owner } from '../../agent/core/entry.ts';
import { signGrant } from '../../agent/core/grant.ts';
import { signHead } from '../../agent/core/head.ts';
import { comparePaths, parsePath } from '../../agent/core/path.ts';
import { signStatement } from '../../agent/core/statement.ts';
import type { HeadMessage, Message, Operations } from '../../agent/swarm/messages.ts';
import type { BulkFrame } from '../../agent/wire/bulk.ts';
import type { ControlFrame } from '../../agent/wire/frames.ts';
import {
  authority,
  digests,
  exampleGrant,
  exampleHead,
  exampleStatement,
  heads,
  invited,
  record,
  replica,
  share,
  versions,
  writer,
  writerCertificate,
} from '../core/documents.ts';

const owner: Owner = { uid: 33, gid: 33, user: 'www-data', group: 'www-data' };

const paths = fc.stringMatching(/^[a-zé🙂]{1,4}(\/[a-z]{1,4}){0,2}$/u).map(parsePath);

const entries: fc.Arbitrary<Entry> = fc.oneof(
  record({
    kind: fc.constant('directory' as const),
    path: paths,
    mode: fc.nat(0o7777),
    owner: fc.constant(owner),
    mtimeUs: fc.integer(),
  }),
  record({
    kind: fc.constant('file' as const),
    path: paths,
    mode: fc.nat(0o7777),
    owner: fc.constant(owner),
    mtimeUs: fc.integer(),
    size: fc.integer({ min: 1, max: 65_536 }),
    sparse: fc.constant(false),
    content: record({ kind: fc.constant('block' as const), digest: digests }),
  }),
);

const edits: fc.Arbitrary<Edit> = fc.oneof(
  paths.map((path) => ({ path, entry: null })),
  entries.map((entry) => ({ path: entry.path, entry })),
);

export const operations: fc.Arbitrary<Operations> = record({
  base: versions,
  baseRoot: digests,
  moves: fc
    .uniqueArray(fc.nat(99), { maxLength: 6 })
    .map((names) =>
      names.map((name) => ({ from: parsePath(`from/${name}`), to: parsePath(`to ${name}/same`) })),
    ),
  edits: fc
    .uniqueArray(edits, { selector: (edit) => edit.path, maxLength: 6 })
    .map((list) => [...list].sort((left, right) => comparePaths(left.path, right.path))),
  blocks: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 }),
});

export const headMessages: fc.Arbitrary<HeadMessage> = record({
  kind: fc.constant('head' as const),
  head: heads.map((head) => signHead(head, writer)),
  operations: fc.option(operations),
});

export const messages: fc.Arbitrary<Message> = fc.oneof(
  headMessages,
  record({
    kind: fc.constant('status' as const),
    applied: fc.option(versions),
    head: fc.option(versions),
    rosterVersion: fc.maxSafeNat(),
  }),
  record({ kind: fc.constant('have' as const), digests: fc.array(digests, { maxLength: 5 }) }),
  record({ kind: fc.constant('paused' as const), paused: fc.boolean() }),
);

export const exampleFile: Entry = {
  kind: 'file',
  path: parsePath('www/index.html'),
  mode: 0o644,
  owner,
  mtimeUs: 1_767_225_600_000_000,
  size: 5,
  sparse: false,
  content: { kind: 'block', digest: digestOf(Buffer.from('hello')) },
};

export const exampleHeadMessage: HeadMessage = {
  kind: 'head',
  head: signHead(exampleHead, writer),
  operations: {
    base: { epoch: 1, sequence: 41 },
    baseRoot: digestOf(Uint8Array.of(3)),
    moves: [],
    edits: [
      { path: parsePath('old'), entry: null },
      { path: exampleFile.path, entry: exampleFile },
    ],
    blocks: [new Uint8Array(Buffer.from('hello'))],
  },
};

export const exampleStatementMessage = signStatement(exampleStatement, replica);

/** One of each kind of control frame and of message. */
export const exampleControl: readonly ControlFrame[] = [
  {
    kind: 'hello',
    protocol: 1,
    agentVersion: '0.1.0',
    name: 'web2',
    addresses: ['web2:8873'],
    shares: [{ share, certificate: invited(replica, 'web2'), rosterVersion: 3, grantEpoch: 1 }],
  },
  { kind: 'welcome', shares: [{ share, rosterVersion: 4, grantEpoch: 1 }] },
  { kind: 'refused', share, code: 'revoked', text: 'web2 was removed' },
  { kind: 'grant', share, document: documentOf(signGrant(exampleGrant, authority)) },
  { kind: 'roster', share, document: { body: Uint8Array.of(1, 2), signature: Uint8Array.of(3) } },
  { kind: 'introduce', share, certificate: writerCertificate, addresses: ['origin:8873'] },
  { kind: 'share', share, message: exampleHeadMessage },
  {
    kind: 'share',
    share,
    message: {
      kind: 'status',
      applied: { epoch: 1, sequence: 41 },
      head: { epoch: 1, sequence: 42 },
      rosterVersion: 4,
    },
  },
  { kind: 'share', share, message: { kind: 'status', applied: null, head: null, rosterVersion: 0 } },
  { kind: 'share', share, message: { kind: 'have', digests: [exampleHead.root] } },
  { kind: 'share', share, message: { kind: 'paused', paused: true } },
  { kind: 'ping', id: 1 },
  { kind: 'pong', id: 1 },
  { kind: 'goodbye', reason: 'stopping' },
  { kind: 'statement', statement: exampleStatementMessage },
  { kind: 'bulkWanted' },
  {
    kind: 'bulkOffer',
    port: 8875,
    identity: new Uint8Array(16).fill(1),
    key: new Uint8Array(32).fill(2),
  },
];

/** One of each kind of bulk frame. */
export const exampleBulk: readonly BulkFrame[] = [
  { kind: 'request', request: { id: 7, share, plane: 'page', digests: [exampleHead.root] } },
  {
    kind: 'request',
    request: { id: 8, share, plane: 'block', digests: [digestOf(Buffer.from('hello')), exampleHead.root] },
  },
  { kind: 'cancel', id: 7 },
  {
    kind: 'answer',
    answer: {
      kind: 'block',
      id: 8,
      digest: digestOf(Buffer.from('hello')),
      bytes: new Uint8Array(Buffer.from('hello')),
    },
  },
  { kind: 'answer', answer: { kind: 'missing', id: 8, digest: exampleHead.root } },
  { kind: 'answer', answer: { kind: 'busy', id: 9, retryMs: 250 } },
  { kind: 'answer', answer: { kind: 'done', id: 8 } },
  {
    kind: 'packed',
    id: 8,
    digest: digestOf(Buffer.from('hello')),
    blockBytes: 5,
    bytes: Buffer.from('packed'),
  },
  { kind: 'rate', bytesPerSecond: 1_048_576 },
];

function documentOf({ body, signature }: SignedBytes): SignedBytes {
  return { body, signature };
}
