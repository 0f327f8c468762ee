/** Frames on a byte stream: four bytes of length, big-endian, then as many bytes. Pure. */
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';

const prefixBytes = 4;

/** @throws {P2psyncError} limit-exceeded: a frame that the other end would refuse. */
export function encodeFrame(payload: Bytes, frameBytesMax: number): Bytes {
  if (payload.byteLength > frameBytesMax) {
    throw new P2psyncError(
      'limit-exceeded',
      `a frame of ${payload.byteLength} bytes; at most ${frameBytesMax}`,
    );
  }
  const frame = new Uint8Array(prefixBytes + payload.byteLength);
  new DataView(frame.buffer).setUint32(0, payload.byteLength);
  frame.set(payload, prefixBytes);
  return frame;
}

export type FrameSplitter = {
  /**
   * @returns the frames that these bytes complete; each is its own memory.
   * @throws {P2psyncError} limit-exceeded, malformed.
   */
  push(bytes: Bytes): Bytes[];
};

/** A length above the bound is refused before anything is allocated for it; an empty frame is refused, too. */
export function createFrameSplitter(frameBytesMax: number): FrameSplitter {
  const prefix = new Uint8Array(prefixBytes);
  let prefixFilled = 0;
  let frame: Bytes | undefined;
  let frameFilled = 0;

  return {
    push(bytes) {
      const frames: Bytes[] = [];
      let at = 0;
      while (at < bytes.byteLength) {
        if (frame === undefined) {
          const part = bytes.subarray(at, at + prefixBytes - prefixFilled);
          prefix.set(part, prefixFilled);
          prefixFilled += part.byteLength;
          at += part.byteLength;
          if (prefixFilled < prefixBytes) break;
          frame = new Uint8Array(checkedLength(prefix, frameBytesMax));
          frameFilled = 0;
        }
        const part = bytes.subarray(at, at + frame.byteLength - frameFilled);
        frame.set(part, frameFilled);
        frameFilled += part.byteLength;
        at += part.byteLength;
        if (frameFilled < frame.byteLength) break;
        frames.push(frame);
        frame = undefined;
        prefixFilled = 0;
      }
      return frames;
    },
  };
}

function checkedLength(prefix: Bytes, frameBytesMax: number): number {
  const length = new DataView(prefix.buffer, prefix.byteOffset).getUint32(0);
  if (length > frameBytesMax) {
    throw new P2psyncError(
      'limit-exceeded',
      `a frame announced with ${length} bytes; at most ${frameBytesMax}`,
    );
  }
  if (length === 0) throw new P2psyncError('malformed', 'an empty frame');
  return length;
}
