/**
 * Frames of the bulk plane: requests for pages and blocks, and the answers. A frame is u32 (big endian) the number of
 * bytes that follow, u8 type, u32 id, and what the type needs; a block's bytes are the rest of its frame, neither
 * copied nor encoded when sent. Pure; the shell owns the stream.
 */
import { assert, unreachable } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { blockBytesMax, blockHeadBytes, busyMsMax, requestDigestsMax } from '../base/limits.ts';
import { type Digest, decodeDigest, digestBytes, encodeDigest } from '../core/digest.ts';
import { keyBytes, shareIdBytes, shareIdFromBytes } from '../core/keys.ts';
import type { BlockAnswer, BlockRequest, SharedRequest } from '../swarm/messages.ts';
import { createRoom } from './room.ts';

export type BulkFrame =
  | { readonly kind: 'request'; readonly request: SharedRequest }
  /** Nothing more of this request is wanted. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** What is asked for is to come no faster, bytes a second, from now on; 0: as fast as it can. */
  | { readonly kind: 'rate'; readonly bytesPerSecond: number }
  | { readonly kind: 'answer'; readonly answer: BlockAnswer }
  /** A block, compressed with zstd: between those who agreed on that by the connection they use. */
  | PackedBlock;

export type PackedBlock = {
  readonly kind: 'packed';
  readonly id: number;
  readonly digest: Digest;
  /** Of the block itself: what unpacking may take, checked against the limit. */
  readonly blockBytes: number;
  readonly bytes: Bytes;
};

export type BulkLimits = { readonly blockBytesMax: number; readonly digestsMax: number };

export const bulkLimits: BulkLimits = { blockBytesMax, digestsMax: requestDigestsMax };

/**
 * What to write, in order: one part, or for a block its header and its bytes themselves (not a copy; they must not
 * change until they are written). Where the block is roomy both are one part.
 */
export function encodeBulk(frame: BulkFrame): readonly Bytes[] {
  switch (frame.kind) {
    case 'request':
      return [encodeRequest(frame.request)];
    case 'cancel':
      return [header(types.cancel, frame.id, 0)];
    case 'rate': {
      const buffer = header(types.rate, 0, rateBytes);
      buffer.writeUInt32BE(Math.min(frame.bytesPerSecond, 0xffff_ffff), headerBytes);
      return [buffer];
    }
    case 'answer':
      return encodeAnswer(frame.answer);
    case 'packed': {
      const { id, digest, blockBytes, bytes } = frame;
      const buffer = header(types.packed, id, packedFixedBytes + bytes.byteLength, packedFixedBytes);
      buffer.set(encodeDigest(digest), headerBytes);
      buffer.writeUInt32BE(blockBytes, headerBytes + digestBytes);
      return [buffer, bytes];
    }
    default:
      return unreachable(frame);
  }
}

export type BulkDecoder = {
  /**
   * Frames that the bytes so far complete, in order. The bytes of neighbouring blocks lie one after the other in memory
   * that they share; the chunk may be used again afterwards. After an error the decoder is of no more use.
   * @throws {P2psyncError} malformed or limit-exceeded, as soon as a frame's header shows it.
   */
  push(chunk: Bytes): BulkFrame[];
  /** Lets go of the memory of all blocks that `push` gave: it may be handed to another thread. */
  part(): void;
  /** @throws {P2psyncError} malformed, where the stream ended inside a frame: a killed sender looks like a clean end. */
  end(): void;
  /** Bytes of the frame that is not complete yet: never more than one frame. */
  pendingBytes(): number;
};

