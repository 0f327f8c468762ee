import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { createFrameSplitter, encodeFrame } from '../../agent/net/frames.ts';

const framesArbitrary = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 10 });

test('splits what was encoded, however the bytes are cut', () => {
  fc.assert(
    fc.property(framesArbitrary, fc.integer({ min: 1, max: 40 }), (frames, stepBytes) => {
      const bytes = Buffer.concat(frames.map((frame) => encodeFrame(frame, 300)));
      const splitter = createFrameSplitter(300);
      const found: Uint8Array[] = [];
      for (let at = 0; at < bytes.byteLength; at += stepBytes)
        found.push(...splitter.push(bytes.subarray(at, at + stepBytes)));
      assert.equal(
        found.map((frame) => [...frame]),
        frames.map((frame) => [...frame]),
      );
    }),
  );
});

test('gives frames in memory of their own', () => {
  const bytes = encodeFrame(Uint8Array.of(1, 2, 3), 10);
  const [frame] = createFrameSplitter(10).push(bytes);
  bytes.fill(9);
  assert.equal(frame, Uint8Array.of(1, 2, 3));
});

test('refuses a length above the bound before the frame has come, and an empty frame', () => {
  const splitter = createFrameSplitter(1000);
  assert.throws(
    () => splitter.push(Uint8Array.of(0xff, 0xff, 0xff, 0xff)),
    (error: unknown) => hasCode(error, 'limit-exceeded'),
  );
  assert.throws(
    () => createFrameSplitter(1000).push(Uint8Array.of(0, 0, 0, 0)),
    (error: unknown) => hasCode(error, 'malformed'),
  );
  assert.throws(
    () => encodeFrame(new Uint8Array(1001), 1000),
    (error: unknown) => hasCode(error, 'limit-exceeded'),
  );
});

test.run();
