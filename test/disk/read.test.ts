import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { systemCode } from '../../agent/base/errors.ts';
import {
  blockHeadBytes,
  bulkBatchBytes,
  inlineBytesMax,
  KIB,
  MIB,
  readPartBytes,
  readSplitBytesMin,
  wholeFileBytesMax,
} from '../../agent/base/limits.ts';
import { buildBlockList, iterateBlocks } from '../../agent/core/blocklist.ts';
import { digestOf } from '../../agent/core/digest.ts';
import type { BlockRef } from '../../agent/core/entry.ts';
import { parsePath, type SharePath } from '../../agent/core/path.ts';
import type { Pool } from '../../agent/disk/pool.ts';
import {
  createReader,
  type ReadCalls,
  type Reader,
  type ReadItem,
  type ReadOk,
  type ReadResult,
} from '../../agent/disk/read.ts';
import { readWhole } from '../../agent/disk/read-file.ts';
import { type PartOrder, readPart } from '../../agent/disk/read-part.ts';
import { readSplit } from '../../agent/disk/read-split.ts';
import { makeFifo, makeSocket, plant, plantDeep, type Tree, withShare } from './share-directory.ts';

const { signal } = new AbortController();
const never = () => false;

function withReader(
  tree: Tree,
  use: (scene: { root: string; reader: Reader }) => Promise<void>,
): Promise<void> {
  return withShare(tree, async (root) => {
    const reader = createReader(root);
    try {
      await use({ root, reader });
    } finally {
      await reader.close();
    }
  });
}

function itemOf(path: string, more: Partial<ReadItem> = {}): ReadItem {
  return { path: path as SharePath, cut: null, keepBytes: false, ...more };
}

async function readAll(reader: Reader, items: readonly ReadItem[]): Promise<Map<string, ReadResult>> {
  const results = new Map<string, ReadResult>();
  for await (const batch of reader.read(items, { signal })) {
    for (const result of batch) {
      assert.not.ok(results.has(result.path), `${result.path} once`);
      results.set(result.path, result);
    }
  }
  return results;
}

async function readOne(reader: Reader, path: string, more: Partial<ReadItem> = {}): Promise<ReadResult> {
  const result = (await readAll(reader, [itemOf(path, more)])).get(path);
  assert.ok(result !== undefined, 'a result for the item');
  return result;
}

function okOf(result: ReadResult): ReadOk {
  assert.ok(result.kind === 'ok', `${result.path} is ${result.kind}`);
  return result;
}

/** The blocks are the file's bytes, in order, and the list that the content names is theirs. */
function checkBlocks({ content, blocks, listPages, stat }: ReadOk, bytes: Uint8Array): void {
  assert.is(stat.size, bytes.byteLength);
  let offset = 0;
  for (const { digest, length } of blocks) {
    assert.is(digestOf(bytes.subarray(offset, offset + length)), digest);
    offset += length;
  }
  assert.is(offset, bytes.byteLength);
  if (content.kind === 'list') {
    const pages = new Map(listPages);
    assert.equal(
      [...iterateBlocks((digest) => pages.get(digest), content.digest, bytes.byteLength)],
      [...blocks],
    );
  } else assert.is(listPages.length, 0);
}

test('an empty file is empty, a small one one block, a large one a list', async () => {
  const sizes = [0, 1, inlineBytesMax, wholeFileBytesMax, wholeFileBytesMax + 1, 3 * MIB + 17, 9 * MIB];
  const bytes = new Map(sizes.map((size) => [`f${size}`, new Uint8Array(randomBytes(size))]));
  await withReader(Object.fromEntries(bytes), async ({ reader }) => {
    const results = await readAll(
      reader,
      [...bytes.keys()].map((path) => itemOf(path)),
    );
    assert.is(results.size, sizes.length);
    for (const [path, result] of results) {
      const ok = okOf(result);
      const size = Number(path.slice(1));
      assert.is(ok.content.kind, size === 0 ? 'empty' : size <= wholeFileBytesMax ? 'block' : 'list');
      assert.is(ok.bytes, null);
      checkBlocks(ok, bytes.get(path) ?? new Uint8Array());
    }
  });
});

test('equal bytes give equal content whatever was read before, and one byte in front moves few blocks', async () => {
  const bytes = new Uint8Array(randomBytes(5 * MIB));
  await withReader(
    { a: bytes, b: bytes, c: Buffer.concat([Buffer.from('x'), bytes]) },
    async ({ reader }) => {
      const [a, b, c] = ['a', 'b', 'c'].map((path) => readOne(reader, path));
      assert.equal(
        okOf(await (a as Promise<ReadResult>)).content,
        okOf(await (b as Promise<ReadResult>)).content,
      );
      const known = new Set(okOf(await (b as Promise<ReadResult>)).blocks.map(({ digest }) => digest));
      const fresh = okOf(await (c as Promise<ReadResult>)).blocks.filter(({ digest }) => !known.has(digest));
      assert.ok(fresh.length <= 2, `${fresh.length} new blocks`);
    },
  );
});

