/** What somebody changes on a replica is put right, and what they wrote is kept. */
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { SharePath } from '../../agent/core/path.ts';
import { findUnindexed } from '../../agent/daemon/drift.ts';
import { writeMarker } from '../../agent/daemon/marker.ts';
import { readApplied } from '../../agent/daemon/state.ts';
import { type Pair, withReplicaShare } from './replica-share.ts';

const large = Buffer.alloc(300_000, 'what is large');

function furnish(root: string): void {
  const at = (path: string): string => join(root, path);
  mkdirSync(at('a/deep'), { recursive: true });
  writeFileSync(at('a/one'), 'the first file');
  writeFileSync(at('a/deep/two'), 'the second file');
  writeFileSync(at('large'), large);
  writeFileSync(at('empty'), '');
  symlinkSync('a/one', at('link'));
  writeFileSync(at('linked'), 'a file with two names');
  linkSync(at('linked'), at('linked too'));
}

// One pair of shares for all cases: each leaves it as it found it.
const over = Promise.withResolvers<void>();
let shared: Pair;
let closed: Promise<void>;

test.before(async () => {
  const ready = Promise.withResolvers<void>();
  closed = withReplicaShare(async (pair) => {
    furnish(pair.writer.root);
    await pair.writer.scan();
    await pair.replica.scan();
    await pair.replica.follow();
    await pair.replica.scan();
    shared = pair;
    ready.resolve();
    await over.promise;
  });
  await Promise.race([ready.promise, closed]);
});

test.after(async () => {
  over.resolve();
  await closed;
});

async function withFollower(use: (pair: Pair) => Promise<void>): Promise<void> {
  const { replica } = shared;
  replica.check();
  rmSync(join(replica.root, '.p2psync/kept'), { recursive: true, force: true });
  rmSync(join(replica.root, '../outside'), { recursive: true, force: true });
  mkdirSync(join(replica.root, '../outside'));
  replica.fetched();
  replica.notebook.lines.length = 0;
  try {
    await use(shared);
  } finally {
    replica.localChanges = 'revert';
    await writeMarker(replica.root, replica.share);
    await replica.scan();
    await replica.heal();
  }
}

type At = (path: string) => string;
type Case = {
  readonly what: string;
  /** @returns the paths that a watcher tells of. */
  readonly act: (at: At) => readonly string[];
  readonly kept?: Record<string, string>;
  /** At most so many blocks come over the network. */
  readonly fetched?: number;
};

