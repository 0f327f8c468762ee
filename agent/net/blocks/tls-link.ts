/**
 * One TLS socket in the thread of sockets: frames in, checked and hashed; frames out, compressed where that pays. Stops
 * reading while the main thread is behind. Knows neither peers nor requests. Runs in that thread only.
 */
import type { TLSSocket } from 'node:tls';
import type { Bytes } from '../../base/bytes.ts';
import { P2psyncError } from '../../base/errors.ts';
import {
  bulkAheadBytesMax,
  bulkBatchBytes,
  bulkGatherMs,
  bulkSignMs,
  paceBytesPerSecondMin,
  paceToldPercent,
} from '../../base/limits.ts';
import { digestOf } from '../../core/digest.ts';
import { type BulkFrame, createBulkDecoder, encodeBulk } from '../../wire/bulk.ts';
import { createPace, type Pace, slowerOf } from './pace.ts';
import { createPacedReader, createPacedWriter } from './paced.ts';
import { costOf, type FromSockets, type LinkId } from './tls-messages.ts';
import { createOutput } from './tls-output.ts';
import { type Block, createSpeedMeter, pack, unpack } from './tls-packing.ts';

export type Post = (message: FromSockets, transfer?: readonly ArrayBuffer[]) => void;

export type Link = {
  /** Bytes that came, in order; the memory may be used again afterwards. */
  receive(chunk: Bytes): void;
  /** The memory of blocks is given back once it is written. */
  send(frames: readonly BulkFrame[]): void;
  handled(costBytes: number): void;
  /** The limit may be another one: the peer is told. */
  reviewRate(): void;
  /** Without a word: neither to the main thread nor, beyond what TLS does, to the peer. */
  close(): void;
};

type Received = Extract<FromSockets, { kind: 'frames' }>['frames'][number];

/** Of what goes out, where the peer asks, and of what comes in, where it serves; null: it is small, and not held back. */
export type LinkPaces = { readonly write: Pace | null; readonly read: Pace | null };

