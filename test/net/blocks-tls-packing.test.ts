/** When blocks are compressed, and that they come out as they went in. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { constants, createZstdCompress, gzipSync, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blockBytesMax, bulkPackBelowBytesPerSecond, bulkRateMs, KIB, MIB } from '../../agent/base/limits.ts';
import { digestOf } from '../../agent/core/digest.ts';
import {
  type Block,
  createSpeedMeter,
  pack,
  seemsCompressible,
  unpack,
} from '../../agent/net/blocks/tls-packing.ts';
import { throwsCode } from '../core/documents.ts';

const block = (bytes: Uint8Array): Block => ({ kind: 'block', id: 1, digest: digestOf(bytes), bytes });
const source = readFileSync(new URL(import.meta.url));
const text = Buffer.concat(Array.from({ length: 40 }, () => source)).subarray(0, 256 * KIB);

test('what is packed unpacks to the same block', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 50 }),
      fc.integer({ min: 1, max: 4000 }),
      (part, times) => {
        const bytes = new Uint8Array(Buffer.concat(Array.from({ length: times }, () => part)));
        const packed = pack(block(bytes));
        if (packed === null) return;
        assert.ok(packed.bytes.byteLength < bytes.byteLength);
        const unpacked = unpack(packed);
        assert.equal(Buffer.compare(unpacked.bytes, bytes), 0);
        assert.is(
          unpacked.bytes.buffer.byteLength,
          bytes.byteLength,
          'in memory of its own, to be transferred',
        );
      },
    ),
  );
  const largest = block(new Uint8Array(blockBytesMax));
  const packed = pack(largest);
  assert.ok(packed !== null && packed.bytes.byteLength < 1000);
  if (packed !== null) assert.is(digestOf(unpack(packed).bytes), largest.digest);
});

test('text and programs are packed; archives, random bytes and small blocks are not', () => {
  assert.ok(seemsCompressible(text));
  assert.ok(seemsCompressible(readFileSync(process.execPath).subarray(8 * MIB, 8 * MIB + 256 * KIB)));
  assert.ok((pack(block(text))?.bytes.byteLength ?? text.byteLength) < text.byteLength / 2);
  const noise = randomBytes(256 * KIB);
  for (const bytes of [
    noise,
    gzipSync(noise),
    zstdCompressSync(noise),
    gzipSync(readFileSync(process.execPath).subarray(0, 4 * MIB)),
  ]) {
    assert.not(seemsCompressible(bytes));
    assert.is(pack(block(bytes)), null);
  }
  assert.is(pack(block(text.subarray(0, 4 * KIB - 1))), null);
});

/** As a stranger packs it: in one frame, without saying how much there will be. */
async function packedAs(
  chunks: Iterable<Uint8Array>,
  params: Record<number, number> = {},
): Promise<Uint8Array> {
  const packer = createZstdCompress({ params });
  const parts: Buffer[] = [];
  packer.on('data', (part: Buffer) => void parts.push(part));
  for (const chunk of chunks) if (!packer.write(chunk)) await once(packer, 'drain');
  packer.end();
  await once(packer, 'end');
  return Buffer.concat(parts);
}

test('what asks for a large window is refused before it gets the memory', async () => {
  const packed = (bytes: Uint8Array) =>
    ({ kind: 'packed', id: 1, digest: digestOf(text), blockBytes: text.byteLength, bytes }) as const;
  const windowLog = constants.ZSTD_c_windowLog;
  assert.is(Buffer.compare(unpack(packed(await packedAs([text], { [windowLog]: 21 }))).bytes, text), 0);
  const large = packed(await packedAs([text], { [windowLog]: 27 }));
  throwsCode(() => unpack(large), 'malformed');
});

test('what unpacks to more than a block is refused before it gets the memory', async () => {
  const nothing = new Uint8Array(MIB);
  const bytes = await packedAs(Array.from({ length: 768 }, () => nothing));
  assert.ok(bytes.byteLength < MIB);
  const before = process.resourceUsage().maxRSS;
  const packed = { kind: 'packed', id: 1, digest: digestOf(text), blockBytes: blockBytesMax, bytes } as const;
  throwsCode(() => unpack(packed), 'malformed');
  // In KiB; what it would have been is three times as much.
  assert.ok(process.resourceUsage().maxRSS - before < 256 * KIB, 'it took much memory');
});

test('a connection is slow when it was busy for long enough and took too little', () => {
  const meter = createSpeedMeter();
  const bytes = bulkPackBelowBytesPerSecond;
  assert.not(meter.isSlow(), 'nothing is known');
  meter.given(bytes, 0);
  meter.taken(bytes, bulkRateMs - 1);
  assert.not(meter.isSlow(), 'not yet');
  // It had nothing to do for a minute: that does not count.
  meter.given(bytes, 60_000);
  meter.taken(bytes, 60_002);
  assert.not(meter.isSlow(), 'two seconds’ worth in a quarter of one');
  meter.given(bytes, 70_000);
  meter.taken(bytes / 2, 71_000);
  assert.ok(meter.isSlow(), 'half a second’s worth in one');
  meter.taken(bytes / 2, 71_000);
  meter.given(bytes, 80_000);
  meter.taken(bytes, 80_000 + bulkRateMs);
  assert.not(meter.isSlow(), 'and fast again');
});

test.run();