const cases: readonly Case[] = [
  {
    what: 'an edit',
    act: (at) => (writeFileSync(at('a/one'), 'edited'), ['a/one']),
    kept: { 'a/one': 'edited' },
    fetched: 1,
  },
  {
    what: 'an append',
    act: (at) => (appendFileSync(at('a/one'), ', and more'), ['a/one']),
    kept: { 'a/one': 'the first file, and more' },
    fetched: 1,
  },
  {
    what: 'an edit that leaves size and time',
    act(at) {
      const { atime, mtime } = lstatSync(at('a/one'));
      writeFileSync(at('a/one'), 'THE FIRST FILE');
      utimesSync(at('a/one'), atime, mtime);
      return ['a/one'];
    },
    kept: { 'a/one': 'THE FIRST FILE' },
    fetched: 1,
  },
  { what: 'a mode', act: (at) => (chmodSync(at('a/one'), 0o600), ['a/one']), fetched: 0 },
  { what: "a directory's mode", act: (at) => (chmodSync(at('a'), 0o700), ['a']), fetched: 0 },
  { what: 'a time', act: (at) => (utimesSync(at('large'), 1e9, 1e9), ['large']), fetched: 0 },
  { what: 'a deleted file', act: (at) => (unlinkSync(at('large')), ['large']) },
  {
    what: 'a deleted directory',
    act: (at) => (rmSync(at('a'), { recursive: true }), ['a']),
    fetched: 2,
  },
  {
    what: 'a stray file',
    act: (at) => (writeFileSync(at('a/stray'), 'stray'), ['a/stray', 'a']),
    kept: { 'a/stray': 'stray' },
    fetched: 0,
  },
  {
    what: 'a stray directory with files',
    act(at) {
      mkdirSync(at('stray/deep'), { recursive: true });
      writeFileSync(at('stray/one'), '1');
      writeFileSync(at('stray/deep/two'), '2');
      return ['stray'];
    },
    kept: { 'stray/one': '1', 'stray/deep/two': '2' },
    fetched: 0,
  },
  {
    what: 'a symlink that leads elsewhere',
    act: (at) => (unlinkSync(at('link')), symlinkSync('/no/where', at('link')), ['link']),
    fetched: 0,
  },
  {
    what: 'a file in place of a symlink',
    act: (at) => (unlinkSync(at('link')), writeFileSync(at('link'), 'was a link'), ['link']),
    kept: { link: 'was a link' },
    fetched: 0,
  },
  {
    what: 'a directory in place of a file',
    act: (at) => (
      unlinkSync(at('large')), mkdirSync(at('large')), writeFileSync(at('large/in'), 'in'), ['large']
    ),
    kept: { 'large/in': 'in' },
  },
  {
    what: 'a file in place of a directory',
    act: (at) => (rmSync(at('a'), { recursive: true }), writeFileSync(at('a'), 'was a directory'), ['a']),
    kept: { a: 'was a directory' },
    fetched: 2,
  },
  {
    what: 'a directory that was renamed',
    act: (at) => (renameSync(at('a'), at('b')), ['a', 'b']),
    kept: { 'b/one': 'the first file', 'b/deep/two': 'the second file' },
  },
  {
    what: 'a hard link that was broken by an edit',
    act(at) {
      copyFileSync(at('linked too'), at('copy'));
      renameSync(at('copy'), at('linked too'));
      appendFileSync(at('linked too'), ', no more');
      return ['linked too', 'copy'];
    },
    kept: { 'linked too': 'a file with two names, no more' },
  },
  {
    what: 'an edit through one of two names',
    act: (at) => (appendFileSync(at('linked too'), ', edited'), ['linked too']),
    kept: { 'linked too': 'a file with two names, edited' },
    fetched: 1,
  },
  {
    what: 'a second name that is gone',
    act: (at) => (unlinkSync(at('linked too')), ['linked too']),
    fetched: 0,
  },
  { what: 'a first name that is gone', act: (at) => (unlinkSync(at('linked')), ['linked']) },
  {
    what: 'a name for a backup outside',
    act: (at) => (
      linkSync(at('a/one'), at('../outside/one')),
      linkSync(at('large'), at('../outside/large')),
      ['a/one', 'large']
    ),
    kept: {},
    fetched: 0,
  },
];

if (process.getuid?.() === 0) {
  test('an owner is put right, and nothing is fetched for it', () =>
    heal({ what: 'an owner', act: (at) => (chownSync(at('a/one'), 12, 34), ['a/one']), fetched: 0 }));
}

async function heal({ what, act, kept = {}, fetched }: Case): Promise<void> {
  await withFollower(async ({ replica }) => {
    const paths = act((path) => join(replica.root, path));
    await replica.touch(...paths);
    await replica.heal();
    replica.check();
    for (const [path, content] of Object.entries(kept))
      assert.is(replica.kept()[path], content, `${what}: ${path}`);
    if (fetched !== undefined) assert.is(replica.fetched(), fetched, 'blocks that were fetched');
    const before = Object.keys(replica.kept()).length;
    await replica.scan();
    await replica.heal();
    replica.check();
    assert.is(Object.keys(replica.kept()).length, before, 'a whole look finds nothing that was missed');
  });
}

for (const one of cases) test(`${one.what} is put right`, () => heal(one));

test('files that have further names for a backup are neither fetched nor moved when a scan finds them', async () => {
  await withFollower(async ({ replica }) => {
    for (const name of ['a/one', 'a/deep/two', 'large', 'linked'])
      linkSync(join(replica.root, name), join(replica.root, '../outside', name.replaceAll('/', '-')));
    const inode = lstatSync(join(replica.root, 'large')).ino;
    await replica.scan();
    await replica.heal();
    replica.check();
    assert.is(replica.fetched(), 0);
    assert.equal(replica.kept(), {});
    assert.is(lstatSync(join(replica.root, 'large')).ino, inode);
  });
});

test('a directory that is put right in the middle of its removal comes back whole in the end', async () => {
  await withFollower(async ({ replica }) => {
    const at = (path: string): string => join(replica.root, path);
    unlinkSync(at('a/deep/two'));
    await replica.touch('a/deep/two');
    await replica.heal();
    rmSync(at('a/deep'), { recursive: true });
    unlinkSync(at('a/one'));
    await replica.touch('a/one', 'a/deep');
    rmSync(at('a'), { recursive: true });
    await replica.heal();
    await replica.touch('a', 'a/one', 'a/deep');
    await replica.heal();
    replica.check();
  });
});