test('bytes are kept where they are asked for and small', () =>
  withReader({ small: 'abc', empty: '', large: new Uint8Array(inlineBytesMax + 1) }, async ({ reader }) => {
    const kept = async (path: string) => okOf(await readOne(reader, path, { keepBytes: true })).bytes;
    assert.equal(await kept('small'), new Uint8Array(Buffer.from('abc')));
    assert.equal(await kept('empty'), new Uint8Array());
    assert.is(await kept('large'), null);
    assert.is(okOf(await readOne(reader, 'small')).bytes, null);
  }));

test('a large file keeps the class it had', () =>
  withReader({ f: new Uint8Array(randomBytes(600 * KIB)) }, async ({ reader }) => {
    const { content } = okOf(await readOne(reader, 'f', { cut: 'small' }));
    assert.ok(content.kind === 'list' && content.cut === 'small');
  }));

test('many files in many directories come once each', async () => {
  const tree: Record<string, string> = {};
  for (let at = 0; at < 1500; at += 1) tree[`d${at % 40}/f${at}`] = `content ${at}`;
  await withReader(tree, async ({ reader }) => {
    const results = await readAll(
      reader,
      Object.keys(tree).map((path) => itemOf(path)),
    );
    for (const [path, text] of Object.entries(tree)) {
      const result = results.get(path);
      assert.ok(result?.kind === 'ok');
      assert.equal(result.content, { kind: 'block', digest: digestOf(Buffer.from(text)) });
    }
  });
});

test('what is not a regular file any more is changed, what is not there is gone, and nothing is waited for', () =>
  withReader({ 'd/file': 'x', 'e/file': 'outside' }, async ({ root, reader }) => {
    fs.symlinkSync('file', join(root, 'd/link'));
    fs.symlinkSync('e', join(root, 'swapped'));
    makeFifo(join(root, 'd/fifo'));
    const close = await makeSocket(join(root, 'd/socket'));
    const paths = ['d/link', 'd/fifo', 'd/socket', 'd', 'd/none', 'none/x', 'd/file/x', 'swapped/file'];
    const results = await readAll(
      reader,
      paths.map((path) => itemOf(path)),
    );
    assert.equal(
      paths.map((path) => results.get(path)?.kind),
      ['changed', 'changed', 'changed', 'changed', 'gone', 'gone', 'gone', 'gone'],
    );
    await close();
  }));

test('a file without permission fails, and its neighbours are read', () =>
  withReader({ a: 'a', b: 'b' }, async ({ root, reader }) => {
    fs.chmodSync(join(root, 'a'), 0);
    const results = await readAll(reader, [itemOf('a'), itemOf('b')]);
    const result = results.get('a');
    // Root may read it all the same.
    if (process.geteuid?.() === 0) assert.is(result?.kind, 'ok');
    else assert.ok(result?.kind === 'failed' && result.code === 'EACCES');
    assert.is(results.get('b')?.kind, 'ok');
  }));

test('without the share’s directory nothing is gone', () =>
  withShare({ 'share/a': 'a' }, async (root) => {
    const reader = createReader(join(root, 'share'));
    assert.is((await readOne(reader, 'a')).kind, 'ok');
    fs.renameSync(join(root, 'share'), join(root, 'away'));
    assert.is((await readOne(reader, 'a')).kind, 'failed');
    await reader.close();
  }));

/** As a long file is seen: all threads read it. */
const long = { size: readSplitBytesMin };

test('a long file is read by all threads, to the same result', () =>
  withShare({ f: randomBytes(2 * readPartBytes + 100_000), small: 'x' }, async (root) => {
    const reader = createReader(root);
    const one = okOf(readWhole(join(root, 'f'), itemOf('f'), never));
    for (const restless of [false, true])
      assert.equal(okOf(await readOne(reader, 'f', { ...long, restless })), one);
    const found = await readAll(reader, [itemOf('f', long), itemOf('small')]);
    assert.equal([...found.values()].map(({ kind }) => kind).sort(), ['ok', 'ok']);
    await reader.close();
  }));

/** Calls of reading threads, made here: `change` comes before the one of that number. */
function callsOn(file: string, change: () => void, before: number): Pool<ReadCalls> {
  let count = 0;
  const calls: Record<string, (order: never) => unknown> = {
    part: (order: PartOrder) => readPart(file, order, never),
    list: (blocks: readonly BlockRef[]) => buildBlockList(blocks),
  };
  const call = async (name: string, argument: unknown): Promise<unknown> => {
    count += 1;
    if (count === before) change();
    return calls[name]?.(argument as never);
  };
  return { call, threads: 2, tell: () => undefined, close: async () => undefined } as Pool<ReadCalls>;
}