/** @param socket after its handshake; its events, but not its data, are taken over. Says `closed` when it ends by itself. */
export function createLink(link: LinkId, socket: TLSSocket, post: Post, paces: LinkPaces): Link {
  // Fixed at start.
  const decoder = createBulkDecoder();
  const meter = createSpeedMeter();
  const output = createOutput(socket);
  /** Of the peer's own: what is served comes no faster than it said. */
  const asked = createPace(undefined, undefined, 0);
  const writer = paces.write === null ? null : createPacedWriter(slowerOf(paces.write, asked), write);
  const reader =
    paces.read === null ? null : createPacedReader(paces.read, { receive: takeIn, caughtUp: resume });
  // Changes while running.
  let batch: Received[] = [];
  const transfer = new Set<ArrayBuffer>();
  let batchBytes = 0;
  let wireBytes = 0;
  let unhandledBytes = 0;
  /** Something came that does not wait for more. */
  let isUrgent = false;
  let isTurnNoted = false;
  let gathering: NodeJS.Timeout | undefined;
  let paused = false;
  let written = { costBytes: 0, wireBytes: 0 };
  let failure: Error | undefined;
  let over = false;
  let saidMs = performance.now();
  let toldBytesPerSecond = 0;

  function receive(chunk: Bytes): void {
    if (over) return;
    if (reader === null) takeIn(chunk);
    else reader.receive(chunk);
    pauseWhereBehind();
  }

  function takeIn(chunk: Bytes): void {
    if (over) return;
    wireBytes += chunk.byteLength;
    try {
      for (const frame of decoder.push(chunk)) take(frame);
    } catch (error) {
      if (!(error instanceof P2psyncError)) throw error;
      return end(error);
    }
    if (batchBytes >= bulkBatchBytes) flush();
    else if (performance.now() - saidMs >= bulkSignMs) say();
  }

  function pauseWhereBehind(): void {
    if (over || paused || (unhandledBytes <= bulkAheadBytesMax && reader?.isBehind() !== true)) return;
    paused = true;
    socket.pause();
  }

  function resume(): void {
    if (over || !paused || unhandledBytes > bulkAheadBytesMax / 2 || reader?.isBehind() === true) return;
    paused = false;
    socket.resume();
  }

  function take(frame: BulkFrame): void {
    if (frame.kind === 'rate') return heed(frame.bytesPerSecond);
    if (!isTurnNoted) setImmediate(turnOver);
    isTurnNoted = true;
    const received = frame.kind === 'packed' ? checked(unpack(frame)) : checkedFrame(frame);
    const costBytes = costOf(received);
    batch.push(received);
    batchBytes += costBytes;
    unhandledBytes += costBytes;
    if (received.kind === 'answer' && received.answer.kind === 'block') {
      const { buffer } = received.answer.bytes;
      if (buffer instanceof ArrayBuffer) transfer.add(buffer);
    } else isUrgent = true;
  }

  function turnOver(): void {
    isTurnNoted = false;
    // The rest of a block that is half here is on its way, mostly with others: they go on together.
    if (isUrgent || decoder.pendingBytes() === 0) flush();
    else if (batch.length > 0) gathering ??= setTimeout(flush, bulkGatherMs);
  }

  function heed(bytesPerSecond: number): void {
    if (writer === null) throw new P2psyncError('malformed', 'a rate from a peer that serves');
    asked.setRate(bytesPerSecond === 0 ? 0 : Math.max(bytesPerSecond, paceBytesPerSecondMin));
  }

  /** Held back here alone, a block would still come at the network's pace, into the kernel's buffer. */
  function rateToTell(): readonly BulkFrame[] {
    if (paces.read === null) return [];
    const bytesPerSecond = Math.ceil((paces.read.rate() * paceToldPercent) / 100);
    if (bytesPerSecond === toldBytesPerSecond) return [];
    toldBytesPerSecond = bytesPerSecond;
    return [{ kind: 'rate', bytesPerSecond }];
  }

  function flush(): void {
    if (batch.length > 0) say();
  }

  /** Also without a whole frame: a sign of life. */
  function say(): void {
    if (wireBytes === 0 || over) return;
    saidMs = performance.now();
    clearTimeout(gathering);
    gathering = undefined;
    isUrgent = false;
    decoder.part();
    post({ kind: 'frames', link, frames: batch, wireBytes }, [...transfer]);
    batch = [];
    transfer.clear();
    batchBytes = 0;
    wireBytes = 0;
  }

  function end(error: Error | undefined): void {
    if (over) return;
    flush();
    stop();
    socket.destroy();
    post({
      kind: 'closed',
      link,
      reason: error?.message ?? 'the peer closed it',
      code: error instanceof P2psyncError ? error.code : null,
    });
  }

  function stop(): void {
    over = true;
    clearTimeout(gathering);
    writer?.close();
    reader?.close();
  }

  function write(parts: readonly Bytes[], done: () => void): void {
    if (!over) output.write(parts, done);
  }

  /** One message for all that the kernel took in this turn. */
  function noteWritten(costBytes: number, bytes: number): void {
    meter.taken(bytes, performance.now());
    if (written.costBytes === 0) setImmediate(sayWritten);
    written = { costBytes: written.costBytes + costBytes, wireBytes: written.wireBytes + bytes };
  }

  function sayWritten(): void {
    if (!over) post({ kind: 'written', link, ...written });
    written = { costBytes: 0, wireBytes: 0 };
  }

  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  socket.on('error', (error) => {
    failure = error;
    // Of a record that does not decrypt Node says an error, and leaves the connection standing.
    socket.destroy();
  });
  socket.on('close', () => end(failure));

  return {
    receive,
    send,
    handled(costBytes) {
      unhandledBytes -= costBytes;
      resume();
    },
    reviewRate: () => send([]),
    close() {
      stop();
      socket.destroySoon();
    },
  };

  function send(given: readonly BulkFrame[]): void {
    const frames = [...rateToTell(), ...given];
    if (over || frames.length === 0) return;
    const costBytes = frames.reduce((sum, frame) => sum + costOf(frame), 0);
    const parts = frames.flatMap((frame) => encodeBulk(smaller(frame)));
    const bytes = lengthOf(parts);
    meter.given(bytes, performance.now());
    (writer?.write ?? write)(parts, () => {
      noteWritten(costBytes, bytes);
      giveBack(frames);
    });
  }

  function smaller(frame: BulkFrame): BulkFrame {
    if (frame.kind !== 'answer' || frame.answer.kind !== 'block' || !meter.isSlow()) return frame;
    return pack(frame.answer) ?? frame;
  }
}

function lengthOf(parts: readonly Bytes[]): number {
  return parts.reduce((sum, part) => sum + part.byteLength, 0);
}

/** Left to the garbage collector, a gigabyte costs a collection each 50 MB. */
function giveBack(frames: readonly BulkFrame[]): void {
  for (const frame of frames) {
    if (frame.kind !== 'answer' || frame.answer.kind !== 'block') continue;
    const { buffer } = frame.answer.bytes;
    if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
  }
}

function checkedFrame(frame: Received): Received {
  return frame.kind === 'answer' && frame.answer.kind === 'block' ? checked(frame.answer) : frame;
}

/** Wrong bytes go on as well: who asked for them decides what that means for the peer. */
function checked(block: Block): Received {
  const verified = digestOf(block.bytes) === block.digest;
  return { kind: 'answer', answer: verified ? { ...block, verified } : block };
}
