/** The canonical codec: what is written is read back, and nothing else is accepted. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AssertionFailed } from '../../agent/base/assert.ts';
import { type Bytes, toHex } from '../../agent/base/bytes.ts';
import { hasCode } from '../../agent/base/errors.ts';
import { createReader, createWriter, type Reader, type Writer } from '../../agent/core/codec.ts';
import { digestOf } from '../../agent/core/digest.ts';

function written(write: (writer: Writer) => void): Bytes {
  const writer = createWriter(1);
  write(writer);
  return writer.finish();
}

function read<T>(bytes: Bytes, take: (reader: Reader) => T): T {
  const reader = createReader(bytes, 'a test');
  const value = take(reader);
  reader.end();
  return value;
}

function refused(
  code: 'malformed' | 'limit-exceeded',
  bytes: readonly number[],
  take: (reader: Reader) => unknown,
): void {
  assert.throws(
    () => read(Uint8Array.from(bytes), take),
    (error: unknown) => hasCode(error, code),
  );
}

const unsigned = fc.oneof(fc.nat(300), fc.maxSafeNat());
const signed = fc.oneof(fc.integer({ min: -300, max: 300 }), fc.maxSafeInteger());
const wellFormed = fc.string({ unit: 'binary' });

test('every unsigned and signed safe integer comes back', () => {
  fc.assert(
    fc.property(unsigned, signed, (a, b) => {
      const bytes = written((writer) => {
        writer.varint(a);
        writer.zigzag(b);
      });
      assert.equal(
        read(bytes, (reader) => [reader.varint(), reader.zigzag()]),
        [a, b],
      );
    }),
    { numRuns: 2000 },
  );
  for (const edge of [0, -1, 1, 63, -64, 64, -65, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
    const bytes = written((writer) => writer.zigzag(edge));
    assert.is(
      read(bytes, (reader) => reader.zigzag()),
      edge,
    );
  }
});

test('numbers have the bytes of LEB128', () => {
  assert.is(toHex(written((writer) => writer.varint(0))), '00');
  assert.is(toHex(written((writer) => writer.varint(127))), '7f');
  assert.is(toHex(written((writer) => writer.varint(624_485))), 'e58e26');
  assert.is(toHex(written((writer) => writer.varint(Number.MAX_SAFE_INTEGER))), 'ffffffffffffff0f');
  assert.is(toHex(written((writer) => writer.zigzag(-2))), '03');
  assert.is(toHex(written((writer) => writer.zigzag(-123_456))), 'ff880f');
});

test('texts, bytes and digests come back', () => {
  fc.assert(
    fc.property(wellFormed, fc.uint8Array({ maxLength: 300 }), (text, bytes) => {
      const document = written((writer) => {
        writer.text(text);
        writer.bytes(bytes);
        writer.digest(digestOf(bytes));
        writer.byte(7);
        writer.raw(bytes);
      });
      const back = read(document, (reader) => [
        reader.text(4000),
        reader.bytes(300),
        reader.digest(),
        reader.byte(),
        reader.raw(bytes.byteLength),
      ]);
      assert.equal(back, [text, bytes, digestOf(bytes), 7, bytes]);
    }),
  );
});

test('a replacement character that the text really has is kept, and so is a byte order mark', () => {
  for (const text of ['a\ufffdb', '\ufeffa']) {
    assert.is(
      read(
        written((writer) => writer.text(text)),
        (reader) => reader.text(20),
      ),
      text,
    );
  }
});

test('a number that is longer than it need be, cut short or too large is malformed', () => {
  refused('malformed', [0x80, 0x00], (reader) => reader.varint());
  refused('malformed', [0xff, 0x00], (reader) => reader.varint());
  refused('malformed', [0x80], (reader) => reader.varint());
  refused('malformed', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10], (reader) => reader.varint());
  refused('malformed', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], (reader) => reader.varint());
  refused('malformed', [0x82, 0x00], (reader) => reader.zigzag());
  refused('malformed', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f], (reader) => reader.zigzag());
  refused('malformed', [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x20], (reader) => reader.zigzag());
});

test('lengths are checked against the limit and against what is there before anything is copied', () => {
  refused('limit-exceeded', [5, 1, 2, 3, 4, 5], (reader) => reader.bytes(4));
  refused('limit-exceeded', [5, 97, 97, 97, 97, 97], (reader) => reader.text(4));
  refused('limit-exceeded', [9], (reader) => reader.varint(8));
  refused('malformed', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], (reader) =>
    reader.bytes(Number.MAX_SAFE_INTEGER),
  );
  refused('malformed', [1, 2], (reader) => reader.raw(3));
  refused('malformed', [], (reader) => reader.byte());
});

test('text that is not UTF-8, a digest of another algorithm and bytes after the end are malformed', () => {
  refused('malformed', [2, 0xc3, 0x28], (reader) => reader.text(10));
  refused('malformed', [3, 0xed, 0xa0, 0x80], (reader) => reader.text(10));
  refused('malformed', [0x13, ...new Uint8Array(32)], (reader) => reader.digest());
  refused('malformed', [0x12, 0, 0], (reader) => reader.digest());
  refused('malformed', [1, 2], (reader) => reader.byte());
});

test('what cannot be written is an assertion, not a wrong byte', () => {
  const writer = createWriter();
  for (const bug of [
    () => writer.varint(-1),
    () => writer.varint(1.5),
    () => writer.varint(2 ** 53),
    () => writer.zigzag(Number.NaN),
    () => writer.byte(256),
    () => writer.text('\ud800'),
    () => writer.digest('abc' as ReturnType<typeof digestOf>),
  ]) {
    assert.throws(bug, (error: unknown) => error instanceof AssertionFailed);
  }
});

test('a read value does not change with the bytes it came from', () => {
  const document = written((writer) => writer.bytes(Uint8Array.of(1, 2, 3)));
  const value = read(document, (reader) => reader.bytes(3));
  document.fill(0);
  assert.equal(value, Uint8Array.of(1, 2, 3));
});

test.run();
