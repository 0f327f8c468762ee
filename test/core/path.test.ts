/** Paths: what is refused, and the order of their bytes. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import {
  comparePaths,
  depthOf,
  isBelow,
  joinPath,
  nameOf,
  parentOf,
  parsePath,
  type SharePath,
} from '../../agent/core/path.ts';
import { anyPath } from './trees.ts';

test('paths are compared as their bytes of UTF-8 are', () => {
  const unit = fc.constantFrom(
    'a',
    'b',
    '/',
    '-',
    'é',
    '\u07ff',
    '\u0800',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '\u{10000}',
    '\u{10ffff}',
  );
  const text = fc.oneof(fc.string({ unit, maxLength: 6 }), fc.string({ unit: 'binary', maxLength: 6 }));
  fc.assert(
    fc.property(text, text, (left, right) => {
      const expected = Buffer.compare(Buffer.from(left), Buffer.from(right));
      assert.is(Math.sign(comparePaths(left, right)), expected);
      assert.is(
        Math.sign(comparePaths(`${left}x`, `${left}${right}`)),
        Buffer.compare(Buffer.from('x'), Buffer.from(right)),
      );
    }),
    { numRuns: 5000 },
  );
});

test('a path that could leave the share, or means two things, is refused', () => {
  for (const text of [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    'a/.',
    'a/..',
    '../a',
    'a/../b',
    './a',
    'a\0b',
    '\ud800',
    'a/\udfff/b',
    '.p2psync',
    '.p2psync/kept',
    `${'é'.repeat(128)}`,
    'x'.repeat(256),
    `${'x'.repeat(255)}/`.repeat(16),
  ]) {
    assert.throws(
      () => parsePath(text),
      (error: unknown) => hasCode(error, 'bad-path'),
      JSON.stringify(text),
    );
  }
});

test('a path that is only odd is accepted', () => {
  const longest = `${'x'.repeat(255)}/`.repeat(15) + 'x'.repeat(255);
  for (const text of [
    'a',
    '...',
    '..a',
    'a/.b',
    ' ',
    '-',
    'a\nb',
    'C:\\x',
    '.p2psync2',
    'a/.p2psync',
    '\u{1f600}/é',
    'x'.repeat(255),
    longest,
  ]) {
    assert.is(parsePath(text), text);
  }
});

test('parent and name put together are the path', () => {
  fc.assert(
    fc.property(anyPath, (path) => {
      assert.is(joinPath(parentOf(path), nameOf(path)), path);
      assert.ok(isBelow(path, parentOf(path)));
      assert.is(depthOf(path), path.split('/').length - 1);
    }),
  );
  assert.not(isBelow('ab' as SharePath, 'a' as SharePath));
  assert.not(isBelow('a' as SharePath, 'a' as SharePath));
});

test.run();