test('a long file that changes or goes between two parts is not passed for whole', () =>
  withShare({}, async (root) => {
    const file = join(root, 'f');
    const bytes = randomBytes(2 * readPartBytes + 600_000);
    const cases: readonly [string, () => void][] = [
      ['changed', () => fs.appendFileSync(file, 'x')],
      ['changed', () => fs.truncateSync(file, readPartBytes)],
      ['changed', () => fs.renameSync(join(root, 'other'), file)],
      ['gone', () => fs.unlinkSync(file)],
    ];
    for (const [kind, change] of cases) {
      for (const before of [2, 3]) {
        for (const name of ['f', 'other']) fs.writeFileSync(join(root, name), bytes);
        const result = await readSplit(callsOn(file, change, before), itemOf('f'), {});
        assert.equal([String(change), before, result.kind], [String(change), before, kind]);
      }
    }
  }));

test('what was long and is short by now is looked at again', () =>
  withReader({ f: 'short by now' }, async ({ reader }) => {
    assert.is((await readOne(reader, 'f', long)).kind, 'changed');
  }));

/** Reads a large file that `change` touches once, in the middle of the reading. */
async function readWhile(change: (file: string) => void, more: Partial<ReadItem> = {}): Promise<ReadResult> {
  let result: ReadResult | undefined;
  await withShare({ f: new Uint8Array(8 * MIB) }, async (root) => {
    const file = join(root, 'f');
    let looked = 0;
    result = readWhole(file, itemOf('f', more), () => {
      looked += 1;
      if (looked === 2) change(file);
      return false;
    });
  });
  assert.ok(result !== undefined);
  return result;
}

test('a file that changes while it is read is changed, however it hides it', async () => {
  const times = { atime: new Date(1000), mtime: new Date(2000) };
  const cases: Record<string, (file: string) => void> = {
    grows: (file) => fs.appendFileSync(file, 'x'),
    shrinks: (file) => fs.truncateSync(file, 100),
    'same size and mtime': (file) => {
      const { mtime } = fs.statSync(file);
      const fd = fs.openSync(file, 'r+');
      fs.writeSync(fd, 'other', 0);
      fs.closeSync(fd);
      fs.utimesSync(file, times.atime, mtime);
    },
    replaced: (file) => {
      fs.writeFileSync(`${file}.new`, new Uint8Array(8 * MIB));
      fs.renameSync(`${file}.new`, file);
    },
    touched: (file) => fs.utimesSync(file, times.atime, times.mtime),
  };
  for (const [name, change] of Object.entries(cases)) {
    assert.equal([name, (await readWhile(change)).kind], [name, 'changed']);
  }
  assert.is((await readWhile(() => {})).kind, 'ok');
});

test('a restless file is taken as it was at the start, unless it lost bytes', async () => {
  const grown = okOf(await readWhile((file) => fs.appendFileSync(file, 'more'), { restless: true }));
  checkBlocks(grown, new Uint8Array(8 * MIB));
  assert.is((await readWhile((file) => fs.truncateSync(file, 9), { restless: true })).kind, 'changed');
});

test('new bytes under the same size and mtime have another ctime and digest', () =>
  withReader({ f: 'one' }, async ({ root, reader }) => {
    const before = okOf(await readOne(reader, 'f'));
    const { atime, mtime } = fs.statSync(join(root, 'f'));
    fs.utimesSync(join(root, 'f'), atime, mtime);
    const still = okOf(await readOne(reader, 'f'));
    plant(root, { f: 'two' });
    fs.utimesSync(join(root, 'f'), atime, mtime);
    const after = okOf(await readOne(reader, 'f'));
    assert.is(after.stat.mtimeNs, still.stat.mtimeNs);
    assert.is.not(after.stat.ctimeNs, before.stat.ctimeNs);
    assert.not.equal(after.content, before.content);
  }));

test('a file whose path is longer than the system takes is read', () =>
  withReader({}, async ({ root, reader }) => {
    const path = plantDeep(root, 'n'.repeat(240), 16, 'f'.repeat(200), 'deep');
    assert.equal(okOf(await readOne(reader, path)).content, {
      kind: 'block',
      digest: digestOf(Buffer.from('deep')),
    });
    assert.equal(await reader.blocks([{ path: path as SharePath, offset: 1, length: 2 }], { signal }), [
      new Uint8Array(Buffer.from('ee')),
    ]);
  }));

