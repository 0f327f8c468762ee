import type { StreamMuxerFactory } from '@libp2p/interface';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { windowUpdateBytes } from '../../agent/base/limits.ts';
import { encodePreamble } from '../../agent/net/election.ts';
import { encodeFrame } from '../../agent/net/frames.ts';
import { guardedYamux } from '../../agent/net/muxer.ts';
import { untilWritable } from '../../agent/net/streams.ts';
import { startBare } from './bare.ts';
import { ofKind, startTestHost } from './hosts.ts';

const headerBytes = 12;
const typeWindowUpdate = 1;

/** Walks a yamux byte stream and counts the frames that are no data but an update of a stream's window. */
function createUpdateCounter(): { push(bytes: Uint8Array): void; count(): number } {
  let pending = Buffer.alloc(0);
  let updates = 0;
  return {
    push(bytes) {
      pending = Buffer.concat([pending, bytes]);
      while (pending.byteLength >= headerBytes) {
        const type = pending.readUInt8(1);
        const length = headerBytes + (type === 0 ? pending.readUInt32BE(8) : 0);
        if (pending.byteLength < length) return;
        if (type === typeWindowUpdate) updates += 1;
        pending = pending.subarray(length);
      }
    },
    count: () => updates,
  };
}

test('a window update is sent for a good part of a window, not for each frame', async () => {
  const bo = await startTestHost();
  const counter = createUpdateCounter();
  const bare = await startBare(() => {
    const factory = guardedYamux()();
    return {
      protocol: factory.protocol,
      createStreamMuxer(connection: Parameters<StreamMuxerFactory['createStreamMuxer']>[0]) {
        connection.addEventListener('message', ({ data }) => {
          for (const bytes of data instanceof Uint8Array ? [data] : data) counter.push(bytes);
        });
        return factory.createStreamMuxer(connection);
      },
    };
  });
  const connection = await bare.dial(bo);
  const stream = await connection.newStream('/p2psync/control/1');
  stream.send(encodeFrame(encodePreamble({ kind: 'open', stamp: 1 }), 100));
  await bo.until(ofKind('connected', bare.peer));

  /** Frames, and a word back when the last of them is there: by then updates have come too. */
  async function talk(frames: number, frameBytes: number): Promise<void> {
    const heard = bo.count('control') + frames;
    const answered = Promise.withResolvers<void>();
    stream.addEventListener('message', () => answered.resolve(), { once: true });
    for (let at = 0; at < frames; at += 1) {
      stream.send(encodeFrame(new Uint8Array(frameBytes), frameBytes));
      await untilWritable(stream);
    }
    await bo.until(() => bo.count('control') >= heard);
    bo.send(bare.peer, Uint8Array.of(1));
    await answered.promise;
  }

  await talk(1, 100);
  const before = counter.count();
  await talk(200, 100);
  assert.is(counter.count(), before);
  // More than any window: all of it arrives, so that the window was opened again and again.
  await talk(128, windowUpdateBytes / 16);
  const updates = counter.count() - before;
  assert.ok(updates >= 4 && updates <= 9, `${updates} updates`);
  await bare.node.stop();
  await bo.close();
});

test.run();
