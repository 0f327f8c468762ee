/** Any run of batches leaves the store answering as a plain map does. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { addEntry, emptyFingerprint } from '../../agent/core/fingerprint.ts';
import { type DirectoryMove, pathAfter } from '../../agent/core/moved.ts';
import {
  ancestorsOf,
  comparePaths,
  type DirectoryPath,
  depthOf,
  isBelow,
  nameOf,
  parentOf,
  type SharePath,
  topDirectory,
} from '../../agent/core/path.ts';
import { openStore } from '../../agent/store/database.ts';
import type { PathRecord, ShareStore } from '../../agent/store/share-store.ts';
import { blockNamed, contentOf, directoryRecord, fileRecord, type MadeContent, share } from './model.ts';

const blockNames = ['a', 'bb', 'ccc', 'dddd'];
const names = ['a', 'b', 'a-', 'a0', 'é', '\u{1f600}', '\uffee', 'n'.repeat(250)];

type Made = { readonly record: PathRecord; readonly made: MadeContent | null };

const path: fc.Arbitrary<SharePath> = fc
  .array(fc.constantFrom(...names), { minLength: 1, maxLength: 10 })
  .map((parts) => parts.join('/') as SharePath);

const made: fc.Arbitrary<Made> = fc.oneof(
  fc.constant({ record: directoryRecord(), made: null }),
  fc
    .record({
      blocks: fc.array(fc.constantFrom(...blockNames), { maxLength: 5 }),
      ino: fc.bigInt(1n, 3n),
      nlink: fc.integer({ min: 1, max: 3 }),
    })
    .map(({ blocks, ino, nlink }) => {
      const content = contentOf(blocks);
      return { record: fileRecord(content, { ino, nlink }), made: content };
    }),
);

const edits = fc.array(fc.record({ path, value: fc.option(made, { freq: 3 }) }), {
  minLength: 1,
  maxLength: 12,
});
/** From one of the paths that are there, or from above it. */
const move = fc.record({ from: fc.nat(), up: fc.nat({ max: 3 }), to: path });
const batch = fc.record({ edits, moves: fc.array(move, { maxLength: 2 }) });

test('records, children, places and link groups are those of a map, after every batch and move', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 6 }), async (batches) => {
      const directory = mkdtempSync(join(tmpdir(), 'p2psync-store-'));
      const store = openStore(directory);
      try {
        const index = store.share(share);
        const model = new Map<SharePath, Made>();
        for (const { edits, moves: wanted } of batches) {
          const moves = wanted.flatMap((one) => takeMove(model, one) ?? []);
          await index.write({
            moves,
            pages: edits.flatMap(({ value }) => [...(value?.made?.pages ?? [])]),
            index: edits.map(({ path, value }) => ({ path, record: value?.record ?? null })),
          });
          for (const { path, value } of edits) {
            if (value === null) model.delete(path);
            else model.set(path, value);
          }
          compare(index, model);
        }
      } finally {
        await store.close();
        rmSync(directory, { recursive: true, force: true });
      }
    }),
    { numRuns: 60 },
  );
});

/** @returns what was moved in the model; undefined where nothing is there. */
function takeMove(
  model: Map<SharePath, Made>,
  { from: at, up, to }: { readonly from: number; readonly up: number; readonly to: SharePath },
): DirectoryMove | undefined {
  const paths = [...model.keys()];
  const path = paths[at % paths.length];
  if (path === undefined) return undefined;
  const from = [path, ...ancestorsOf(path)].at(Math.min(up, depthOf(path))) ?? path;
  const moved = [...model].filter(([each]) => each === from || isBelow(each, from));
  for (const [each] of moved) model.delete(each);
  for (const [each, value] of moved) model.set(pathAfter(each, { from, to }), value);
  return { from, to };
}

function compare(index: ShareStore, model: ReadonlyMap<SharePath, Made>): void {
  for (const directory of new Set<DirectoryPath>([topDirectory, ...model.keys()])) {
    const sum = emptyFingerprint();
    for (const [each, { record }] of model)
      if (parentOf(each) === directory) addEntry(sum, nameOf(each), record.stat);
    assert.equal(index.fingerprint(directory), sum, directory);
  }
  const paths = [...model.keys()].sort(comparePaths);
  const whole = paths.filter((each) => Buffer.byteLength(each) <= 1900);
  const stored = [...index.below('')];
  assert.equal(
    stored.map(([each]) => each).filter((each) => Buffer.byteLength(each) <= 1900),
    whole,
  );
  assert.equal(
    new Map([...stored].sort(([left], [right]) => comparePaths(left, right))),
    new Map(paths.map((each) => [each, model.get(each)?.record])),
  );
  for (const each of paths) {
    const parent = parentOf(each);
    const siblings = paths.filter((other) => parentOf(other) === parent).map(nameOf);
    assert.equal([...index.children(parent)].sort(comparePaths), siblings);
    const below = paths.filter((other) => parent === topDirectory || isBelow(other, parent));
    assert.equal([...index.below(parent)].map(([other]) => other).sort(comparePaths), below);
  }
  for (const name of blockNames) {
    const expected = paths.flatMap((each) => placesIn(each, model.get(each)?.made ?? null, name));
    const told = index
      .locations(blockNamed(name))
      .map(({ path, offset, length }) => `${path}@${offset}+${length}`);
    assert.is(told.length, Math.min(8, expected.length));
    for (const place of told) assert.ok(expected.includes(place), place);
    assert.is(index.hasBlock(blockNamed(name)), expected.length > 0);
  }
  for (const ino of [1n, 2n, 3n]) {
    const group = paths.filter((each) => {
      const stat = model.get(each)?.record.stat;
      return stat?.kind === 'file' && stat.ino === ino;
    });
    assert.equal([...index.linkGroup(ino)].sort(comparePaths), group);
  }
}

function placesIn(path: SharePath, content: MadeContent | null, name: string): string[] {
  const places: string[] = [];
  let offset = 0;
  for (const { digest, length } of content?.blocks ?? []) {
    if (digest === blockNamed(name)) places.push(`${path}@${offset}+${length}`);
    offset += length;
  }
  return places;
}

test.run();
