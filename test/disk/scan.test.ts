import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ignoreFileBytesMax } from '../../agent/base/limits.ts';
import {
  comparePaths,
  type DirectoryPath,
  joinPath,
  parsePath,
  type SharePath,
} from '../../agent/core/path.ts';
import { sameStat } from '../../agent/core/stat.ts';
import { createIgnore, type Ignore } from '../../agent/disk/ignore.ts';
import { createScanner, type Listing, type Scanner } from '../../agent/disk/scan.ts';
import { listDirectory } from '../../agent/disk/scan-list.ts';
import { makeFifo, makeSocket, plant, plantDeep, type Tree, withShare } from './share-directory.ts';

type Scene = { readonly root: string; readonly scanner: Scanner; readonly ignore: Ignore };

function withScanner(
  tree: Tree,
  patterns: readonly string[],
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  return withShare(tree, async (root) => {
    const ignore = createIgnore(patterns);
    const scanner = createScanner(root, { ignore });
    try {
      await use({ root, scanner, ignore });
    } finally {
      await scanner.close();
    }
  });
}

async function walk(scanner: Scanner, from: DirectoryPath = ''): Promise<Listing[]> {
  const listings: Listing[] = [];
  for await (const batch of scanner.tree(from, { signal: new AbortController().signal }))
    listings.push(...batch);
  return listings;
}

function pathsOf(listings: readonly Listing[]): string[] {
  return listings
    .flatMap(({ directory, entries }) => entries().map(({ name }) => joinPath(directory, name)))
    .sort(comparePaths);
}

function namesOf(listing: Listing): string[] {
  return listing.entries().map(({ name }) => name);
}

test('walks every directory once and every entry with its stat', async () => {
  const tree: Record<string, string | null> = { empty: null };
  for (let a = 0; a < 30; a += 1) for (let b = 0; b < 20; b += 1) tree[`d${a % 7}/e${a}/f${b}`] = `${a} ${b}`;
  await withScanner(tree, [], async ({ root, scanner }) => {
    fs.symlinkSync('nowhere', join(root, 'd0/link'));
    fs.symlinkSync(root, join(root, 'd1/loop'));
    const listings = await walk(scanner);
    const directories = listings.map(({ directory }) => directory);
    assert.is(new Set(directories).size, directories.length);
    assert.is(directories.length, 1 + 1 + 7 + 30);
    const parts = Object.keys(tree).map((path) => path.split('/'));
    const all = parts.flatMap((names) => names.map((_, at) => names.slice(0, at + 1).join('/')));
    assert.equal(pathsOf(listings), [...new Set([...all, 'd0/link', 'd1/loop'])].sort(comparePaths));
    for (const { directory, entries } of listings) {
      for (const { name, stat } of entries()) {
        const real = fs.lstatSync(join(root, directory, name), { bigint: true });
        assert.is(stat.ino, real.ino);
        assert.is(stat.dev, real.dev);
        assert.is(stat.mtimeNs, real.mtimeNs);
        assert.is(stat.ctimeNs, real.ctimeNs);
        assert.is(BigInt(stat.size), real.size);
        assert.is(stat.mode, Number(real.mode) & 0o7777);
        assert.is(stat.kind === 'symlink', real.isSymbolicLink());
        assert.is(stat.kind === 'directory', real.isDirectory());
      }
    }
  });
});

test('entries come in byte order of their names', () =>
  withScanner({ é: '', z: '', '\u{1f600}': '', '\uffee': '', B: '', a: '' }, [], async ({ scanner }) => {
    assert.equal(namesOf(await scanner.directory('')), ['B', 'a', 'z', 'é', '\uffee', '\u{1f600}']);
  }));

test('a walk can start below the top, and end early', () =>
  withScanner({ 'a/b/c': '', 'x/y': '' }, [], async ({ scanner }) => {
    assert.equal(pathsOf(await walk(scanner, parsePath('a'))), ['a/b', 'a/b/c']);
    for await (const batch of scanner.tree('', { signal: new AbortController().signal })) {
      assert.ok(batch.length > 0);
      break;
    }
    assert.equal(namesOf(await scanner.directory('')), ['a', 'x']);
  }));

