/** The bulk plane's frames: whole, split anywhere, and hostile. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../agent/base/bytes.ts';
import {
  blockBytesMax,
  blockHeadBytes,
  bulkBatchBytes,
  busyMsMax,
  requestDigestsMax,
} from '../../agent/base/limits.ts';
import { digestOf } from '../../agent/core/digest.ts';
import { type BulkFrame, bulkLimits, createBulkDecoder, encodeBulk } from '../../agent/wire/bulk.ts';
import { digests, mutations, record, share, survives, throwsCode } from '../core/documents.ts';

const ids = fc.nat(0xffff_ffff);
const bodies = fc.uint8Array({ maxLength: 300 });

const frames: fc.Arbitrary<BulkFrame> = fc.oneof(
  record({
    kind: fc.constant('request' as const),
    request: record({
      id: ids,
      share: fc.constant(share),
      plane: fc.constantFrom('page' as const, 'block' as const),
      digests: fc.array(digests, { minLength: 1, maxLength: 5 }),
    }),
  }),
  record({ kind: fc.constant('cancel' as const), id: ids }),
  record({ kind: fc.constant('rate' as const), bytesPerSecond: fc.nat(0xffff_ffff) }),
  record({
    kind: fc.constant('packed' as const),
    id: ids,
    digest: digests,
    blockBytes: fc.nat(blockBytesMax),
    bytes: bodies.map((bytes) => Buffer.from(bytes)),
  }),
  record({
    kind: fc.constant('answer' as const),
    answer: fc.oneof(
      record({ kind: fc.constant('block' as const), id: ids, digest: digests, bytes: bodies }),
      record({ kind: fc.constant('missing' as const), id: ids, digest: digests }),
      record({ kind: fc.constant('busy' as const), id: ids, retryMs: fc.nat(busyMsMax) }),
      record({ kind: fc.constant('done' as const), id: ids }),
    ),
  }),
);

const block = {
  kind: 'block',
  id: 7,
  digest: digestOf(Uint8Array.of(1)),
  bytes: Uint8Array.of(1, 2, 3),
} as const;

function bytesOf(...list: readonly BulkFrame[]): Bytes {
  return new Uint8Array(Buffer.concat(list.flatMap(encodeBulk)));
}

function decodeWhole(bytes: Bytes): BulkFrame[] {
  const decoder = createBulkDecoder();
  const found = decoder.push(bytes);
  decoder.end();
  return found;
}

/** A header as somebody could send it: length of what follows, type, id 0. */
function headerOf(length: number, type: number): Bytes {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt32BE(length, 0);
  bytes.writeUInt8(type, 4);
  return bytes;
}

test('frames come back as they were sent', () => {
  fc.assert(fc.property(fc.array(frames), (list) => assert.equal(decodeWhole(bytesOf(...list)), list)));
});

test('frames that are split at any byte are the same frames', () => {
  fc.assert(
    fc.property(fc.array(frames, { minLength: 1, maxLength: 3 }), (list) => {
      const bytes = bytesOf(...list);
      for (let at = 0; at <= bytes.byteLength; at += 1) {
        const decoder = createBulkDecoder();
        const found = [...decoder.push(bytes.subarray(0, at)), ...decoder.push(bytes.subarray(at))];
        assert.equal(found, list, `split at ${at}`);
        decoder.end();
      }
    }),
    { numRuns: 20 },
  );
});

test('frames that come byte by byte are the same frames, each with its last byte', () => {
  const list: BulkFrame[] = [
    { kind: 'cancel', id: 1 },
    { kind: 'answer', answer: block },
    { kind: 'answer', answer: { kind: 'done', id: 7 } },
  ];
  const decoder = createBulkDecoder();
  const found: BulkFrame[] = [];
  const ends: number[] = [];
  for (const [index, byte] of bytesOf(...list).entries()) {
    const frames = decoder.push(Uint8Array.of(byte));
    if (frames.length > 0) ends.push(index + 1);
    found.push(...frames);
  }
  assert.equal(found, list);
  assert.equal(ends, [9, 9 + 9 + 33 + 3, 9 + 9 + 33 + 3 + 9]);
  assert.is(decoder.pendingBytes(), 0);
});

