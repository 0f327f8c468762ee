/** What a share tells its logs: who sent what, what was published, what healed. On real trees, with a disk that only answers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { transferSourcesMax } from '../../agent/base/limits.ts';
import { buildBlockList } from '../../agent/core/blocklist.ts';
import { buildTree, emptyTree } from '../../agent/core/build.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { Change, Entry, FileEntry } from '../../agent/core/entry.ts';
import { signHead } from '../../agent/core/head.ts';
import { generateKeyPair, type PeerId, peerIdOf, shareIdOf } from '../../agent/core/keys.ts';
import type { SharePath } from '../../agent/core/path.ts';
import type { Applier } from '../../agent/daemon/apply.ts';
import type { AuditEvent } from '../../agent/daemon/audit-event.ts';
import { createShareNotes } from '../../agent/daemon/share-notes.ts';
import type { TransferLog } from '../../agent/daemon/transfer-log.ts';
import type { TransferRecord } from '../../agent/daemon/transfer-record.ts';
import { createSources } from '../../agent/daemon/transfer-sources.ts';
import type { CommitResult } from '../../agent/disk/commit.ts';
import type { ShareStore } from '../../agent/store/share-store.ts';
import { createShelf, fileAt, salt, sorted } from '../core/trees.ts';

const keyPair = generateKeyPair();
const writer = peerIdOf(keyPair.publicKey);
const ana = 'ana' as PeerId;
const bo = 'bo' as PeerId;
const { signal } = new AbortController();

const path = (text: string): SharePath => text as SharePath;
const digestIn = (entry: FileEntry): Digest => {
  if (entry.content.kind === 'empty') throw new Error('an empty file has no digest');
  return entry.content.digest;
};

function setUp() {
  const shelf = createShelf();
  const events: AuditEvent[] = [];
  const records: TransferRecord[] = [];
  const transfers: TransferLog = {
    add: (job) => void records.push(...job.records()),
    reopen: () => undefined,
    warning: () => null,
    close: async () => undefined,
  };
  const store = {
    page: shelf.source,
    state: () => undefined,
    record: () => undefined,
  } as unknown as ShareStore;
  const notes = createShareNotes({
    share: 'www',
    store,
    transfers,
    audit: (event) => void events.push(event),
    self: 'self' as PeerId,
    nameOf: (peer) => (peer === writer ? 'writer' : `${peer}'s name`),
    addressOf: (peer) => (peer === bo ? '' : '192.0.2.1'),
    writer: () => keyPair.publicKey,
  });
  const treeOf = (entries: readonly Entry[]): Digest => shelf.put(buildTree(sorted(entries), salt)).root;
  const came = (peer: PeerId, digest: Digest): void =>
    notes.heard({ kind: 'stored', peer, id: 1, digest, bytes: 1 }, () => true);
  return { notes, shelf, events, records, treeOf, came };
}

const nothing: CommitResult = { done: [], kept: [], failed: [], lost: [] };

/** An applier whose commit ends in that result. */
function applierOf(result: Partial<CommitResult>): Applier {
  const outcome = { kind: 'applied', result: { ...nothing, ...result } } as const;
  return {
    apply: async () => outcome,
    commitHere: async () => outcome,
    recover: async () => ({
      target: null,
      applied: null,
      recovered: { finished: null, rehash: [], rehashAll: false },
    }),
  };
}

const doneOf = (...paths: readonly string[]): CommitResult['done'] =>
  paths.map((one) => ({ path: path(one), stat: null }));

test('each file names who sent its blocks and how many bytes; what came for one is not counted for another', async () => {
  const { notes, records, shelf, treeOf, came } = setUp();
  const refs = [1, 2, 3].map((seed) => ({ digest: digestOf(Uint8Array.of(seed)), length: seed * 100_000 }));
  const list = buildBlockList(refs);
  for (const [digest, bytes] of list.pages) shelf.pages.set(digest, bytes);
  const large: FileEntry = {
    ...fileAt('large', 1, 600_000),
    content: { kind: 'list', digest: list.digest, cut: 'small' },
  };
  const small = fileAt('small', 9);
  const twin = { ...fileAt('twin', 9) };
  came(ana, refs[0]?.digest as Digest);
  came(bo, refs[1]?.digest as Digest);
  came(bo, refs[2]?.digest as Digest);
  came(ana, digestIn(small));
  const entries = [large, small, twin];
  const root = treeOf(entries);
  const changes = entries.map((after): Change => ({ path: after.path, before: null, after }));
  const target = { version: { epoch: 1, sequence: 4 }, root };
  await notes.watching(applierOf({})).apply(target, changes, { signal });
  assert.equal(
    records.map(({ path: one, bytes, from }) => [
      one,
      bytes,
      from.map(({ peer, bytes: part }) => [peer, part]),
    ]),
    [
      [
        'large',
        600_000,
        [
          [bo, 500_000],
          [ana, 100_000],
        ],
      ],
      ['small', 100, [[ana, 100]]],
      ['twin', 0, [[writer, 0]]],
    ],
  );
  assert.equal(records[0]?.from[1], { peer: ana, name: "ana's name", address: '192.0.2.1', bytes: 100_000 });
  assert.equal([records[0]?.version, records[0]?.op, records[0]?.change], ['1.4', 'recv', '>f+++++++++']);
});