test('an aborted walk throws the reason', () =>
  withScanner({ a: '' }, [], async ({ scanner }) => {
    try {
      for await (const _ of scanner.tree('', { signal: AbortSignal.abort(new Error('enough')) }));
      assert.unreachable('it throws');
    } catch (error) {
      assert.match(String(error), 'enough');
    }
  }));

test('what is not there or no directory is gone, also below a symlink', () =>
  withScanner({ 'd/e/f': '' }, [], async ({ root, scanner }) => {
    fs.symlinkSync('d', join(root, 'link'));
    for (const path of ['none', 'd/e/f', 'link', 'link/e', 'd/e/f/g']) {
      const listing = await scanner.directory(parsePath(path));
      assert.equal([path, listing.gone, listing.unreadable, namesOf(listing)], [path, true, false, []]);
    }
    const [a, b, c] = await scanner.stat([parsePath('link/e/f'), parsePath('none'), parsePath('d/e/f')]);
    assert.equal([a, b], [null, null]);
    assert.ok(c !== null && c !== undefined && c !== 'unreadable' && c.kind === 'file');
  }));

test('stats come in the order asked, and agree with the listing', () =>
  withScanner({ 'd/a': '1', 'd/b': '22', 'e/c': '333' }, [], async ({ scanner }) => {
    const stats = await scanner.stat(['e/c', 'd/b', 'none', 'd/a', 'd'].map((path) => parsePath(path)));
    assert.equal(
      stats.map((stat) =>
        stat === null || stat === 'unreadable' || stat.kind === 'directory' ? stat === null : stat.size,
      ),
      [3, 2, true, 1, false],
    );
    const listed = (await scanner.directory(parsePath('d'))).entries().find(({ name }) => name === 'b')?.stat;
    const [, looked] = stats;
    assert.ok(listed !== undefined && looked !== undefined && looked !== null && looked !== 'unreadable');
    assert.ok(sameStat(listed, looked));
  }));

test('fifos and sockets are named, not listed, and not opened', () =>
  withScanner({ 'd/file': '' }, [], async ({ root, scanner }) => {
    makeFifo(join(root, 'd/fifo'));
    const close = await makeSocket(join(root, 'd/socket'));
    const listing = await scanner.directory(parsePath('d'));
    assert.equal(namesOf(listing), ['file']);
    assert.equal(listing.skipped.map(({ path, code }) => `${path} ${code}`).toSorted(comparePaths), [
      'd/fifo special-file',
      'd/socket special-file',
    ]);
    assert.equal(await scanner.stat([parsePath('d/fifo')]), [null]);
    await close();
  }));

test('a name that is not UTF-8 is named in print, and its neighbours are listed', () =>
  withScanner({ 'd/good': '', 'd/\ufffd': '' }, [], async ({ root, scanner }) => {
    fs.writeFileSync(Buffer.concat([Buffer.from(join(root, 'd/bad-')), Buffer.from([0xff, 0x0a, 0xe9])]), '');
    const listing = await scanner.directory(parsePath('d'));
    assert.equal(namesOf(listing), ['good', '\ufffd']);
    assert.equal(
      listing.skipped.map(({ path, code }) => [path, code]),
      [['d/bad-\\xff\\x0a\\xe9', 'not-utf8']],
    );
  }));

test('names of 255 bytes, odd names and control characters are listed', async () => {
  const names = [
    'é'.repeat(127) + 'x',
    'a'.repeat(255),
    ' ',
    '\n',
    '\\',
    '*',
    '..x',
    '-rf',
    '\u202e',
    'e\u0301',
    '.p2psync',
  ];
  await withScanner(Object.fromEntries(names.map((name) => [`d/${name}`, ''])), [], async ({ scanner }) => {
    assert.equal(namesOf(await scanner.directory(parsePath('d'))), [...names].sort(comparePaths));
  });
});