test('a block is sent without being copied', () => {
  const parts = encodeBulk({ kind: 'answer', answer: block });
  assert.is(parts.length, 2);
  assert.is(parts[1], block.bytes);
  assert.is(parts[0]?.byteLength, 9 + 33);
});

test('a received block does not lie in its chunk, and takes as much memory as it needs', () => {
  const chunk = bytesOf({ kind: 'answer', answer: block });
  const [frame] = createBulkDecoder().push(chunk);
  chunk.fill(0);
  assert.ok(frame?.kind === 'answer' && frame.answer.kind === 'block');
  if (frame?.kind !== 'answer' || frame.answer.kind !== 'block') return;
  assert.equal(frame.answer.bytes, block.bytes);
  assert.is(frame.answer.bytes.buffer.byteLength, 3);
  const { bytes } = structuredClone(frame.answer, { transfer: [frame.answer.bytes.buffer as ArrayBuffer] });
  assert.equal(bytes, block.bytes);
});

/** A block of so many bytes, each of them `value`. */
const filled = (value: number, length: number): BulkFrame => ({
  kind: 'answer',
  answer: { ...block, bytes: new Uint8Array(length).fill(value) },
});

const memoryOf = (frame: BulkFrame | undefined): Bytes => {
  assert.ok(frame?.kind === 'answer' && frame.answer.kind === 'block');
  return frame?.kind === 'answer' && frame.answer.kind === 'block' ? frame.answer.bytes : new Uint8Array();
};

test('blocks of a stream lie one after the other in memory that can be given away, also while one is half here', () => {
  const decoder = createBulkDecoder();
  decoder.push(bytesOf(filled(1, 1000), filled(2, 1000)));
  decoder.part();
  const stream = bytesOf(filled(3, 1000), filled(4, 1000), filled(5, 1000));
  const half = stream.byteLength - 500;
  const [third, fourth] = decoder.push(stream.subarray(0, half)).map(memoryOf);
  assert.ok(third !== undefined && fourth !== undefined && third.buffer === fourth.buffer);
  assert.is((third?.byteOffset ?? 0) + 1000, fourth?.byteOffset);
  decoder.part();
  structuredClone(third?.buffer, { transfer: [third?.buffer as ArrayBuffer] });
  const [fifth] = decoder.push(stream.subarray(half));
  assert.equal(memoryOf(fifth), new Uint8Array(1000).fill(5));
});

test('memory for blocks of a stream is bounded, however many come at once', () => {
  const decoder = createBulkDecoder();
  const stream = bytesOf(...Array.from({ length: 160 }, (_, at) => filled(at, 64 * 1024)));
  for (let round = 0; round < 3; round += 1) {
    const memory = new Set(decoder.push(stream).map((frame) => memoryOf(frame).buffer));
    for (const { byteLength } of memory) assert.ok(byteLength <= bulkBatchBytes, String(byteLength));
    assert.ok(round === 0 || memory.size === 10, String(memory.size));
    decoder.part();
  }
});

test('a roomy block is one part with its header, in its own memory, and reads as any other', () => {
  const memory = new Uint8Array(3 * blockHeadBytes).fill(9);
  const bytes = memory.subarray(2 * blockHeadBytes, 2 * blockHeadBytes + 3);
  bytes.set(block.bytes);
  const parts = encodeBulk({ kind: 'answer', answer: { ...block, bytes, roomy: true } });
  assert.is(parts.length, 1);
  assert.is(parts[0]?.buffer, memory.buffer);
  assert.ok(Buffer.concat(parts).equals(bytesOf({ kind: 'answer', answer: block })));
  // Nothing else in that memory was written to.
  const others = [...memory.subarray(0, blockHeadBytes), ...memory.subarray(2 * blockHeadBytes + 3)];
  assert.ok(others.every((byte) => byte === 9));
});

