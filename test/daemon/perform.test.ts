/** Effects of a share's machine: what is fed back, and what is tried again when it fails. */
import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../agent/base/bytes.ts';
import { P2psyncError } from '../../agent/base/errors.ts';
import { applyRetryMs, failedPathRetryMs } from '../../agent/base/limits.ts';
import { buildTree, updateTree } from '../../agent/core/build.ts';
import { diffTrees } from '../../agent/core/diff.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { Change, Edit, Entry, FileEntry } from '../../agent/core/entry.ts';
import { type SignedHead, signHead } from '../../agent/core/head.ts';
import { generateKeyPair, shareIdOf } from '../../agent/core/keys.ts';
import type { SharePath } from '../../agent/core/path.ts';
import type { Outcome } from '../../agent/daemon/apply.ts';
import { createFaults } from '../../agent/daemon/faults.ts';
import { createPerformer, type PerformPorts } from '../../agent/daemon/perform.ts';
import type { Event } from '../../agent/swarm/events.ts';
import type { Operations } from '../../agent/swarm/messages.ts';
import { createNotebook } from './notebook.ts';

const keyPair = generateKeyPair();
const share = shareIdOf(keyPair.publicKey);
const salt = new Uint8Array(32);
const path = (text: string): SharePath => text as SharePath;
const change = (text: string): Change => ({
  path: path(text),
  before: null,
  after: { kind: 'hardlink', path: path(text), target: path('a') },
});

function headOf(sequence: number, root: Digest): SignedHead {
  const counts = { entries: 0, files: 0, bytes: 0 };
  const version = { epoch: 1, sequence };
  return signHead(
    { share, version, previous: null, root, counts, timeMs: 1, rosterVersion: 1, writer: keyPair.publicKey },
    keyPair,
  );
}
const anyHead = headOf(1, digestOf(new Uint8Array()));

type World = {
  outcomes: (Outcome | Error)[];
  /** Of the next writes, what they throw. */
  writeFailures: Error[];
  readonly pages: Map<Digest, Uint8Array>;
  readonly staged: Digest[];
};

const done = (failed: readonly string[] = []): Outcome => ({
  kind: 'applied',
  result: {
    done: [],
    kept: [],
    failed: failed.map((one) => ({ path: path(one), code: 'ENOENT', message: `${one} failed` })),
    lost: [],
  },
});

function create(world: Partial<World> = {}) {
  const here: World = { outcomes: [], writeFailures: [], pages: new Map(), staged: [], ...world };
  const events: Event[] = [];
  const faults = createFaults();
  const notebook = createNotebook();
  const stop = new AbortController();
  const ports = {
    share,
    salt,
    store: {
      page: (digest: Digest) => here.pages.get(digest),
      state: () => undefined,
      async writeDurably({ pages }: { pages?: Iterable<readonly [Digest, Uint8Array]> }) {
        const failure = here.writeFailures.shift();
        if (failure !== undefined) throw failure;
        for (const [digest, bytes] of pages ?? []) here.pages.set(digest, bytes);
      },
    },
    stage: {
      async put(blocks: readonly { digest: Digest }[]) {
        here.staged.push(...blocks.map(({ digest }) => digest));
        return [];
      },
    },
    applier: {
      async apply() {
        const outcome = here.outcomes.shift();
        if (outcome instanceof Error) throw outcome;
        assert.ok(outcome !== undefined);
        return outcome;
      },
    },
    faults,
    log: notebook.log,
    signal: stop.signal,
    feed: (event: Event) => void events.push(event),
    onApplied: () => undefined,
    onChange: () => undefined,
  } as unknown as PerformPorts;
  const performer = createPerformer(ports);
  const apply = async (...paths: readonly string[]): Promise<void> => {
    performer.perform({ kind: 'apply', head: anyHead, changes: paths.map(change) });
    await turns();
  };
  return { performer, events, faults, notebook, stop, here, apply };
}

