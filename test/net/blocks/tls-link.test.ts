/** Rates that peers tell each other, on a socket that is made up. */
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../../agent/base/bytes.ts';
import { KIB, MIB, paceBytesPerSecondMin } from '../../../agent/base/limits.ts';
import { digestOf } from '../../../agent/core/digest.ts';
import type { ShareId } from '../../../agent/core/keys.ts';
import { createPace } from '../../../agent/net/blocks/pace.ts';
import { createLink, type LinkPaces } from '../../../agent/net/blocks/tls-link.ts';
import type { FromSockets } from '../../../agent/net/blocks/tls-messages.ts';
import { type BulkFrame, createBulkDecoder, encodeBulk } from '../../../agent/wire/bulk.ts';

const bytes = new Uint8Array(randomBytes(100 * KIB));
const digest = digestOf(bytes);
const request = (id: number): BulkFrame => ({
  kind: 'request',
  request: { id, share: 'ab'.repeat(16) as ShareId, plane: 'block', digests: [digest] },
});
const block = (): BulkFrame => ({
  kind: 'answer',
  answer: { kind: 'block', id: 1, digest, bytes: new Uint8Array(bytes) },
});

/** A socket that takes what is written when it is told to. */
function open(paces: LinkPaces) {
  const written: Bytes[] = [];
  const waiting: (() => void)[] = [];
  const said: FromSockets[] = [];
  const socket = Object.assign(new EventEmitter(), {
    write(part: Bytes, done?: () => void) {
      written.push(new Uint8Array(part));
      if (done !== undefined) waiting.push(done);
    },
    ...Object.fromEntries(
      ['cork', 'uncork', 'pause', 'resume', 'setNoDelay', 'setKeepAlive', 'destroy', 'destroySoon'].map(
        (name) => [name, () => undefined],
      ),
    ),
  });
  const link = createLink(1, socket as unknown as TLSSocket, (message) => void said.push(message), paces);
  return {
    link,
    said,
    receive: (frame: BulkFrame) => link.receive(new Uint8Array(Buffer.concat(encodeBulk(frame)))),
    written: () => Buffer.concat(written),
    /** The system takes what it was given, until nothing more is given to it. */
    take() {
      for (let done = waiting.shift(); done !== undefined; done = waiting.shift()) done();
    },
  };
}

test('who has a limit tells it with the first request, and again when it is another', () => {
  const download = createPace();
  const { link, written, take } = open({ write: null, read: download });
  const told: number[] = [];
  for (const rate of [0, MIB, MIB, 2 * MIB, 0]) {
    download.setRate(rate);
    const before = written().byteLength;
    link.send([request(1)]);
    take();
    const frames = createBulkDecoder().push(written().subarray(before));
    assert.equal(frames.at(-1), request(1));
    told.push(...frames.flatMap((frame) => (frame.kind === 'rate' ? [frame.bytesPerSecond] : [])));
  }
  // A twentieth more, rounded up, and nothing where it was told or there is none.
  assert.equal(told, [Math.ceil(1.05 * MIB), Math.ceil(2.1 * MIB), 0]);
});

test('a limit that changes while answers are waited for is told by itself, once', () => {
  const download = createPace();
  const { link, written } = open({ write: null, read: download });
  link.reviewRate();
  assert.is(written().byteLength, 0);
  download.setRate(1000);
  link.reviewRate();
  link.reviewRate();
  assert.equal(createBulkDecoder().push(written()), [{ kind: 'rate', bytesPerSecond: 1050 }]);
});

test('what is served comes no faster than the peer asks for, and all at once when it lifts that', () => {
  const { link, receive, written, take } = open({ write: createPace(), read: null });
  receive({ kind: 'rate', bytesPerSecond: 1 });
  link.send([block()]);
  assert.is(written().byteLength, Math.floor((paceBytesPerSecondMin * 15) / 1000));
  receive({ kind: 'rate', bytesPerSecond: 0 });
  take();
  assert.equal(written(), Buffer.concat(encodeBulk(block())));
});

test('the own limit holds where the peer asks for more', () => {
  const upload = createPace();
  upload.setRate(paceBytesPerSecondMin);
  const { link, receive, written } = open({ write: upload, read: null });
  receive({ kind: 'rate', bytesPerSecond: 100 * MIB });
  link.send([block()]);
  assert.is(written().byteLength, Math.floor((paceBytesPerSecondMin * 15) / 1000));
});

test('a rate is for the thread of sockets alone, and from one who serves it is a breach', async () => {
  const serving = open({ write: createPace(), read: null });
  serving.receive({ kind: 'rate', bytesPerSecond: MIB });
  serving.receive(request(7));
  await setImmediate();
  assert.equal(
    serving.said.map((message) => (message.kind === 'frames' ? message.frames : message.kind)),
    [[request(7)]],
  );

  const asking = open({ write: null, read: createPace() });
  asking.receive({ kind: 'rate', bytesPerSecond: MIB });
  assert.equal(
    asking.said.map((message) => message.kind === 'closed' && message.code),
    ['malformed'],
  );
});

test.run();
