/** What goes out and comes in under a pace: whole, in order, and given up when the connection closes. */
import { randomBytes } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../../agent/base/bytes.ts';
import { KIB, MIB } from '../../../agent/base/limits.ts';
import { createPace } from '../../../agent/net/blocks/pace.ts';
import { createPacedReader, createPacedWriter } from '../../../agent/net/blocks/paced.ts';

function paceOf(rate: number) {
  const pace = createPace();
  pace.setRate(rate);
  return pace;
}

/** A system that takes what is written when it is told to. */
function createSink() {
  const taken: Bytes[] = [];
  const waiting: (() => void)[] = [];
  return {
    taken,
    waiting,
    now(parts: readonly Bytes[], done: () => void) {
      taken.push(...parts.map((part) => new Uint8Array(part)));
      waiting.push(done);
    },
  };
}

test('without a limit everything is written at once', () => {
  const sink = createSink();
  const writer = createPacedWriter(createPace(), sink.now);
  for (let round = 0; round < 5; round += 1) writer.write([new Uint8Array(3), new Uint8Array(MIB)], () => {});
  assert.is(sink.taken.length, 10);
});

test('under a limit frames go slice by slice, in order, and each says when its last byte is written', async () => {
  const sink = createSink();
  const pace = paceOf(50 * MIB);
  const writer = createPacedWriter(pace, sink.now);
  const frames = [randomBytes(9), randomBytes(700 * KIB), randomBytes(0), randomBytes(100 * KIB)];
  const done: number[] = [];
  const all = Promise.withResolvers<void>();
  for (const [index, bytes] of frames.entries()) {
    writer.write([Uint8Array.of(index), bytes], () => {
      done.push(index);
      if (done.length === frames.length) all.resolve();
    });
  }
  const pump = setInterval(() => sink.waiting.splice(0).forEach((call) => call()), 1);
  await all.promise;
  clearInterval(pump);
  assert.equal(done, [0, 1, 2, 3]);
  assert.ok(sink.taken.every((part) => part.byteLength <= pace.sliceBytes()));
  const expected = frames.flatMap((bytes, index) => [Uint8Array.of(index), bytes]);
  assert.equal(Buffer.concat(sink.taken), Buffer.concat(expected));
});

test('the next slice is taken only when the system has the last, and none after the close', () => {
  const sink = createSink();
  const pace = paceOf(MIB);
  const writer = createPacedWriter(pace, sink.now);
  writer.write([new Uint8Array(100 * KIB)], () => {});
  assert.is(sink.taken.length, 1);
  // Others are not held up by a peer that takes nothing: the time is theirs.
  assert.is(pace.take(1), 0);
  writer.close();
  for (const done of sink.waiting) done();
  assert.is(sink.taken.length, 1);
});

test('a limit that is lifted lets go what waits', () => {
  const sink = createSink();
  const pace = paceOf(KIB);
  const writer = createPacedWriter(pace, sink.now);
  writer.write([new Uint8Array(300 * KIB)], () => {});
  pace.setRate(0);
  for (let done = sink.waiting.shift(); done !== undefined; done = sink.waiting.shift()) done();
  assert.is(Buffer.concat(sink.taken).byteLength, 300 * KIB);
});

test('what comes is passed on in order, also where the memory it came in is used again', async () => {
  const got: Bytes[] = [];
  const caughtUp = Promise.withResolvers<void>();
  const reader = createPacedReader(paceOf(20 * MIB), {
    receive: (bytes) => void got.push(new Uint8Array(bytes)),
    caughtUp: () => caughtUp.resolve(),
  });
  const chunk = new Uint8Array(900 * KIB);
  const sent: Bytes[] = [];
  for (const fill of [1, 2]) {
    chunk.set(randomBytes(chunk.byteLength));
    chunk[0] = fill;
    sent.push(new Uint8Array(chunk));
    reader.receive(chunk);
    chunk.fill(0);
  }
  assert.ok(reader.isBehind() && Buffer.concat(got).byteLength < chunk.byteLength);
  await caughtUp.promise;
  assert.not(reader.isBehind());
  assert.equal(Buffer.concat(got), Buffer.concat(sent));
});

test('what came in under another limit waits for it no more', async () => {
  for (const next of [0, MIB]) {
    const pace = paceOf(KIB);
    const caughtUp = Promise.withResolvers<void>();
    let bytes = 0;
    const reader = createPacedReader(pace, {
      receive: (slice) => {
        bytes += slice.byteLength;
      },
      caughtUp: () => caughtUp.resolve(),
    });
    // A minute's worth: what one read brings.
    reader.receive(new Uint8Array(64 * KIB));
    assert.ok(bytes < KIB);
    pace.setRate(next);
    await caughtUp.promise;
    assert.is(bytes, 64 * KIB);
  }
});

test('nothing comes after the close', () => {
  let calls = 0;
  const count = (): void => {
    calls += 1;
  };
  const reader = createPacedReader(paceOf(KIB), { receive: count, caughtUp: count });
  reader.receive(new Uint8Array(64 * KIB));
  const before = calls;
  reader.close();
  assert.not(reader.isBehind());
  assert.is(calls, before);
});

test.run();
