/** Directories that move in the index: what is recorded below goes along, whatever lay at the new name. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  at,
  blockNamed,
  contentOf,
  directoryRecord,
  edit,
  fileRecord,
  placesOf,
  withStore,
} from './model.ts';

test('what is recorded below a directory moves with it, and blocks are found at the new paths', async () => {
  await withStore(async (store) => {
    const long = 'x'.repeat(200);
    const deep = Array.from({ length: 9 }, () => long).join('/');
    const made = contentOf(['a', 'b']);
    const file = fileRecord(made, { ino: 5n });
    await store.write({
      pages: made.pages,
      index: [
        edit('old', directoryRecord()),
        edit('old/f', file),
        edit(`old/${deep}/g`, fileRecord(contentOf(['c']), { ino: 6n })),
        edit('old-er', directoryRecord()),
        edit('older/f', fileRecord(contentOf(['a']), { ino: 7n })),
        edit(`new/${long}/f`, fileRecord(contentOf(['gone']), { ino: 8n })),
      ],
    });
    // To a longer name, below which one path is cut, and back.
    const to = at(`new/${long}`);
    await store.write({
      moves: [{ from: at('old'), to }],
      index: [edit(to, fileRecord(contentOf(['late'])))],
    });
    assert.equal([...store.below('')].map(([path]) => path).sort(), [
      to,
      `${to}/f`,
      `${to}/${deep}/g`,
      'old-er',
      'older/f',
    ]);
    assert.equal(store.record(at(`${to}/f`)), file);
    assert.equal(placesOf(store, 'b'), [`${to}/f@10+10`]);
    assert.equal(placesOf(store, 'c'), [`${to}/${deep}/g@0+10`]);
    assert.equal(placesOf(store, 'late'), [`${to}@0+40`]);
    assert.not(store.hasBlock(blockNamed('gone')));
    assert.equal(
      [5n, 6n, 8n].map((ino) => store.linkGroup(ino)),
      [[`${to}/f`], [`${to}/${deep}/g`], []],
    );

    await store.write({ moves: [{ from: to, to: at('old') }] });
    assert.equal(placesOf(store, 'c'), [`old/${deep}/g@0+10`]);
    assert.equal(store.record(at('old/f')), file);
    assert.equal(store.children(''), ['old', 'old-er']);
  });
});

test('directories that move one after the other in one batch keep their rows, and their sums', async () => {
  await withStore(async (store) => {
    const paths = ['d', 'd/a', 'd/b', 'd/b/c', 'e', 'f', 'f/g'];
    await store.write({ index: paths.map((path) => edit(path, directoryRecord())) });
    const before = [store.fingerprint(at('d')), store.fingerprint(at('d/b')), store.fingerprint(at('f'))];
    const moves = [
      { from: at('f'), to: at('d/b/f') },
      { from: at('d'), to: at('e/long') },
    ];
    await store.write({ moves });
    const moved = ['e', 'e/long', 'e/long/a', 'e/long/b', 'e/long/b/c', 'e/long/b/f', 'e/long/b/f/g'];
    assert.equal(
      [...store.below('')].map(([path]) => path),
      moved,
    );
    const sums = moved.map((path) => store.fingerprint(at(path)));
    assert.equal([sums[1], sums[5]], [before[0], before[2]]);
    await store.write({ recount: ['', ...moved.map(at)] });
    assert.equal(
      moved.map((path) => store.fingerprint(at(path))),
      sums,
    );
  });
});

test.run();
