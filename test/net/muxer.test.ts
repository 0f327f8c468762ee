import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createHeaderCheck } from '../../agent/net/muxer.ts';

type Frame = { readonly type: number; readonly lengthBytes: number };

function encode(frames: readonly Frame[]): Buffer {
  return Buffer.concat(
    frames.map(({ type, lengthBytes }) => {
      const header = Buffer.alloc(12);
      header.writeUInt8(type, 1);
      header.writeUInt32BE(lengthBytes, 8);
      return type === 0 ? Buffer.concat([header, Buffer.alloc(lengthBytes, 7)]) : header;
    }),
  );
}

const frameArbitrary = fc.record({
  type: fc.integer({ min: 0, max: 3 }),
  lengthBytes: fc.integer({ min: 0, max: 200 }),
});

test('finds the longest data frame, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(frameArbitrary, { maxLength: 20 }),
      fc.integer({ min: 1, max: 50 }),
      (frames, stepBytes) => {
        const bytes = encode(frames);
        const check = createHeaderCheck();
        let longest = 0;
        for (let at = 0; at < bytes.byteLength; at += stepBytes) {
          longest = Math.max(longest, check(bytes.subarray(at, at + stepBytes)));
        }
        assert.is(
          longest,
          Math.max(0, ...frames.filter((frame) => frame.type === 0).map((frame) => frame.lengthBytes)),
        );
      },
    ),
  );
});

test('sees a frame of 4 GiB in its header', () => {
  const header = Buffer.alloc(12);
  header.writeUInt32BE(0xffff_ffff, 8);
  assert.is(createHeaderCheck()(header), 0xffff_ffff);
});

test.run();