/** Promises that are settled have had their say. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const driftedIn = (events: readonly Event[]): string[][] =>
  events.flatMap((event) => (event.kind === 'drifted' ? [[...event.paths]] : []));

test.before.each(() => mock.timers.enable({ apis: ['setTimeout'] }));
test.after.each(() => mock.timers.reset());

test('a version that is applied is fed back', async () => {
  const { events, apply } = create({ outcomes: [done()] });
  await apply('a');
  assert.equal(
    events.map((event) => event.kind),
    ['applied'],
  );
});

test('blocks that are not here are named, to be fetched at once', async () => {
  const lost = digestOf(new Uint8Array([1]));
  const { events, apply } = create({ outcomes: [{ kind: 'lost', digests: [lost] }] });
  await apply('a');
  assert.equal(events, [{ kind: 'applyFailed', version: anyHead.head.version, lost: [lost], retryMs: 0 }]);
});

test('an apply that fails or throws is told of and tried again after a pause', async () => {
  const failed: Outcome = { kind: 'failed', code: 'disk-full', message: 'no space left' };
  const { events, faults, apply } = create({ outcomes: [failed, new Error('a bug'), done()] });
  for (const message of ['no space left', 'a bug']) {
    await apply('a');
    assert.equal(events.pop(), {
      kind: 'applyFailed',
      version: anyHead.head.version,
      lost: [],
      retryMs: applyRetryMs,
    });
    assert.is(faults.list()[0]?.message, message);
  }
  await apply('a');
  assert.equal(faults.list(), []);
});

test('once a version is applied, blocks that could not be staged on the way to it are no fault any more', async () => {
  const { faults, apply } = create({ outcomes: [done()] });
  faults.setShare('stage', { code: 'disk-full', message: 'no space left' });
  await apply('a');
  assert.equal(faults.list(), []);
});

test('a path that failed is tried again with the directories above it, after growing pauses', async () => {
  const { events, apply } = create({ outcomes: [done(['a/b/c']), done(['a/b/c']), done(), done(['a/b/c'])] });
  await apply('a/b/c');
  mock.timers.tick(failedPathRetryMs - 1);
  assert.equal(driftedIn(events), []);
  mock.timers.tick(1);
  assert.equal(driftedIn(events), [['a', 'a/b', 'a/b/c']]);
  await apply('a/b/c');
  mock.timers.tick(failedPathRetryMs);
  assert.is(driftedIn(events).length, 1);
  mock.timers.tick(failedPathRetryMs);
  assert.is(driftedIn(events).length, 2);
  await apply('a/b/c');
  mock.timers.tick(1_000_000);
  assert.is(driftedIn(events).length, 2, 'what succeeded is left alone');
  await apply('a/b/c');
  mock.timers.tick(failedPathRetryMs);
  assert.is(driftedIn(events).length, 3, 'and the pause starts anew');
});

test('paths that failed in one version are not forgotten over those of the next', async () => {
  const { events, apply } = create({ outcomes: [done(['a']), done(['b']), done()] });
  await apply('a');
  await apply('b');
  await apply('c');
  mock.timers.tick(1_000_000);
  assert.equal([...new Set(driftedIn(events).flat())].sort(), ['a', 'b']);
});

test('a head that cannot be stored is not given up: it is stored when there is space again', async () => {
  const full = new P2psyncError('disk-full', 'no space left');
  const { performer, events, faults, apply } = create({ writeFailures: [full, full], outcomes: [done()] });
  performer.perform({
    kind: 'storeHead',
    message: { kind: 'head', head: anyHead, operations: null },
    inline: false,
  });
  await turns();
  assert.equal(events, []);
  assert.ok(performer.isStoring());
  assert.is(faults.list()[0]?.code, 'disk-full');
  for (const expected of [0, 1]) {
    mock.timers.tick(applyRetryMs);
    await turns();
    assert.is(events.length, expected);
  }
  assert.equal(events, [{ kind: 'headStored', version: anyHead.head.version }]);
  assert.not(performer.isStoring());
  assert.equal(faults.list(), []);
  await apply();
});

test('operations that lead to the root are stored with the head; others leave the tree to be walked', async () => {
  const bytes = new Uint8Array([7]);
  const entry: FileEntry = {
    ...({ kind: 'file', path: path('f'), mode: 0o644, mtimeUs: 1, size: 1, sparse: false } as const),
    owner: { uid: 0, gid: 0, user: '', group: '' },
    content: { kind: 'block', digest: digestOf(bytes) },
  };
  const base = buildTree([], salt);
  const edits: Edit[] = [{ path: entry.path, entry }];
  const next = updateTree((digest) => base.pages.get(digest), base.root, edits, salt);
  const operations: Operations = {
    base: { epoch: 1, sequence: 1 },
    baseRoot: base.root,
    moves: [],
    edits,
    blocks: [bytes],
  };
  for (const [what, given, expected] of [
    ['as they are', operations, true],
    ['others', { ...operations, edits: [] }, false],
    ['of an unknown base', { ...operations, baseRoot: digestOf(new Uint8Array([9])) }, false],
    ['none', null, false],
  ] as const) {
    const { performer, events, here } = create({ pages: new Map(base.pages) });
    performer.perform({
      kind: 'storeHead',
      message: { kind: 'head', head: headOf(2, next.root), operations: given },
      inline: true,
    });
    await turns();
    const inline = { base: base.root, changes: [{ path: entry.path, before: null, after: entry }] };
    const stored = { kind: 'headStored', version: { epoch: 1, sequence: 2 } };
    assert.equal(events, [expected ? { ...stored, inline } : stored], what);
    assert.is(here.pages.has(next.root), expected, what);
    assert.is(here.staged.length, expected ? 1 : 0, what);
  }
});

test('a head that says which directory moved has the pages that follow, or is walked', async () => {
  const owner = { uid: 0, gid: 0, user: '', group: '' };
  const directory = (at: string): Entry => ({
    kind: 'directory',
    path: path(at),
    mode: 0o755,
    owner,
    mtimeUs: 1,
  });
  const base = buildTree([directory('a'), directory('a/in')], salt);
  const next = buildTree([directory('b'), directory('b/in')], salt);
  const moves = [{ from: path('a'), to: path('b') }];
  const operations: Operations = {
    base: { epoch: 1, sequence: 1 },
    baseRoot: base.root,
    moves,
    edits: [],
    blocks: [],
  };
  for (const [given, expected] of [
    [operations, true],
    [{ ...operations, moves: [{ from: path('none'), to: path('b') }] }, false],
  ] as const) {
    const { performer, events, here } = create({ pages: new Map(base.pages) });
    performer.perform({
      kind: 'storeHead',
      message: { kind: 'head', head: headOf(2, next.root), operations: given },
      inline: true,
    });
    await turns();
    const [stored] = events;
    const changes = stored?.kind === 'headStored' ? stored.inline?.changes : undefined;
    const source = (digest: Digest): Bytes | undefined => here.pages.get(digest);
    assert.equal(changes, expected ? [...diffTrees(source, base.root, next.root)] : undefined);
    assert.is(here.pages.has(next.root), expected);
  }
});

test('the timer that the machine asks for is replaced by a later one, and stopped', async () => {
  const { performer, events } = create();
  const ticks = (): number => events.filter((event) => event.kind === 'tick').length;
  performer.perform({ kind: 'wake', atMs: performance.now() + 1000 });
  performer.perform({ kind: 'wake', atMs: performance.now() + 5000 });
  mock.timers.tick(2000);
  assert.is(ticks(), 0);
  mock.timers.tick(4000);
  assert.is(ticks(), 1);
  performer.perform({ kind: 'wake', atMs: performance.now() + 1000 });
  performer.stop();
  mock.timers.tick(10_000);
  assert.is(ticks(), 1);
});

test.run();
