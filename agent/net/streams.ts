/**
 * Reading and writing a libp2p stream with bounded memory. libp2p 3's own `for await`, `lpStream` and `onDrain` do
 * not wait for a slow other side, lose a pause called inside a handler, and take a killed peer for a clean end.
 */
import { setImmediate } from 'node:timers/promises';
import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface';
import { P2psyncError } from '../base/errors.ts';
import { bulkQueueBytesMax, controlOpenMs, pullBytesMax } from '../base/limits.ts';

export type Chunk = StreamMessageEvent['data'];

export type PullReader = {
  /**
   * Null after the peer closed its end. One read at a time.
   * @throws {P2psyncError} unreachable-peer: reset, or ended without being closed.
   */
  read(): Promise<Chunk | null>;
};

/** Takes over the stream's `message` events; at most `pullBytesMax` and one window are buffered. */
export function createPullReader(stream: Stream): PullReader {
  const queue: Chunk[] = [];
  let queuedBytes = 0;
  let paused = false;
  let ended = false;
  // Only FIN says that the peer meant to end here; the death of a peer looks the same but for it.
  let finished = stream.remoteWriteStatus === 'closed' && stream.status === 'open';
  let failure: Error | undefined;
  let wake: (() => void) | undefined;

  stream.addEventListener('message', (event) => {
    queue.push(event.data);
    queuedBytes += event.data.byteLength;
    if (queuedBytes >= pullBytesMax && !paused) {
      paused = true;
      // Not now: inside a handler that runs from `resume()` the muxer would forget the pause at once.
      queueMicrotask(() => {
        if (paused && stream.readStatus === 'readable') stream.pause();
      });
    }
    wake?.();
  });
  stream.addEventListener('remoteCloseWrite', () => {
    finished = true;
  });
  stream.addEventListener('end', () => end(undefined));
  stream.addEventListener('close', (event) => end(event.error));
  if (stream.readableEnded || stream.status !== 'open') end(undefined);

  function end(error: Error | undefined): void {
    ended = true;
    if (failure === undefined && (error !== undefined || !finished)) {
      failure = new P2psyncError(
        'unreachable-peer',
        `the stream broke: ${error?.message ?? 'the peer is gone'}`,
        {},
        { cause: error },
      );
    }
    wake?.();
  }

  function resume(): void {
    paused = false;
    if (stream.readStatus !== 'paused') return;
    try {
      stream.resume();
    } catch {
      // The connection is gone, so the muxer cannot tell the peer; what was buffered has been dispatched.
    }
  }

  return {
    async read() {
      for (;;) {
        if (queue.length === 0 && paused) resume();
        const chunk = queue.shift();
        if (chunk !== undefined) {
          queuedBytes -= chunk.byteLength;
          if (paused && queuedBytes <= pullBytesMax / 2) resume();
          return chunk;
        }
        if (failure !== undefined) throw failure;
        if (ended) return null;
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
        wake = undefined;
      }
    },
  };
}

/**
 * Resolves when the stream takes more without buffering beyond `bulkQueueBytesMax`.
 * @throws {P2psyncError} unreachable-peer, when the stream closes meanwhile.
 */
export async function untilWritable(stream: Stream): Promise<void> {
  // Not `writableNeedsDrain`: with a shut window something must wait here, or each answer costs a round trip.
  while (stream.writeBufferLength > bulkQueueBytesMax) {
    if (stream.writeStatus !== 'writable') throw gone(undefined);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const drained = () => resolve();
    const closed = (event: { readonly error?: Error }) => reject(gone(event.error));
    stream.addEventListener('drain', drained);
    stream.addEventListener('close', closed);
    try {
      await promise;
    } finally {
      stream.removeEventListener('drain', drained);
      stream.removeEventListener('close', closed);
    }
    // `drain` wakes every stream of the connection, also those whose window is shut: look again.
  }
  if (stream.writeStatus !== 'writable') throw gone(undefined);
}

/**
 * From a turn of its own: the muxer opens a stream in a microtask that throws, uncaught, where the same turn closes the
 * connection. @throws where the connection closes or the peer does not speak the protocol.
 */
export async function openStream(connection: Connection, protocols: string | string[]): Promise<Stream> {
  await setImmediate();
  return await connection.newStream(protocols, { signal: AbortSignal.timeout(controlOpenMs) });
}

function gone(cause: Error | undefined): P2psyncError {
  return new P2psyncError(
    'unreachable-peer',
    'the peer closed the stream before everything was sent',
    {},
    { cause },
  );
}