test('blocks that came inside a head are the writer’s; other attributes alone need none', async () => {
  const { notes, records, treeOf } = setUp();
  const bytes = new TextEncoder().encode('inside');
  const after: FileEntry = { ...fileAt('a'), content: { kind: 'block', digest: digestOf(bytes) } };
  const before: FileEntry = { ...after, mode: 0o600 };
  const root = treeOf([after]);
  const head = signHead(
    {
      share: shareIdOf(keyPair.publicKey),
      version: { epoch: 1, sequence: 1 },
      previous: null,
      root,
      counts: { entries: 1, files: 1, bytes: 100 },
      timeMs: 1,
      rosterVersion: 1,
      writer: keyPair.publicKey,
    },
    keyPair,
  );
  const operations = {
    base: { epoch: 1, sequence: 0 },
    baseRoot: root,
    moves: [],
    edits: [],
    blocks: [bytes],
  };
  notes.performs({ kind: 'storeHead', message: { kind: 'head', head, operations }, inline: true });
  const target = { version: head.head.version, root };
  const applier = notes.watching(applierOf({}));
  await applier.apply(target, [{ path: after.path, before, after }], { signal });
  await applier.apply(target, [{ path: after.path, before: null, after }], { signal });
  assert.equal(
    records.map(({ bytes: count, change, from }) => [count, change, from[0]?.name]),
    [
      [0, '.f...p.....', 'writer'],
      [100, '>f+++++++++', 'writer'],
    ],
  );
});

test('what failed is not written down, what was put right is, and the audit log hears of it', async () => {
  const { notes, records, events, treeOf } = setUp();
  const files = ['a', 'b', 'c'].map((name) => fileAt(name));
  const target = { version: { epoch: 1, sequence: 2 }, root: treeOf(files) };
  const changes = files.map((file): Change => ({ path: file.path, before: file, after: file }));
  const failed = [{ path: path('c'), code: 'EPERM', message: 'no' }];
  const kept = [{ path: path('b'), keptAs: '.p2psync/kept/x/b' }];
  await notes.watching(applierOf({ done: doneOf('b'), kept, failed })).apply(target, changes, { signal });
  assert.equal(
    records.map((record) => [record.path, record.change]),
    [['b', 'cf?????????']],
  );
  assert.equal(events, [{ event: 'healed', share: 'www', paths: 1, first: 'b', kept: 1 }]);
});

test('an outcome that is no apply leaves nothing', async () => {
  const { notes, records, events } = setUp();
  const applier = { ...applierOf({}), apply: async () => ({ kind: 'lost', digests: [] }) as const };
  const target = { version: { epoch: 1, sequence: 2 }, root: emptyTree().root };
  await notes
    .watching(applier)
    .apply(target, [{ path: path('a'), before: null, after: fileAt('a') }], { signal });
  assert.equal([records, events], [[], []]);
});

test('a commit that a crash cut short is written down when it is finished', async () => {
  const { notes, records, treeOf } = setUp();
  const applied = { version: { epoch: 1, sequence: 3 }, root: treeOf([fileAt('a')]) };
  const result = { ...nothing, done: doneOf('a', 'gone') };
  const recovered = { finished: { tag: '', result }, rehash: [], rehashAll: false };
  await notes
    .watching({ ...applierOf({}), recover: async () => ({ target: applied, applied, recovered }) })
    .recover();
  assert.equal(
    records.map(({ op, path: one, version }) => [op, one, version]),
    [
      ['recv', 'a', '1.3'],
      ['del.', 'gone', '1.3'],
    ],
  );
});

test('a publish lists the paths that differ from the one before; a head that is signed again lists nothing', () => {
  const { notes, records, events, treeOf } = setUp();
  const head = (sequence: number, root: Digest) =>
    signHead(
      {
        share: shareIdOf(keyPair.publicKey),
        version: { epoch: 1, sequence },
        previous: sequence === 1 ? null : digestOf(new Uint8Array()),
        root,
        counts: { entries: 2, files: 2, bytes: 200 },
        timeMs: 1,
        rosterVersion: 1,
        writer: keyPair.publicKey,
      },
      keyPair,
    );
  const first = treeOf([fileAt('a'), fileAt('b')]);
  const second = treeOf([fileAt('a', 2), fileAt('c')]);
  notes.published(head(1, first));
  notes.published(head(1, first));
  notes.published(head(2, second));
  assert.equal(
    records.map(({ op, path: one, version, change, from }) => [op, one, version, change, from[0]?.peer]),
    [
      ['send', 'a', '1.1', '<f+++++++++', 'self'],
      ['send', 'b', '1.1', '<f+++++++++', 'self'],
      ['send', 'a', '1.2', '<fc.t......', 'self'],
      ['del.', 'b', '1.2', '*deleting  ', 'self'],
      ['send', 'c', '1.2', '<f+++++++++', 'self'],
    ],
  );
  assert.equal(
    events.map((event) => event.event === 'published' && [event.version, event.root]),
    [
      ['1.1', first],
      ['1.2', second],
    ],
  );
});

test('senders are remembered within a bound, the newest of them', () => {
  const sources = createSources();
  const digest = (at: number): Digest => at.toString(16).padStart(13, '0').padEnd(64, '0') as Digest;
  for (let at = 0; at < transferSourcesMax + 5; at += 1) sources.received(ana, digest(at));
  assert.equal(
    [0, 4, 5, transferSourcesMax + 4].map((at) => sources.take(digest(at))),
    [undefined, undefined, ana, ana],
  );
  assert.is(sources.take(digest(5)), undefined, 'asked once');
});

test.run();
