/** What goes out of a TLS socket: one write at a time, small parts as one, large ones uncopied. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../../agent/base/bytes.ts';
import { bulkJoinBytesMax } from '../../../agent/base/limits.ts';
import { createOutput } from '../../../agent/net/blocks/tls-output.ts';

type Done = (error?: Error | null) => void;

/** A socket that takes what it is given when it is told to. */
function startSocket() {
  const writes: { readonly bytes: Bytes; readonly done: Done }[] = [];
  const write = (bytes: unknown, done: unknown): boolean => {
    writes.push({ bytes: bytes as Bytes, done: done as Done });
    return true;
  };
  return { output: createOutput({ write } as Parameters<typeof createOutput>[0]), writes };
}

const large = (value: number): Bytes => new Uint8Array(bulkJoinBytesMax + 1).fill(value);

test('the next write waits until the last one is with the system, and each says so once', () => {
  const { output, writes } = startSocket();
  const said: string[] = [];
  const [first, second] = [large(1), large(2)];
  output.write([first], () => said.push('first'));
  output.write([second], () => said.push('second'));
  assert.is(writes.length, 1);
  assert.is(writes[0]?.bytes, first);
  writes[0]?.done();
  assert.equal(said, ['first']);
  assert.is(writes[1]?.bytes, second);
  writes[1]?.done();
  assert.equal(said, ['first', 'second']);
});

test('small parts that wait leave as one, large ones by themselves', () => {
  const { output, writes } = startSocket();
  let done = 0;
  const last = large(9);
  output.write([large(1)], () => {});
  for (const value of [2, 3, 4]) output.write([Uint8Array.of(value)], () => (done += 1));
  output.write([Uint8Array.of(5), last], () => (done += 1));
  writes[0]?.done();
  assert.equal(writes[1]?.bytes, Buffer.of(2, 3, 4, 5));
  writes[1]?.done();
  assert.is(done, 3);
  assert.is(writes[2]?.bytes, last);
  writes[2]?.done();
  assert.is(done, 4);
});

test('what follows in one memory is written as it lies there', () => {
  const { output, writes } = startSocket();
  const memory = new Uint8Array(3 * bulkJoinBytesMax);
  const parts = [memory.subarray(10, 20), memory.subarray(20, 3 * bulkJoinBytesMax)];
  output.write(parts, () => {});
  assert.is(writes[0]?.bytes.buffer, memory.buffer);
  assert.is(writes[0]?.bytes.byteOffset, 10);
  assert.is(writes[0]?.bytes.byteLength, 3 * bulkJoinBytesMax - 10);
});

test('after a write that failed nothing is said and nothing more is written', () => {
  const { output, writes } = startSocket();
  output.write([large(1)], () => assert.unreachable());
  output.write([large(2)], () => assert.unreachable());
  writes[0]?.done(new Error('gone'));
  assert.is(writes.length, 1);
});

test.run();
