/** The trees of the bench, and how a copy of one is recognised. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { expectedOf, holds, isRenamed, showsAll } from '../../scripts/bench/look.ts';
import {
  batchFiles,
  filePath,
  MIB,
  makeFiles,
  makeLargeFile,
  makeNpmTree,
  noise,
  prose,
} from '../../scripts/bench/trees.ts';

function withDirectory(check: (top: string) => void): void {
  const top = mkdtempSync(join(tmpdir(), 'p2psync-trees-'));
  try {
    check(top);
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

function digestOf(top: string): string {
  const hash = createHash('sha256');
  for (const { path, kind, target } of expectedOf(top).sort((left, right) =>
    left.path < right.path ? -1 : 1,
  ))
    hash.update(`${path} ${kind} ${target}\n`).update(kind === 'file' ? readFileSync(join(top, path)) : '');
  return hash.digest('hex');
}

test('a seed makes the same tree again, another seed another', () => {
  withDirectory((top) => {
    const digests = [4, 4, 5].map((seed, index) => {
      const directory = join(top, String(index));
      makeNpmTree(directory, 60, seed);
      return digestOf(directory);
    });
    assert.is(digests[0], digests[1]);
    assert.is.not(digests[0], digests[2]);
  });
});

test('a tree of files has as many as asked for, of 4 KiB, and the batch beside them', () => {
  withDirectory((top) => {
    makeFiles(top, 150);
    const expected = expectedOf(top);
    assert.is(expected.length, 150 + batchFiles);
    assert.ok(expected.every(({ size, kind }) => size === 4_096 && kind === 'file'));
    assert.ok(lstatSync(join(top, filePath(149))).isFile());
    assert.is(readdirSync(join(top, 'batch')).length, batchFiles);
  });
});

test('a large file has its size and no megabyte twice', () => {
  withDirectory((top) => {
    const bytes = readFileSync(makeLargeFile(top, 3 * MIB + 5));
    assert.is(bytes.length, 3 * MIB + 5);
    assert.not.equal(bytes.subarray(0, MIB), bytes.subarray(MIB, 2 * MIB));
  });
});

test('noise and prose have the size asked for', () => {
  for (const size of [0, 1, 3, 4, 4_097]) {
    assert.is(noise(size, 1).length, size);
    assert.is(prose(size, 1).length, size);
  }
});

test('a copy shows all only once it has every file with its size and time', () => {
  withDirectory((top) => {
    const [source, copy] = [join(top, 'source'), join(top, 'copy')];
    makeNpmTree(source, 60);
    const isSo = showsAll(copy, expectedOf(source));
    assert.not(isSo());
    execFileSync('cp', ['-a', source, copy]);
    const path = join(copy, 'node_modules/package0/package.json');
    const bytes = readFileSync(path);
    rmSync(path);
    assert.not(isSo());
    // The right size at another time is not yet it.
    writeFileSync(path, bytes);
    assert.not(isSo());
    execFileSync('touch', ['-r', join(source, 'node_modules/package0/package.json'), path]);
    assert.ok(isSo());
  });
});

test('a file holds bytes when all of them are there', () => {
  withDirectory((top) => {
    const path = join(top, 'file');
    const isSo = holds(path, Buffer.from('after'));
    assert.not(isSo());
    writeFileSync(path, 'befor');
    assert.not(isSo());
    writeFileSync(path, 'after');
    assert.ok(isSo());
  });
});

test('a directory is renamed when the old name is gone and the new one is full', () => {
  withDirectory((top) => {
    makeFiles(top, 1);
    const isSo = isRenamed(join(top, 'batch'), join(top, 'other'), batchFiles);
    assert.not(isSo());
    execFileSync('cp', ['-a', join(top, 'batch'), join(top, 'other')]);
    assert.not(isSo());
    rmSync(join(top, 'batch'), { recursive: true });
    assert.ok(isSo());
    rmSync(join(top, 'other/file1.html'));
    assert.not(isSo());
  });
});

test.run();
