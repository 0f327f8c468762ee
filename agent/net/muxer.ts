/**
 * Yamux with purposeful bounds. Its decoder collects a whole frame before it looks at the window, so whoever is
 * connected could announce 4 GiB and have them buffered; the guard here reads the frame headers first.
 */
import type { StreamMuxer, StreamMuxerFactory } from '@libp2p/interface';
import { yamux } from '@libp2p/yamux';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { streamReadBytesMax, streamsPerConnectionMax, streamWindowBytesMax } from '../base/limits.ts';
import { spareWindowUpdates } from './windows.ts';

type Connection = Parameters<StreamMuxerFactory['createStreamMuxer']>[0];

export function guardedYamux(): () => StreamMuxerFactory {
  spareWindowUpdates();
  const create = yamux({
    maxInboundStreams: streamsPerConnectionMax,
    maxOutboundStreams: streamsPerConnectionMax,
    maxEarlyStreams: streamsPerConnectionMax,
    streamOptions: { maxStreamWindowSize: streamWindowBytesMax, maxReadBufferLength: streamReadBytesMax },
  });
  return () => {
    const factory = create();
    return {
      protocol: factory.protocol,
      createStreamMuxer(connection: Connection): StreamMuxer {
        guard(connection);
        return factory.createStreamMuxer(connection);
      },
    };
  };
}

const headerBytes = 12;

/** Listens before the muxer does, so a frame that is too long never reaches it. */
function guard(connection: Connection): void {
  const check = createHeaderCheck();
  connection.addEventListener('message', (event) => {
    const chunks = event.data instanceof Uint8Array ? [event.data] : event.data;
    for (const chunk of chunks) {
      const lengthBytes = check(chunk);
      if (lengthBytes <= streamWindowBytesMax) continue;
      connection.abort(
        new P2psyncError(
          'limit-exceeded',
          `a muxer frame of ${lengthBytes} bytes; at most ${streamWindowBytesMax}`,
        ),
      );
      event.stopImmediatePropagation();
      return;
    }
  });
}

/** Walks a yamux byte stream. @returns a function that gives the longest data frame announced in the bytes it is fed. */
export function createHeaderCheck(): (bytes: Bytes) => number {
  const header = new Uint8Array(headerBytes);
  const view = new DataView(header.buffer);
  let headerFilled = 0;
  let bodyLeftBytes = 0;
  return (bytes) => {
    let longest = 0;
    let at = 0;
    while (at < bytes.byteLength) {
      const skipped = Math.min(bodyLeftBytes, bytes.byteLength - at);
      bodyLeftBytes -= skipped;
      at += skipped;
      const part = bytes.subarray(at, at + headerBytes - headerFilled);
      header.set(part, headerFilled);
      headerFilled += part.byteLength;
      at += part.byteLength;
      if (headerFilled < headerBytes) break;
      headerFilled = 0;
      // Type 0 is data: its length is that of the body; in the other types it is a number.
      if (header[1] !== 0) continue;
      bodyLeftBytes = view.getUint32(8);
      longest = Math.max(longest, bodyLeftBytes);
    }
    return longest;
  };
}