/** Holds one frame's header and, once its length was checked, room for the one block. */
export function createBulkDecoder(limits: BulkLimits = bulkLimits): BulkDecoder {
  const room = createRoom();
  // Changes while running.
  /** Header, and a block's digest: so that only its content lies in the room. */
  const fixed = Buffer.alloc(headerBytes + digestBytes);
  let fixedBytes = 0;
  let fixedWanted = headerBytes;
  let rest: Buffer | undefined;
  let restBytes = 0;

  function open(): void {
    const length = fixed.readUInt32BE(0) - (headerBytes - lengthBytes);
    const type = fixed.readUInt8(lengthBytes);
    if (fixedBytes === headerBytes) checkLength(type, length, limits);
    if (type === types.block && fixedBytes === headerBytes) {
      fixedWanted = fixed.byteLength;
      return;
    }
    // Outside of Buffer's pool, so that it is not kept alive by a neighbour.
    rest = type === types.block ? room.take(length - digestBytes) : Buffer.allocUnsafeSlow(length);
    restBytes = 0;
  }

  function close(bytes: Buffer): BulkFrame {
    const [type, id] = [fixed.readUInt8(lengthBytes), fixed.readUInt32BE(lengthBytes + 1)];
    fixedBytes = 0;
    fixedWanted = headerBytes;
    rest = undefined;
    restBytes = 0;
    switch (type) {
      case types.block:
        return blockFrame(id, decodeDigest(fixed.subarray(headerBytes)), bytes);
      case types.packed:
        return decodePacked(id, bytes, limits);
      default:
        return decodeFrame(type, id, bytes);
    }
  }

  return {
    push(chunk) {
      const frames: BulkFrame[] = [];
      for (let at = 0; at < chunk.byteLength; ) {
        if (rest === undefined) {
          const taken = Math.min(fixedWanted - fixedBytes, chunk.byteLength - at);
          fixed.set(chunk.subarray(at, at + taken), fixedBytes);
          fixedBytes += taken;
          at += taken;
          if (fixedBytes < fixedWanted) break;
          open();
          if (rest === undefined) continue;
        }
        const taken = Math.min(rest.byteLength - restBytes, chunk.byteLength - at);
        rest.set(chunk.subarray(at, at + taken), restBytes);
        restBytes += taken;
        at += taken;
        if (restBytes === rest.byteLength) frames.push(close(rest));
      }
      return frames;
    },
    part() {
      const isOpen = rest !== undefined && fixed.readUInt8(lengthBytes) === types.block;
      if (isOpen && rest !== undefined) rest = room.renew(rest, restBytes);
      else room.leave();
    },
    end() {
      if (fixedBytes > 0) throw malformed(`the stream ended ${fixedBytes + restBytes} bytes into a frame`);
    },
    pendingBytes: () => fixedBytes + restBytes,
  };
}

const types = { request: 1, block: 2, missing: 3, busy: 4, done: 5, cancel: 6, packed: 7, rate: 8 } as const;
const planes: readonly BlockRequest['plane'][] = ['page', 'block'];

type Block = Extract<BlockAnswer, { kind: 'block' }>;

const lengthBytes = 4;
/** Length, type, id. */
const headerBytes = lengthBytes + 1 + 4;
assert(
  headerBytes + digestBytes === blockHeadBytes,
  'what goes before a block fits where room is left for it',
);
/** Of a request's rest: plane, share. */
const requestFixedBytes = 1 + shareIdBytes;
/** Of a packed block's rest: digest, bytes of the block. */
const packedFixedBytes = digestBytes + 4;
const rateBytes = 4;

/** @param bytes after the header. @param room of them that the returned buffer has. */
function header(type: number, id: number, bytes: number, room = bytes): Buffer {
  return fillHeader(Buffer.allocUnsafe(headerBytes + room), { type, id, bytes });
}

/** @returns the same buffer. */
function blockHeader({ id, digest, bytes }: Block, buffer: Buffer): Buffer {
  fillHeader(buffer, { type: types.block, id, bytes: digestBytes + bytes.byteLength });
  buffer.set(encodeDigest(digest), headerBytes);
  return buffer;
}

/** @returns the same buffer. */
function fillHeader(
  buffer: Buffer,
  { type, id, bytes }: { readonly type: number; readonly id: number; readonly bytes: number },
): Buffer {
  assert(Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff, "a request's id is 32 bits");
  buffer.writeUInt32BE(headerBytes - lengthBytes + bytes, 0);
  buffer.writeUInt8(type, lengthBytes);
  buffer.writeUInt32BE(id, lengthBytes + 1);
  return buffer;
}

function encodeRequest(request: SharedRequest): Bytes {
  const { digests } = request;
  assert(digests.length >= 1 && digests.length <= requestDigestsMax, 'a request has 1 to 1024 digests');
  const buffer = header(types.request, request.id, requestFixedBytes + digests.length * digestBytes);
  buffer.writeUInt8(planes.indexOf(request.plane), headerBytes);
  buffer.set(keyBytes(request.share), headerBytes + 1);
  let at = headerBytes + requestFixedBytes;
  for (const digest of digests) {
    buffer.set(encodeDigest(digest), at);
    at += digestBytes;
  }
  return buffer;
}

function encodeAnswer(answer: BlockAnswer): readonly Bytes[] {
  switch (answer.kind) {
    case 'block': {
      assert(answer.bytes.byteLength <= blockBytesMax, 'a block is within its bound');
      const { bytes } = answer;
      if (answer.roomy !== true) return [blockHeader(answer, Buffer.allocUnsafe(blockHeadBytes)), bytes];
      const start = bytes.byteOffset - blockHeadBytes;
      const whole = Buffer.from(bytes.buffer, start, blockHeadBytes + bytes.byteLength);
      blockHeader(answer, whole);
      return [whole];
    }
    case 'missing': {
      const buffer = header(types.missing, answer.id, digestBytes);
      buffer.set(encodeDigest(answer.digest), headerBytes);
      return [buffer];
    }
    case 'busy': {
      const buffer = header(types.busy, answer.id, 4);
      buffer.writeUInt32BE(Math.min(Math.max(0, Math.ceil(answer.retryMs)), busyMsMax), headerBytes);
      return [buffer];
    }
    case 'done':
      return [header(types.done, answer.id, 0)];
    default:
      return unreachable(answer);
  }
}

