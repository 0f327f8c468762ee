import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { printable } from '../../agent/base/printable.ts';

test('what a terminal might obey is written as an escape, and the rest stays', () => {
  assert.equal(
    [
      'plain',
      'größe 日本 👍',
      'a\nb\r\t',
      '\x1b[2J\x07',
      '\x7f\x9b',
      '\u202ecod.exe',
      '\u2028',
      '\ud800x',
      '\u{e0041}',
    ].map(printable),
    [
      'plain',
      'größe 日本 👍',
      'a\\nb\\r\\t',
      '\\x1b[2J\\x07',
      '\\x7f\\x9b',
      '\\u202ecod.exe',
      '\\u2028',
      '\\ud800x',
      '\\u{e0041}',
    ],
  );
});

test('no text keeps a control character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.not.match(printable(text), /\p{Cc}/u);
    }),
  );
});

test.run();