test('with "alert" local changes stay and are told of, and what is as it was is not', async () => {
  await withFollower(async ({ replica }) => {
    replica.localChanges = 'alert';
    writeFileSync(join(replica.root, 'a/one'), 'mine');
    writeFileSync(join(replica.root, 'stray'), 'stray');
    utimesSync(join(replica.root, 'large'), 1e9, 1e9);
    linkSync(join(replica.root, 'a/deep/two'), join(replica.root, '../outside/two'));
    const told = (): string[] =>
      replica.notebook.lines
        .splice(0)
        .filter((line) => line.text.startsWith('differs'))
        .map((line) => String(line.fields['path']));
    await replica.touch('a/one', 'stray', 'large', 'a/deep/two');
    assert.equal(told().sort(), ['a/one', 'large', 'stray']);
    assert.equal(await replica.heal(), []);
    await replica.scan();
    assert.equal(told().sort(), ['a/one', 'large', 'stray']);
    assert.is(readFileSync(join(replica.root, 'a/one'), 'utf8'), 'mine');
    assert.is(readFileSync(join(replica.root, 'stray'), 'utf8'), 'stray');
  });
});

test('with "alert" what a person asked to have repaired is put right, and nothing else', async () => {
  await withFollower(async ({ replica }) => {
    replica.localChanges = 'alert';
    writeFileSync(join(replica.root, 'a/one'), 'mine');
    writeFileSync(join(replica.root, 'stray'), 'stray');
    writeFileSync(join(replica.root, 'large'), 'mine, too');
    writeFileSync(join(replica.root, 'another'), 'stray, too');
    await replica.touch('a/one', 'stray', 'large', 'another');
    replica.asked = new Set(['a/one', 'stray'] as SharePath[]);
    await replica.scan();
    await replica.heal();
    assert.equal(replica.kept(), { 'a/one': 'mine', stray: 'stray' });
    assert.not(existsSync(join(replica.root, 'stray')));
    assert.not.equal(readFileSync(join(replica.root, 'a/one'), 'utf8'), 'mine');
    assert.is(readFileSync(join(replica.root, 'large'), 'utf8'), 'mine, too');
    assert.is(readFileSync(join(replica.root, 'another'), 'utf8'), 'stray, too');
  });
});

test('with "alert" the next version replaces a local change and keeps it aside', async () => {
  await withFollower(async ({ writer, replica }) => {
    replica.localChanges = 'alert';
    writeFileSync(join(replica.root, 'a/one'), 'mine');
    await replica.touch('a/one');
    writeFileSync(join(writer.root, 'a/one'), 'the next version');
    await writer.scan();
    await replica.follow();
    replica.check();
    assert.equal(replica.kept(), { 'a/one': 'mine' });
  });
});

test('drift that is found while a version is applied is judged by the new version', async () => {
  await withFollower(async ({ writer, replica }) => {
    writeFileSync(join(writer.root, 'new'), 'new in the next version');
    await writer.scan();
    const { target, changes } = await replica.prepare();
    const applying = replica.applier().apply(target, changes, { signal: new AbortController().signal });
    const edited = applying.then(() => writeFileSync(join(replica.root, 'new'), 'edited at once'));
    await edited;
    await replica.touch('new');
    assert.equal(readApplied(replica.store()), target);
    await replica.heal();
    replica.check();
    assert.equal(replica.kept(), { new: 'edited at once' });
  });
});

test('where the marker is missing strays are left where they are', async () => {
  await withFollower(async ({ replica }) => {
    rmSync(join(replica.root, '.p2psync/share'));
    writeFileSync(join(replica.root, 'stray'), 'stray');
    await replica.touch('stray');
    assert.is(readFileSync(join(replica.root, 'stray'), 'utf8'), 'stray');
  });
});

test('a path that the index lost is found, and where it has all of them none is looked up', async () => {
  await withFollower(async ({ replica }) => {
    const store = replica.store();
    const root = readApplied(store)?.root;
    assert.ok(root !== undefined);
    const missing = (): never => {
      throw new Error('nothing is missing');
    };
    const deaf = { ...store, record: missing };
    assert.equal(await findUnindexed(deaf, root), []);
    await store.write({ index: [{ path: 'a/one' as SharePath, record: null }] });
    assert.equal(await findUnindexed(store, root), ['a/one']);
  });
});

test.run();