test('an aborted reading throws the reason', () =>
  withReader({ f: new Uint8Array(MIB) }, async ({ reader }) => {
    try {
      for await (const _ of reader.read([itemOf('f')], { signal: AbortSignal.abort(new Error('enough')) }));
      assert.unreachable('it throws');
    } catch (error) {
      assert.match(String(error), 'enough');
    }
  }));

test('a long reading stops when it is told to', () =>
  withShare({ f: new Uint8Array(9 * MIB) }, async (root) => {
    let asked = 0;
    const result = readWhole(join(root, 'f'), itemOf('f'), () => {
      asked += 1;
      return true;
    });
    assert.equal([result.kind, asked], ['changed', 1]);
    assert.is(readWhole(join(root, 'f'), itemOf('f'), never).kind, 'ok');
  }));

test('a block is given whole, checked where it can be, or not at all', () =>
  withReader({ 'd/f': '0123456789' }, async ({ root, reader }) => {
    fs.symlinkSync('f', join(root, 'd/link'));
    fs.symlinkSync('d', join(root, 'e'));
    const block = async (path: string, offset: number, length: number, text?: string) => {
      const digest = text === undefined ? {} : { digest: digestOf(Buffer.from(text)) };
      const location = { path: parsePath(path), offset, length, ...digest };
      const [bytes = null] = await reader.blocks([location], { signal });
      return bytes === null ? null : Buffer.from(bytes).toString();
    };
    assert.is(await block('d/f', 2, 3), '234');
    assert.is(await block('d/f', 2, 3, '234'), '234');
    assert.is(await block('d/f', 2, 3, '235'), null);
    assert.is(await block('d/f', 8, 3), null);
    for (const path of ['d/link', 'e/f', 'd', 'none', 'none/f'])
      assert.equal([path, await block(path, 0, 1)], [path, null]);
  }));

test('of blocks that are read together each is checked on its own', () =>
  withReader({ 'd/f': '0123456789', 'd/g': 'abc', h: 'x' }, async ({ reader }) => {
    const at = (path: string, offset: number, text: string, claimed = text) => ({
      path: parsePath(path),
      offset,
      length: text.length,
      digest: digestOf(Buffer.from(claimed)),
    });
    const locations = [
      at('d/f', 0, '012'),
      at('d/f', 3, '34', '35'),
      at('d/f', 5, '567'),
      at('d/f', 8, '89?'),
      at('d/g', 0, 'abc'),
      at('none', 0, 'x'),
      at('h', 0, 'x'),
      at('d/f', 0, '0'),
    ];
    const blocks = await reader.blocks(locations, { signal });
    const texts = blocks.map((bytes) => (bytes === null ? null : Buffer.from(bytes).toString()));
    assert.equal(texts, ['012', null, '567', null, 'abc', null, 'x', '0']);
  }));

test('blocks for serving lie in memory of a bounded size each, together where they fit', () =>
  withReader({ f: new Uint8Array(4 * MIB) }, async ({ reader }) => {
    const lengths = [...Array<number>(8).fill(bulkBatchBytes / 4), 2 * MIB];
    let offset = 0;
    const locations = lengths.map((length) => {
      offset += length;
      return { path: parsePath('f'), offset: offset - length, length };
    });
    const blocks = await reader.blocks(locations, { signal });
    const memory = blocks.map((bytes) => bytes?.buffer);
    assert.is(new Set(memory).size, 3);
    assert.is(memory[0], memory[3]);
    assert.is(memory[0]?.byteLength, bulkBatchBytes + 4 * blockHeadBytes);
    // What goes before each on the wire has its room there, and no more.
    const starts = blocks.map((bytes) => bytes?.byteOffset);
    const step = blockHeadBytes + bulkBatchBytes / 4;
    assert.equal(
      starts.slice(0, 4),
      [0, 1, 2, 3].map((at) => blockHeadBytes + at * step),
    );
    assert.is(starts[8], blockHeadBytes);
  }));

test('a link gives its target, as it stands', () =>
  withReader({ 'd/f': '' }, async ({ root, reader }) => {
    fs.symlinkSync('../é/nowhere', join(root, 'd/link'));
    fs.symlinkSync(Buffer.from([0xff, 0xfe]), join(root, 'd/odd'));
    assert.equal(await reader.readLink(parsePath('d/link')), { kind: 'target', target: '../é/nowhere' });
    assert.equal(await reader.readLink(parsePath('d/odd')), { kind: 'not-utf8' });
    for (const path of ['d/f', 'd', 'd/none', 'none/x'])
      assert.equal(await reader.readLink(parsePath(path)), { kind: 'gone' });
  }));

test('a closed reader refuses', () =>
  withShare({ f: 'x' }, async (root) => {
    const reader = createReader(root);
    await reader.close();
    const error = await reader.readLink(parsePath('f')).catch((caught: unknown) => caught);
    assert.is(systemCode(error), 'cancelled');
  }));

test.run();
