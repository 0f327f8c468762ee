/**
 * Our own canonical binary documents: one way to write each value, and reading accepts only that way.
 * Bounds are checked before anything is allocated. Pure; knows no document. Varints after LEB128 (DWARF 5, 7.6).
 */
import { assert } from '../base/assert.ts';
import { asBuffer, type Bytes, fromUtf8 } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { type Digest, decodeDigest, digestBytes, sha256Code } from './digest.ts';

export type Writer = {
  /** 0 to 255. */
  byte(value: number): void;
  /** 0 to 2^53 - 1, seven bits a byte, lowest first. */
  varint(value: number): void;
  /** Any safe integer: 0, -1, 1, -2, … are written as 0, 1, 2, 3, … would be. */
  zigzag(value: number): void;
  /** As they are, without a length. */
  raw(bytes: Bytes): void;
  /** Length, then the bytes. */
  bytes(bytes: Bytes): void;
  /** Length in bytes, then UTF-8. The text is well-formed Unicode. */
  text(text: string): void;
  digest(digest: Digest): void;
  /** How many bytes were written. */
  length(): number;
  /** A copy of what was written; the writer may go on. */
  finish(): Bytes;
};

/** Each read throws {P2psyncError} malformed where the bytes end early or are not canonical, limit-exceeded above a `max`. */
export type Reader = {
  byte(): number;
  /** 0 to `max`, which is 2^53 - 1 unless told. */
  varint(max?: number): number;
  zigzag(): number;
  /** A copy of the next `length` bytes. */
  raw(length: number): Bytes;
  /** Copies the next `length` bytes into the target, which has room for them. */
  into(target: Bytes, offset: number, length: number): void;
  /** A copy; at most `max` bytes. */
  bytes(max: number): Bytes;
  /** At most `max` bytes of UTF-8. */
  text(max: number): string;
  digest(): Digest;
  /** Bytes not yet read. */
  remaining(): number;
  /** @throws {P2psyncError} malformed where anything remains. */
  end(): void;
};

const two32 = 2 ** 32;

export function createWriter(bytesExpected = 256): Writer {
  let buffer = Buffer.allocUnsafe(Math.max(bytesExpected, 16));
  let at = 0;

  function reserve(count: number): void {
    if (at + count <= buffer.byteLength) return;
    const larger = Buffer.allocUnsafe(Math.max(buffer.byteLength * 2, at + count));
    buffer.copy(larger, 0, 0, at);
    buffer = larger;
  }

  function varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'a varint is a safe integer from 0');
    reserve(8);
    let rest = value;
    while (rest >= two32) {
      buffer[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    let low = rest >>> 0;
    while (low >= 0x80) {
      buffer[at++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    buffer[at++] = low;
  }

  function raw(bytes: Bytes): void {
    reserve(bytes.byteLength);
    buffer.set(bytes, at);
    at += bytes.byteLength;
  }

  return {
    byte(value) {
      assert((value & 0xff) === value, 'a byte is 0 to 255');
      reserve(1);
      buffer[at++] = value;
    },
    varint,
    zigzag(value) {
      assert(Number.isSafeInteger(value), 'a zigzag is a safe integer');
      // Twice the value may pass 2^53, so the sign and the low six bits go first, and the rest on its own.
      const magnitude = value < 0 ? -(value + 1) : value;
      const low = (magnitude % 64) * 2 + (value < 0 ? 1 : 0);
      const rest = Math.floor(magnitude / 64);
      reserve(1);
      buffer[at++] = rest === 0 ? low : low | 0x80;
      if (rest > 0) varint(rest);
    },
    raw,
    bytes(bytes) {
      varint(bytes.byteLength);
      raw(bytes);
    },
    text(text) {
      assert(text.isWellFormed(), 'text is well-formed Unicode');
      const length = Buffer.byteLength(text);
      varint(length);
      reserve(length);
      at += buffer.write(text, at, length, 'utf8');
    },
    digest(digest) {
      reserve(digestBytes);
      buffer[at] = sha256Code;
      const written = buffer.write(digest, at + 1, 'hex');
      assert(written === digestBytes - 1, 'a digest is 64 hex digits');
      at += digestBytes;
    },
    length: () => at,
    finish: () => new Uint8Array(buffer.subarray(0, at)),
  };
}

/** @param what names the document in errors: `a head`, `a tree page`. The bytes are borrowed while reading. */
export function createReader(bytes: Bytes, what: string): Reader {
  const buffer = asBuffer(bytes);
  const size = buffer.byteLength;
  let at = 0;

  function malformed(fault: string): P2psyncError {
    return new P2psyncError('malformed', `${what} is malformed at byte ${at} of ${size}: ${fault}`);
  }

  /** @returns where the bytes start, which are then counted as read. */
  function take(length: number): number {
    if (length > size - at) throw malformed(`${length} bytes are announced, ${size - at} remain`);
    const start = at;
    at += length;
    return start;
  }

  function varint(max = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    let scale = 1;
    for (let index = 0; ; index += 1) {
      if (at >= size) throw malformed('a number is cut short');
      const byte = buffer[at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && index > 0) throw malformed('a number is longer than it need be');
        // Eight bytes hold 56 bits. Sums of parts below 2^53 are exact, and others come out at 2^53 or above.
        if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number is above 2^53 - 1');
        if (value > max)
          throw new P2psyncError('limit-exceeded', `${what} has ${value} where at most ${max} is allowed`);
        return value;
      }
      if (index === 7) throw malformed('a number has more than eight bytes');
      scale *= 128;
    }
  }

  return {
    byte: () => buffer[take(1)] as number,
    varint,
    zigzag() {
      const first = buffer[take(1)] as number;
      let magnitude = (first & 0x7f) >> 1;
      if (first >= 0x80) {
        const rest = varint();
        if (rest === 0) throw malformed('a number is longer than it need be');
        magnitude += rest * 64;
      }
      const value = (first & 1) === 0 ? magnitude : -magnitude - 1;
      if (!Number.isSafeInteger(value)) throw malformed('a number is beyond 2^53 - 1');
      return value;
    },
    raw(length) {
      const start = take(length);
      return new Uint8Array(buffer.subarray(start, start + length));
    },
    into(target, offset, length) {
      assert(offset + length <= target.byteLength, 'what is read fits its target');
      const start = take(length);
      buffer.copy(target, offset, start, start + length);
    },
    bytes(max) {
      const length = varint(max);
      const start = take(length);
      return new Uint8Array(buffer.subarray(start, start + length));
    },
    text(max) {
      const length = varint(max);
      const start = take(length);
      const text = strictUtf8(buffer, start, start + length);
      if (text === undefined) throw malformed('text is not UTF-8');
      return text;
    },
    digest() {
      const start = take(digestBytes);
      if (buffer[start] !== sha256Code) return decodeDigest(buffer.subarray(start, at));
      return buffer.toString('hex', start + 1, at) as Digest;
    },
    remaining: () => size - at,
    end() {
      if (at !== size) throw malformed(`${size - at} bytes remain after its end`);
    },
  };
}

/** @returns the text, or undefined where the bytes are not UTF-8. */
export function strictUtf8(buffer: Buffer, start: number, end: number): string | undefined {
  // The lenient decoder is ten times as fast for short texts; what it could not read, it replaced by U+FFFD.
  const text = buffer.toString('utf8', start, end);
  return text.includes('\ufffd') ? fromUtf8(buffer.subarray(start, end)) : text;
}
