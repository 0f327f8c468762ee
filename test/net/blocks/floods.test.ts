/** A peer that sends blocks which nobody asked for is disconnected; the same over TLS is in blocks-tls-asking. */
import type { Stream } from '@libp2p/interface';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { digestOf } from '../../../agent/core/digest.ts';
import type { ShareId } from '../../../agent/core/keys.ts';
import { encodePreamble } from '../../../agent/net/election.ts';
import { encodeFrame } from '../../../agent/net/frames.ts';
import { type BulkFrame, createBulkDecoder, encodeBulk } from '../../../agent/wire/bulk.ts';
import { type Bare, startBare } from '../bare.ts';
import { ofKind, startTestHost, type TestHost } from '../hosts.ts';

const share = 'ab'.repeat(16) as ShareId;
const bytes = new Uint8Array(1000).fill(7);
const digest = digestOf(bytes);
const digests = [digest, digestOf(Uint8Array.of(1))];

const block = (id: number): Buffer =>
  Buffer.concat(encodeBulk({ kind: 'answer', answer: { kind: 'block', id, digest, bytes } }));

/** What the flooder does with a request; it writes bytes as they are. */
type Flood = (frame: BulkFrame, write: (bytes: Uint8Array) => void) => void;

const floods: readonly (readonly [title: string, flood: Flood, cancel: boolean])[] = [
  [
    'for another request',
    (frame, write) => {
      if (frame.kind === 'request') write(block(frame.request.id + 1));
    },
    false,
  ],
  [
    'for one that was cancelled, more than were asked for',
    (frame, write) => {
      if (frame.kind === 'cancel')
        for (let sent = 0; sent <= digests.length; sent += 1) write(block(frame.id));
    },
    true,
  ],
  [
    'for one that is open, more than were asked for',
    (frame, write) => {
      if (frame.kind !== 'request') return;
      for (let sent = 0; sent <= digests.length; sent += 1) write(block(frame.request.id));
    },
    false,
  ],
  [
    'for one that is at its end',
    (frame, write) => {
      if (frame.kind !== 'request') return;
      const { id } = frame.request;
      write(Buffer.concat(encodeBulk({ kind: 'answer', answer: { kind: 'done', id } })));
      write(block(id));
    },
    false,
  ],
];

for (const [title, flood, cancel] of floods) {
  test(`blocks ${title} end the connection with a note`, async () => {
    await using flooder = await startFlooder(flood);
    const { host, bare } = flooder;
    host.blocks.request(bare.peer, { share, id: 1, plane: 'block', digests });
    if (cancel) host.blocks.cancel(bare.peer, 1);
    await host.until(ofKind('disconnected', bare.peer));
    const note = host.events.find((event) => event.kind === 'note' && event.text === 'bulk stream refused');
    assert.match(JSON.stringify(note), /has an answer to request/);
  });
}

/** Admitted by a host, and its control stream stands; it answers requests as it likes. */
async function startFlooder(
  flood: Flood,
): Promise<AsyncDisposable & { readonly host: TestHost; readonly bare: Bare }> {
  const host = await startTestHost();
  const bare = await startBare();
  host.admit(bare.peer);
  await bare.node.handle('/p2psync/blocks/1', (stream) => {
    const decoder = createBulkDecoder();
    stream.addEventListener('message', (event) => {
      for (const frame of decoder.push(flat(event.data))) flood(frame, (sent) => sendOn(stream, sent));
    });
  });
  const connection = await bare.dial(host);
  const control = await connection.newStream('/p2psync/control/1');
  control.send(encodeFrame(encodePreamble({ kind: 'open', stamp: 1 }), 100));
  await host.until(ofKind('connected', bare.peer));
  return {
    host,
    bare,
    async [Symbol.asyncDispose]() {
      await Promise.all([host.close(), bare.node.stop()]);
    },
  };
}

function sendOn(stream: Stream, sent: Uint8Array): void {
  if (stream.status === 'open') stream.send(sent);
}

function flat(data: Uint8Array | { subarray(): Uint8Array }): Uint8Array {
  return data.subarray();
}

test.run();
