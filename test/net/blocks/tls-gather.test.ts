/** What a TLS link hands on together: blocks wait for one that is half here, but not for long, and nothing else waits. */
import { EventEmitter } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../../agent/base/bytes.ts';
import { digestOf } from '../../../agent/core/digest.ts';
import { createLink, type Link } from '../../../agent/net/blocks/tls-link.ts';
import type { FromSockets } from '../../../agent/net/blocks/tls-messages.ts';
import { type BulkFrame, encodeBulk } from '../../../agent/wire/bulk.ts';

const bytes = new Uint8Array(1000).fill(7);
const block: BulkFrame = { kind: 'answer', answer: { kind: 'block', id: 1, digest: digestOf(bytes), bytes } };
const done: BulkFrame = { kind: 'answer', answer: { kind: 'done', id: 1 } };

function startLink(): { readonly link: Link; readonly next: () => Promise<FromSockets> } {
  const messages: FromSockets[] = [];
  const posted = new EventEmitter();
  const socket = Object.assign(new EventEmitter(), {
    setNoDelay: () => {},
    setKeepAlive: () => {},
    pause: () => {},
    resume: () => {},
    destroy: () => {},
    destroySoon: () => {},
  });
  const post = (message: FromSockets): void => {
    messages.push(message);
    posted.emit('message');
  };
  const link = createLink(1, socket as unknown as TLSSocket, post, { write: null, read: null });
  const next = async (): Promise<FromSockets> => {
    for (;;) {
      const message = messages.shift();
      if (message !== undefined) return message;
      await new Promise((resolve) => posted.once('message', resolve));
    }
  };
  return { link, next };
}

const wireOf = (...frames: readonly BulkFrame[]): Bytes => Buffer.concat(frames.flatMap(encodeBulk));
const kindsOf = (message: FromSockets): readonly string[] =>
  message.kind === 'frames'
    ? message.frames.map((frame) => (frame.kind === 'answer' ? frame.answer.kind : frame.kind))
    : [message.kind];

test('blocks before one that never comes whole are handed on all the same', async () => {
  const { link, next } = startLink();
  const wire = wireOf(block, block, block);
  link.receive(wire.subarray(0, wire.byteLength - 500));
  assert.equal(kindsOf(await next()), ['block', 'block']);
  link.receive(wire.subarray(wire.byteLength - 500));
  assert.equal(kindsOf(await next()), ['block']);
  link.close();
});

test('the end of a request takes what came before it along in its turn, also with half a block behind it', async () => {
  const { link, next } = startLink();
  const wire = wireOf(block, done, block);
  link.receive(wire.subarray(0, wire.byteLength - 500));
  let turns = 0;
  const count = (): void => {
    turns += 1;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  assert.equal(kindsOf(await next()), ['block', 'done']);
  clearImmediate(counting);
  assert.ok(turns <= 1, `${turns} turns`);
  link.close();
});

test.run();