test('a path that is longer than the system takes is walked all the same', () =>
  withScanner({}, [], async ({ root, scanner }) => {
    // 4,095 bytes in the share, and the way to the share on top of that.
    const path = plantDeep(root, 'n'.repeat(240), 16, 'f'.repeat(4095 - 16 * 241), 'deep');
    assert.is(path.length, 4095);
    const listings = await walk(scanner);
    assert.is(listings.length, 17);
    assert.is(pathsOf(listings).at(-1), path);
    const [stat] = await scanner.stat([path as SharePath]);
    assert.ok(stat !== null && stat !== undefined && stat !== 'unreadable' && stat.size === 4);
  }));

test('a path of more than 4,095 bytes is named, and the rest is listed', () =>
  withScanner({}, [], async ({ root, scanner }) => {
    plantDeep(root, 'n'.repeat(240), 17, 'x', 'too deep');
    const listings = await walk(scanner);
    assert.is(listings.length, 17);
    assert.equal(
      listings.flatMap(({ skipped }) => skipped.map(({ code }) => code)),
      ['path-too-long'],
    );
  }));

test('ignored entries are left out and not gone into', () =>
  withScanner(
    { 'a.tmp': '', 'd/b.tmp': '', 'd/c': '', 'cache/x': '', '.p2psync/stage/x': '' },
    ['*.tmp', 'cache/'],
    async ({ scanner, ignore }) => {
      assert.equal(pathsOf(await walk(scanner)), ['d', 'd/c']);
      assert.equal(await scanner.stat([parsePath('a.tmp'), parsePath('cache/x')]), [null, null]);
      ignore.change({ kind: 'patterns', patterns: ['*.tmp'] });
      assert.equal(pathsOf(await walk(scanner)), ['cache', 'cache/x', 'd', 'd/c']);
    },
  ));

test('rules files are heeded as they are met, and their changes are told', () =>
  withScanner(
    {
      '.p2psyncignore': '*.tmp\n',
      'x.tmp': '',
      'd/.p2psyncignore': '!*.tmp\nskip/\n',
      'd/x.tmp': '',
      'd/skip/y': '',
      'd/e/z.tmp': '',
    },
    [],
    async ({ root, scanner }) => {
      assert.equal(pathsOf(await walk(scanner)), [
        '.p2psyncignore',
        'd',
        'd/.p2psyncignore',
        'd/e',
        'd/e/z.tmp',
        'd/x.tmp',
      ]);
      assert.is((await scanner.directory('')).rulesChanged, false);
      plant(root, { '.p2psyncignore': 'd/e/\n' });
      assert.is((await scanner.directory('')).rulesChanged, true);
      assert.equal(pathsOf(await walk(scanner)), [
        '.p2psyncignore',
        'd',
        'd/.p2psyncignore',
        'd/x.tmp',
        'x.tmp',
      ]);
      fs.rmSync(join(root, 'd/.p2psyncignore'));
      assert.is((await scanner.directory(parsePath('d'))).rulesChanged, true);
      assert.equal(namesOf(await scanner.directory(parsePath('d'))), ['skip', 'x.tmp']);
    },
  ));

test('the rules of a directory that went are forgotten', () =>
  withScanner(
    { 'd/.p2psyncignore': '*\n', 'd/e/.p2psyncignore': '*\n', 'd/x': '' },
    [],
    async ({ root, scanner, ignore }) => {
      await walk(scanner);
      await scanner.directory(parsePath('d/e'));
      assert.is(ignore.source().files.length, 2);
      fs.rmSync(join(root, 'd'), { recursive: true });
      assert.is((await scanner.directory(parsePath('d'))).gone, true);
      assert.equal(ignore.source().files, []);
    },
  ));

