/** Decoders of what peers send: frames of both planes, gossip, the openings of streams. */
import { isDeepStrictEqual } from 'node:util';
import { zstdCompressSync } from 'node:zlib';
import type { Bytes } from '../../agent/base/bytes.ts';
import { digestOf } from '../../agent/core/digest.ts';
import { unpack } from '../../agent/net/blocks/tls-packing.ts';
import { decodePreamble, encodePreamble } from '../../agent/net/election.ts';
import { createFrameSplitter, encodeFrame } from '../../agent/net/frames.ts';
import { createHeaderCheck } from '../../agent/net/muxer.ts';
import { type BulkFrame, createBulkDecoder, encodeBulk } from '../../agent/wire/bulk.ts';
import { decodeControl, encodeControl, isBulkSetup } from '../../agent/wire/control.ts';
import type { ControlFrame } from '../../agent/wire/frames.ts';
import {
  decodeHeadMessage,
  decodeStatementMessage,
  encodeHeadMessage,
  encodeStatementMessage,
} from '../../agent/wire/gossip.ts';
import {
  exampleBulk,
  exampleControl,
  exampleHeadMessage,
  exampleStatementMessage,
} from '../wire/messages.ts';
import type { Target } from './engine.ts';
import { attempt, reading } from './reading.ts';

const refusals = [
  'malformed',
  'limit-exceeded',
  'bad-path',
  'bad-signature',
  'bad-digest',
  'protocol-mismatch',
] as const;

const frameBytesMax = 256;
const unpackedBytesMax = 100_000;
const framed = [
  encodeFrame(Uint8Array.of(1, 2, 3), frameBytesMax),
  encodeFrame(new Uint8Array(200), frameBytesMax),
];
const bulk = exampleBulk.map((frame): Bytes => Buffer.concat(encodeBulk(frame)));

export const wireTargets: readonly Target[] = [
  reading<ControlFrame>({
    name: 'control',
    seeds: exampleControl.map(encodeControl),
    read(bytes) {
      isBulkSetup(bytes);
      return decodeControl(bytes);
    },
    // Nobody writes what nobody knows: an empty frame of a number that is not taken stands for it.
    write: (frame) => (frame.kind === 'unknown' ? Uint8Array.of(0xd2, 0x05, 0) : encodeControl(frame)),
    codes: refusals,
  }),
  reading({
    name: 'gossip-head',
    seeds: [exampleHeadMessage, { ...exampleHeadMessage, operations: null }].map(encodeHeadMessage),
    read: decodeHeadMessage,
    write: encodeHeadMessage,
    codes: refusals,
  }),
  reading({
    name: 'gossip-statement',
    seeds: [encodeStatementMessage(exampleStatementMessage)],
    read: decodeStatementMessage,
    write: encodeStatementMessage,
    codes: refusals,
  }),
  reading<readonly BulkFrame[]>({
    name: 'bulk',
    seeds: [...bulk, Buffer.concat(bulk)],
    read: (bytes) => inPieces(bytes, () => createBulkDecoder().push),
    write: (frames) => Buffer.concat(frames.flatMap(encodeBulk)),
    codes: refusals,
  }),
  reading({
    name: 'packed',
    seeds: [Buffer.from('hello '.repeat(700)), new Uint8Array(100_000), new Uint8Array(0)].map(packed),
    read(bytes) {
      const given = lengthAndRest(bytes);
      const block = unpack({ kind: 'packed', id: 1, digest: digestOf(bytes), ...given });
      if (block.bytes.byteLength !== given.blockBytes) throw new Error('not as long as it was announced');
      return block;
    },
    extraBytes: unpackedBytesMax,
    codes: refusals,
  }),
  reading({
    name: 'control-frames',
    seeds: [...framed, Buffer.concat(framed)],
    read: (bytes) => inPieces(bytes, () => createFrameSplitter(frameBytesMax).push),
    write: (frames) => Buffer.concat(frames.map((frame) => encodeFrame(frame, frameBytesMax))),
    codes: refusals,
  }),
  reading({
    name: 'preamble',
    seeds: (['open', 'accept', 'refuse'] as const).map((kind) => encodePreamble({ kind, stamp: 1e15 })),
    read: decodePreamble,
    write: encodePreamble,
    canonical: true,
    codes: refusals,
  }),
  {
    name: 'muxer',
    seeds: [Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 7, 7, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9)],
    check: (bytes) => void inPieces(bytes, () => atMost(createHeaderCheck())),
  },
];

/** What comes of the bytes at once, and a few at a time: it has to be the same. */
function inPieces<Out>(bytes: Bytes, create: () => (chunk: Bytes) => readonly Out[]): readonly Out[] {
  const whole = attempt(() => create()(bytes), refusals);
  const push = create();
  const single: Out[] = [];
  const cut = attempt(() => {
    for (let at = 0; at < bytes.byteLength; at += 7) single.push(...push(bytes.slice(at, at + 7)));
  }, refusals);
  if ((whole === undefined) !== (cut === undefined)) throw new Error('it depends on how the bytes are cut');
  if (whole === undefined) return create()(bytes);
  if (!isDeepStrictEqual(whole.value, single)) throw new Error('other frames, when the bytes are cut');
  return whole.value;
}

/** The longest announced so far, so that pieces and the whole can be compared. */
function atMost(check: (chunk: Bytes) => number): (chunk: Bytes) => readonly never[] {
  let longest = 0;
  return (chunk) => {
    longest = Math.max(longest, check(chunk));
    if (longest > 0xffff_ffff) throw new Error(`a frame of ${longest} bytes`);
    return [];
  };
}

/** A length of what unpacks, then the packed bytes. */
function packed(bytes: Bytes): Bytes {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.byteLength);
  return Buffer.concat([length, zstdCompressSync(bytes)]);
}

/** The length is held against the limit by the decoder of frames; here it is not larger. */
function lengthAndRest(bytes: Bytes): { readonly blockBytes: number; readonly bytes: Bytes } {
  const head = Buffer.concat([bytes.subarray(0, 4), Buffer.alloc(4)]);
  return { blockBytes: Math.min(head.readUInt32BE(0), unpackedBytesMax), bytes: bytes.subarray(4) };
}
