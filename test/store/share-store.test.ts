/** The index of a share: what was written is what is read, places of blocks follow their files, batches are whole. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { utf8 } from '../../agent/base/bytes.ts';
import { hasCode } from '../../agent/base/errors.ts';
import { blockLocationsMax } from '../../agent/base/limits.ts';
import { emptyFingerprint } from '../../agent/core/fingerprint.ts';
import { openStore } from '../../agent/store/database.ts';
import { openTables } from '../../agent/store/tables.ts';
import {
  at,
  blockNamed,
  contentOf,
  directoryRecord,
  edit,
  fileRecord,
  placesOf,
  share,
  statOf,
  withStore,
} from './model.ts';

test('a record comes back with every field, at the ends of their ranges', async () => {
  await withStore(async (store) => {
    const records = [
      fileRecord(contentOf(['one']), { mode: 0o7777, uid: 4_294_967_294, gid: 0, nlink: 4_000_000_000 }),
      fileRecord(contentOf([]), {
        mtimeNs: -9_000_000_000_000_000_000n,
        ctimeNs: 0n,
        ino: 2n ** 64n - 1n,
        dev: 0n,
      }),
      { ...fileRecord(contentOf(['a', 'b'])) },
      { stat: statOf(), content: { kind: 'block', digest: blockNamed('x') } as const },
      { stat: statOf({ kind: 'symlink', size: 2 ** 52, allocated: 2 ** 52 }), content: null },
      { stat: statOf({ kind: 'special' }), content: null },
      directoryRecord(),
    ];
    const edits = records.map((record, number) => edit(`path ${number}`, record));
    await store.write({ pages: contentOf(['a', 'b']).pages, index: edits });
    for (const { path, record } of edits) assert.equal(store.record(path), record);
    assert.is(store.record(at('path')), undefined);
  });
});

test('the cut class of a list is kept', async () => {
  await withStore(async (store) => {
    const made = contentOf(['a', 'b']);
    if (made.content.kind !== 'list') throw new Error('two blocks are a list');
    const record = { ...fileRecord(made), content: { ...made.content, cut: 'large' as const } };
    await store.write({ pages: made.pages, index: [edit('big', record)] });
    assert.equal(store.record(at('big')), record);
  });
});

test('children are those directly inside, however many lie deeper', async () => {
  await withStore(async (store) => {
    const names = [
      'a',
      'a/x',
      'a/x/1',
      'a/x/2',
      'a/y',
      'a-b',
      'a-b/z',
      'a0',
      'a/xx',
      'b',
      'é',
      'é/ü',
      '\u{1f600}',
      '\uffee',
    ];
    const deep = Array.from({ length: 2000 }, (_, number) => `a/x/deep/${number}`);
    await store.write({ index: [...names, ...deep].map((name) => edit(name, directoryRecord())) });
    assert.equal(store.children(''), ['a', 'a-b', 'a0', 'b', 'é', '\uffee', '\u{1f600}']);
    assert.equal(store.children(at('a')), ['x', 'xx', 'y']);
    assert.equal(store.children(at('a/x')), ['1', '2']);
    assert.equal(store.children(at('é')), ['ü']);
    assert.equal(store.children(at('b')), []);
    assert.equal(store.children(at('nowhere')), []);
    assert.is([...store.below(at('a'))].length, 2000 + 5);
    assert.equal(
      [...store.below(at('a-b'))].map(([path]) => path),
      ['a-b/z'],
    );
  });
});

test('below gives byte order of path, and may be read while the store is written', async () => {
  await withStore(async (store) => {
    const paths = Array.from({ length: 1500 }, (_, number) => `d/${String(number).padStart(5, '0')}`);
    await store.write({ index: paths.map((path) => edit(path, directoryRecord())) });
    const seen: string[] = [];
    for (const [path] of store.below('')) {
      seen.push(path);
      if (seen.length === 100)
        await store.write({ index: [edit('d/00500', null), edit('d/99999', directoryRecord())] });
    }
    const kept = paths.filter((path) => path !== 'd/00500');
    assert.equal(
      seen.filter((path) => path !== 'd/00500' && path !== 'd/99999'),
      kept,
    );
  });
});

test('paths longer than a key are kept apart, found, listed and removed', async () => {
  await withStore(async (store) => {
    const name = 'n'.repeat(250);
    const long = Array.from({ length: 16 }, () => name)
      .join('/')
      .slice(0, 4080);
    const paths = [`${long}/a`, `${long}/b`, long, `${long}x`];
    for (let depth = 1; depth < 16; depth += 1)
      paths.push(Array.from({ length: depth }, () => name).join('/'));
    await store.write({ index: paths.map((path) => edit(path, fileRecord(contentOf([path])))) });
    for (const path of paths) assert.equal(placesOf(store, path), [`${path}@0+${path.length * 10}`]);
    assert.equal([...store.children(at(long))].sort(), ['a', 'b']);
    assert.equal([...store.below(at(long))].map(([path]) => path).sort(), [`${long}/a`, `${long}/b`]);
    assert.equal([...store.below('')].map(([path]) => path).sort(), [...paths].sort());
    for (let depth = 1; depth < 15; depth += 1) {
      assert.equal(store.children(at(Array.from({ length: depth }, () => name).join('/'))), [name]);
    }
    await store.write({ index: paths.map((path) => edit(path, null)) });
    assert.equal([...store.below('')], []);
    assert.not.ok(store.hasBlock(blockNamed(long)));
  });
});

test('a block in many files is known in each, and a copy that goes does not hide the others', async () => {
  await withStore(async (store) => {
    const twice = contentOf(['same', 'same']);
    const made = contentOf(['same', 'other']);
    await store.write({
      pages: [...twice.pages, ...made.pages],
      index: [
        edit('a', fileRecord(contentOf(['same']))),
        edit('b', fileRecord(made)),
        edit('c', fileRecord(twice)),
      ],
    });
    assert.equal(placesOf(store, 'same'), ['a@0+40', 'b@0+40', 'c@0+40', 'c@40+40']);
    await store.write({ index: [edit('a', null), edit('b', fileRecord(contentOf(['new'])))] });
    assert.equal(placesOf(store, 'same'), ['c@0+40', 'c@40+40']);
    assert.not.ok(store.hasBlock(blockNamed('other')));
    await store.write({ index: [edit('c', directoryRecord())] });
    assert.equal(placesOf(store, 'same'), []);
    assert.not.ok(store.hasBlock(blockNamed('same')));
    assert.equal(placesOf(store, 'new'), ['b@0+30']);
  });
});

test('no more places are told than the limit', async () => {
  await withStore(async (store) => {
    const index = Array.from({ length: blockLocationsMax + 5 }, (_, number) =>
      edit(`copy ${number}`, fileRecord(contentOf(['common']))),
    );
    await store.write({ index });
    assert.is(store.locations(blockNamed('common')).length, blockLocationsMax);
  });
});

test('an edit in the middle moves only the places that differ', async () => {
  await withStore(async (store) => {
    const before = contentOf(['aa', 'bb', 'cc', 'dd']);
    const after = contentOf(['aa', 'b', 'e', 'cc']);
    await store.write({ pages: before.pages, index: [edit('f', fileRecord(before))] });
    await store.write({
      pages: after.pages,
      index: [edit('f', fileRecord(after))],
      dropPages: before.pages.keys(),
    });
    assert.equal(placesOf(store, 'aa'), ['f@0+20']);
    assert.equal(placesOf(store, 'b'), ['f@20+10']);
    assert.equal(placesOf(store, 'e'), ['f@30+10']);
    assert.equal(placesOf(store, 'cc'), ['f@40+20']);
    for (const gone of ['bb', 'dd']) assert.equal(placesOf(store, gone), []);
    await store.write({ index: [edit('f', fileRecord(contentOf([])))] });
    for (const gone of ['aa', 'b', 'e', 'cc']) assert.not.ok(store.hasBlock(blockNamed(gone)), gone);
  });
});

test('places of a file whose list was dropped too early lead nowhere once it is replaced', async () => {
  await withStore(async (store) => {
    const made = contentOf(['left', 'behind']);
    await store.write({
      pages: made.pages,
      index: [edit('f', fileRecord(made)), edit('g', fileRecord(made))],
    });
    await store.write({ dropPages: made.pages.keys() });
    await store.write({ index: [edit('f', fileRecord(contentOf(['new']))), edit('g', null)] });
    assert.equal(placesOf(store, 'left'), []);
    assert.not.ok(store.hasBlock(blockNamed('behind')));
    assert.equal(placesOf(store, 'new'), ['f@0+30']);
  });
});

test('a batch whose block list is not there is refused whole', async () => {
  await withStore(async (store) => {
    const made = contentOf(['not', 'stored']);
    try {
      await store.write({
        pages: contentOf(['p', 'q']).pages,
        index: [edit('first', directoryRecord()), edit('second', fileRecord(made))],
        state: new Map([['key', utf8('value')]]),
      });
      assert.unreachable('it was written');
    } catch (error) {
      assert.ok(hasCode(error, 'page-missing'), String(error));
    }
    assert.is(store.record(at('first')), undefined);
    assert.is(store.state('key'), undefined);
    for (const digest of contentOf(['p', 'q']).pages.keys()) assert.not.ok(store.hasPage(digest));
  });
});

test('a failed batch does not take its neighbours with it', async () => {
  await withStore(async (store) => {
    const results = await Promise.allSettled([
      store.write({ index: [edit('before', directoryRecord())] }),
      store.write({ index: [edit('bad', fileRecord(contentOf(['not', 'stored'])))] }),
      store.write({ index: [edit('after', directoryRecord())] }),
    ]);
    assert.equal(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.equal(store.children(''), ['after', 'before']);
  });
});

test('files of one inode are a group, also those that were alone when they were recorded', async () => {
  await withStore(async (store) => {
    const linked = (ino: bigint, nlink: number) => fileRecord(contentOf(['x']), { ino, nlink });
    await store.write({
      index: [
        edit('a', linked(5n, 2)),
        edit('b', linked(5n, 2)),
        edit('c', linked(6n, 1)),
        edit('d', linked(7n, 3)),
      ],
    });
    assert.equal(store.linkGroup(5n), ['a', 'b']);
    assert.equal(store.linkGroup(6n), ['c']);
    assert.equal(store.linkGroup(7n), ['d']);
    await store.write({
      index: [
        edit('a', linked(8n, 2)),
        edit('b', linked(5n, 1)),
        edit('c', directoryRecord()),
        edit('d', null),
      ],
    });
    for (const [ino, paths] of [
      [5n, ['b']],
      [6n, []],
      [7n, []],
      [8n, ['a']],
    ] as const) {
      assert.equal(store.linkGroup(ino), paths);
    }
  });
});

test('pages come and go, and dropping one twice is nothing', async () => {
  await withStore(async (store) => {
    const digest = blockNamed('page');
    const bytes = new Uint8Array(100_000).fill(3);
    await store.write({ pages: [[digest, bytes]] });
    assert.ok(store.hasPage(digest));
    assert.equal(Buffer.from(store.page(digest) ?? []), Buffer.from(bytes));
    await store.write({ dropPages: [digest] });
    await store.write({ dropPages: [digest, blockNamed('never')] });
    assert.not.ok(store.hasPage(digest));
    assert.is(store.page(digest), undefined);
  });
});

test('small documents are kept, replaced and removed, empty ones too', async () => {
  await withStore(async (store) => {
    await store.writeDurably({
      state: new Map([
        ['head', utf8('1')],
        ['empty', utf8('')],
      ]),
    });
    await store.write({ state: new Map([['head', utf8('2')]]) });
    assert.equal(Buffer.from(store.state('head') ?? []).toString(), '2');
    assert.is(store.state('empty')?.byteLength, 0);
    await store.write({
      state: new Map([
        ['head', null],
        ['never', null],
      ]),
    });
    assert.is(store.state('head'), undefined);
  });
});

test('a page that a reader holds does not change under it', async () => {
  await withStore(async (store) => {
    const digest = blockNamed('held');
    await store.write({ pages: [[digest, utf8('held')]] });
    const held = store.page(digest);
    for (let round = 0; round < 20; round += 1) {
      await store.write({
        dropPages: [digest],
        pages: [[blockNamed(`${round}`), new Uint8Array(5000).fill(round)]],
      });
      store.page(blockNamed(`${round}`));
    }
    assert.equal(Buffer.from(held ?? []).toString(), 'held');
  });
});

test('fingerprints follow directories that move, and what they come in place of', async () => {
  await withStore(async (store) => {
    const paths = ['d', 'd/a', 'd/b', 'd/b/c', 'e', 'e/b'];
    await store.write({ index: paths.map((path) => edit(path, directoryRecord())) });
    const before = [store.fingerprint(at('d')), store.fingerprint(at('d/b'))];
    await store.write({ moves: [{ from: at('d'), to: at('e') }] });
    assert.equal([store.fingerprint(at('e')), store.fingerprint(at('e/b'))], before);
    for (const gone of ['d', 'd/b']) assert.equal(store.fingerprint(at(gone)), emptyFingerprint());
    const top = store.fingerprint('');
    await store.write({ recount: [''] });
    assert.equal(store.fingerprint(''), top);
  });
});

test('the fingerprint of a directory is counted anew from its records', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'p2psync-store-'));
  const long = `${'l'.repeat(250)}/`.repeat(9);
  const edits = ['a', 'd', 'd/a', 'd/b', 'd/b/c', 'd.x', long.slice(0, -1), `${long}a`, `${long}b`].map(
    (path) => edit(path, directoryRecord()),
  );
  const directories = ['', 'd', 'd/b', long.slice(0, -1)].map(at);
  try {
    const whole = openStore(directory);
    await whole.share(share).write({ index: edits });
    const sums = directories.map((each) => whole.share(share).fingerprint(each));
    await whole.close();

    // As an index that was made before there were fingerprints.
    const tables = openTables(join(directory, share), { readOnly: false });
    await tables.transact(() => {
      const keys = Array.from(tables.directories.getKeys());
      for (const key of keys) tables.directories.removeSync(key);
    });
    await tables.close();

    const again = openStore(directory);
    const store = again.share(share);
    for (const each of directories) assert.equal(store.fingerprint(each), emptyFingerprint());
    await store.write({ recount: directories });
    assert.equal(
      directories.map((each) => store.fingerprint(each)),
      sums,
    );
    await store.write({ index: edits.map(({ path }) => edit(path, null)), recount: directories });
    for (const each of directories) assert.equal(store.fingerprint(each), emptyFingerprint());
    await again.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('a share that is dropped gives its files back and starts empty', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'p2psync-store-'));
  const store = openStore(directory);
  try {
    await store.share(share).write({ index: [edit('a', directoryRecord())] });
    await store.dropShare(share);
    assert.not.ok(existsSync(join(directory, share)));
    assert.is(store.share(share).record(at('a')), undefined);
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

test.run();