test('a directory whose rules cannot be read is unreadable, never without rules', () =>
  withScanner(
    { 'd/secret': '', 'd/.p2psyncignore': `secret\n${'#'.repeat(ignoreFileBytesMax)}` },
    [],
    async ({ scanner }) => {
      const listing = await scanner.directory(parsePath('d'));
      assert.equal([listing.unreadable, listing.gone, namesOf(listing)], [true, false, []]);
      assert.match(listing.skipped[0]?.message ?? '', '.p2psyncignore');
    },
  ));

test('a directory without permission never reads as empty or gone', () =>
  withScanner({ 'd/file': '' }, [], async ({ root, scanner }) => {
    fs.chmodSync(join(root, 'd'), 0);
    const listing = await scanner.directory(parsePath('d'));
    fs.chmodSync(join(root, 'd'), 0o700);
    // Root may look inside; everybody else is told that nobody can say.
    assert.is(listing.gone, false);
    if (process.geteuid?.() === 0) assert.equal(namesOf(listing), ['file']);
    else assert.equal([listing.unreadable, listing.skipped[0]?.code], [true, 'permission']);
  }));

test('without the share’s directory nothing is gone', () =>
  withScanner({ 'share/d/file': '' }, [], async ({ root }) => {
    const scanner = createScanner(join(root, 'share'), { ignore: createIgnore([]) });
    fs.renameSync(join(root, 'share'), join(root, 'away'));
    for (const path of ['', 'd'] as DirectoryPath[]) {
      const listing = await scanner.directory(path);
      assert.equal([listing.gone, listing.unreadable], [false, true]);
    }
    assert.equal(await scanner.stat([parsePath('d/file')]), ['unreadable']);
    fs.writeFileSync(join(root, 'share'), 'a file now');
    assert.is((await scanner.directory('')).unreadable, true);
    await scanner.close();
  }));

test('on another file system than at start nothing is gone', () =>
  withShare({ 'd/file': '' }, async (root) => {
    const { dev } = fs.statSync(root, { bigint: true });
    const ignore = createIgnore([]);
    const list = (device: bigint, directory: string) =>
      listDirectory({ root, device }, directory as DirectoryPath, ignore);
    assert.equal([list(dev, '').unreadable, list(dev, 'none').gone], [false, true]);
    for (const listed of [list(dev + 1n, ''), list(dev + 1n, 'none')]) {
      assert.equal(
        [listed.gone, listed.unreadable, listed.skipped[0]?.code],
        [false, true, 'other-filesystem'],
      );
    }
  }));

test('a share behind a symlink is the directory that the symlink led to at start', () =>
  withShare({ 'one/a': '', 'two/b': '' }, async (root) => {
    fs.symlinkSync('one', join(root, 'current'));
    const scanner = createScanner(join(root, 'current'), { ignore: createIgnore([]) });
    fs.rmSync(join(root, 'current'));
    fs.symlinkSync('two', join(root, 'current'));
    assert.equal(namesOf(await scanner.directory('')), ['a']);
    await scanner.close();
  }));

test('a walk under a tree that changes ends, and shows nothing that never was', () =>
  withScanner({}, [], async ({ root, scanner }) => {
    const tree: Record<string, string> = {};
    for (let at = 0; at < 400; at += 1) tree[`d${at % 20}/e${at % 5}/f${at}`] = '';
    plant(root, tree);
    let round = 0;
    const seen: string[] = [];
    for await (const batch of scanner.tree('', { signal: new AbortController().signal })) {
      seen.push(...pathsOf(batch));
      const victim = join(root, `d${round % 20}`);
      fs.rmSync(victim, { recursive: true, force: true });
      if (round % 2 === 0) fs.symlinkSync('/', victim);
      round += 1;
    }
    const known = new Set(Object.keys(tree));
    for (let at = 0; at < 20; at += 1) {
      known.add(`d${at}`);
      for (let below = 0; below < 5; below += 1) known.add(`d${at}/e${below}`);
    }
    assert.equal(
      seen.filter((path) => !known.has(path)),
      [],
    );
    assert.equal(
      (await walk(scanner)).flatMap(({ skipped }) => skipped),
      [],
    );
  }));

test.run();