test('the largest block and the largest request pass', () => {
  const bytes = new Uint8Array(blockBytesMax).fill(5);
  const large: BulkFrame = { kind: 'answer', answer: { ...block, bytes } };
  const many: BulkFrame = {
    kind: 'request',
    request: { id: 1, share, plane: 'block', digests: Array(requestDigestsMax).fill(block.digest) },
  };
  assert.equal(decodeWhole(bytesOf(large, many)), [large, many]);
});

test('a length that is out of bounds is refused at the header, before its bytes come', () => {
  const cases: readonly [number, number, 'malformed' | 'limit-exceeded'][] = [
    [5 + 33 + blockBytesMax + 1, 2, 'limit-exceeded'],
    [0xffff_ffff, 2, 'limit-exceeded'],
    [5 + 32, 2, 'malformed'],
    [5 + 17, 1, 'malformed'],
    [5 + 17 + 34, 1, 'malformed'],
    [5 + 17 + 33 * (requestDigestsMax + 1), 1, 'limit-exceeded'],
    [5 + 34, 3, 'malformed'],
    [5 + 3, 4, 'malformed'],
    [5 + 1, 5, 'malformed'],
    [5 + 1, 6, 'malformed'],
    [5, 0, 'malformed'],
    [5 + 36, 7, 'malformed'],
    [5 + 37 + blockBytesMax + 1, 7, 'limit-exceeded'],
    [5, 8, 'malformed'],
    [0, 5, 'malformed'],
    [4, 5, 'malformed'],
  ];
  for (const [length, type, code] of cases) {
    const decoder = createBulkDecoder();
    throwsCode(() => decoder.push(headerOf(length, type)), code);
  }
});

test('narrower limits are kept too', () => {
  const decoder = createBulkDecoder({ ...bulkLimits, blockBytesMax: 2 });
  throwsCode(() => decoder.push(bytesOf({ kind: 'answer', answer: block })), 'limit-exceeded');
});

test('a packed block that would unpack to more than a block is refused', () => {
  const packed = { kind: 'packed', id: 1, digest: block.digest, bytes: Buffer.from([1, 2]) } as const;
  assert.equal(decodeWhole(bytesOf({ ...packed, blockBytes: blockBytesMax })).length, 1);
  throwsCode(() => decodeWhole(bytesOf({ ...packed, blockBytes: blockBytesMax + 1 })), 'limit-exceeded');
  throwsCode(() => decodeWhole(bytesOf({ ...packed, blockBytes: 0xffff_ffff })), 'limit-exceeded');
});

test('an unknown plane or digest algorithm is malformed', () => {
  const request = bytesOf({
    kind: 'request',
    request: { id: 1, share, plane: 'page', digests: [block.digest] },
  });
  request[9] = 2;
  throwsCode(() => decodeWhole(request), 'malformed');
  request[9] = 0;
  request[9 + 17] = 0x13;
  throwsCode(() => decodeWhole(request), 'malformed');
});

test('a stream that ends inside a frame is told from one that ends between frames', () => {
  const bytes = bytesOf({ kind: 'answer', answer: block });
  for (let end = 1; end < bytes.byteLength; end += 1) {
    const decoder = createBulkDecoder();
    assert.equal(decoder.push(bytes.subarray(0, end)), []);
    assert.is(decoder.pendingBytes(), end);
    throwsCode(() => decoder.end(), 'malformed');
  }
});

test('a busy peer cannot ask for more than a minute', () => {
  const busy = (retryMs: number): BulkFrame => ({ kind: 'answer', answer: { kind: 'busy', id: 1, retryMs } });
  assert.equal(decodeWhole(bytesOf(busy(1e12))), [busy(busyMsMax)]);
  const bytes = bytesOf(busy(1));
  bytes.fill(0xff, 9);
  assert.equal(decodeWhole(bytes), [busy(busyMsMax)]);
  assert.equal(decodeWhole(bytesOf(busy(0.2))), [busy(1)]);
});

test('garbage and mutated frames are frames or refusals', () => {
  const bytes = bytesOf({ kind: 'answer', answer: block }, { kind: 'cancel', id: 3 });
  const read = (input: Bytes) => createBulkDecoder().push(input);
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutations(bytes)), (input) =>
      survives(read, input),
    ),
  );
});

test.run();