/** @param length bytes after the header. @throws {P2psyncError} malformed, limit-exceeded. */
function checkLength(type: number, length: number, limits: BulkLimits): void {
  switch (type) {
    case types.request: {
      const count = (length - requestFixedBytes) / digestBytes;
      if (!Number.isInteger(count) || count < 1) throw malformed(`a request of ${length} bytes`);
      if (count > limits.digestsMax) throw exceeded(`a request of ${count} digests`, limits.digestsMax);
      return;
    }
    case types.block:
      if (length < digestBytes) throw malformed(`a block's frame of ${length} bytes`);
      if (length - digestBytes > limits.blockBytesMax) {
        throw exceeded(`a block of ${length - digestBytes} bytes`, limits.blockBytesMax);
      }
      return;
    case types.packed:
      if (length < packedFixedBytes) throw malformed(`a packed block's frame of ${length} bytes`);
      if (length - packedFixedBytes > limits.blockBytesMax) {
        throw exceeded(`a packed block of ${length - packedFixedBytes} bytes`, limits.blockBytesMax);
      }
      return;
    case types.missing:
      if (length !== digestBytes) throw malformed(`a missing block's frame of ${length} bytes`);
      return;
    case types.busy:
      if (length !== 4) throw malformed(`a refusal's frame of ${length} bytes`);
      return;
    case types.rate:
      if (length !== rateBytes) throw malformed(`a rate's frame of ${length} bytes`);
      return;
    case types.done:
    case types.cancel:
      if (length !== 0) throw malformed(`${length} bytes where none belong`);
      return;
    default:
      throw malformed(`a frame of type ${type}`);
  }
}

/** @param bytes adopted. */
function blockFrame(id: number, digest: Digest, { buffer, byteOffset, byteLength }: Buffer): BulkFrame {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  return { kind: 'answer', answer: { kind: 'block', id, digest, bytes } };
}

/** @param bytes adopted; their number was checked. */
function decodeFrame(type: number, id: number, bytes: Buffer): BulkFrame {
  switch (type) {
    case types.request:
      return {
        kind: 'request',
        request: {
          id,
          share: shareIdFromBytes(bytes.subarray(1, requestFixedBytes)),
          plane: planeOf(bytes.readUInt8(0)),
          digests: digestsOf(bytes),
        },
      };
    case types.missing:
      return { kind: 'answer', answer: { kind: 'missing', id, digest: decodeDigest(bytes) } };
    case types.busy:
      return {
        kind: 'answer',
        answer: { kind: 'busy', id, retryMs: Math.min(bytes.readUInt32BE(0), busyMsMax) },
      };
    case types.done:
      return { kind: 'answer', answer: { kind: 'done', id } };
    case types.rate:
      return { kind: 'rate', bytesPerSecond: bytes.readUInt32BE(0) };
    default:
      assert(type === types.cancel, 'a type was checked with its length');
      return { kind: 'cancel', id };
  }
}

/** @param bytes adopted. @throws {P2psyncError} malformed, limit-exceeded. */
function decodePacked(id: number, bytes: Buffer, limits: BulkLimits): PackedBlock {
  const blockBytes = bytes.readUInt32BE(digestBytes);
  if (blockBytes > limits.blockBytesMax) {
    throw exceeded(`a packed block that unpacks to ${blockBytes} bytes`, limits.blockBytesMax);
  }
  const digest = decodeDigest(bytes.subarray(0, digestBytes));
  return { kind: 'packed', id, digest, blockBytes, bytes: bytes.subarray(packedFixedBytes) };
}

function planeOf(code: number): BlockRequest['plane'] {
  const plane = planes[code];
  if (plane === undefined) throw malformed(`a request on the plane ${code}`);
  return plane;
}

function digestsOf(bytes: Buffer): readonly Digest[] {
  const digests: Digest[] = [];
  for (let at = requestFixedBytes; at < bytes.byteLength; at += digestBytes) {
    digests.push(decodeDigest(bytes.subarray(at, at + digestBytes)));
  }
  return digests;
}

function malformed(fault: string): P2psyncError {
  return new P2psyncError('malformed', `the bulk stream is malformed: ${fault}`);
}

function exceeded(what: string, max: number): P2psyncError {
  return new P2psyncError('limit-exceeded', `the bulk stream has ${what}, at most ${max} are allowed`);
}
