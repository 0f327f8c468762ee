/**
 * When and how blocks are compressed on a connection: a meter of its speed, a cheap look at the block, zstd level 1.
 * Pure but for the work; measured in docs/decisions/0010-bulk-plane.md.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Bytes } from '../../base/bytes.ts';
import { messageOf, P2psyncError } from '../../base/errors.ts';
import { bulkPackBelowBytesPerSecond, bulkPackBytesMin, bulkRateMs } from '../../base/limits.ts';
import type { BlockAnswer } from '../../swarm/messages.ts';
import type { PackedBlock } from '../../wire/bulk.ts';

export type Block = Extract<BlockAnswer, { kind: 'block' }>;

export type SpeedMeter = {
  /** Bytes were given to the connection. */
  given(bytes: number, nowMs: number): void;
  /** The kernel took bytes from it. */
  taken(bytes: number, nowMs: number): void;
  /** True where it was busy for long enough to tell, and took less than compressing pays for. */
  isSlow(): boolean;
};

/** Counts only the time in which something waits to be sent: a connection that is seldom used is not a slow one. */
export function createSpeedMeter(): SpeedMeter {
  // Changes while running.
  let waitingBytes = 0;
  let busySinceMs = 0;
  let busyMs = 0;
  let takenBytes = 0;
  let slow = false;

  return {
    given(bytes, nowMs) {
      if (waitingBytes === 0) busySinceMs = nowMs;
      waitingBytes += bytes;
    },
    taken(bytes, nowMs) {
      waitingBytes -= bytes;
      takenBytes += bytes;
      busyMs += nowMs - busySinceMs;
      busySinceMs = nowMs;
      if (busyMs < bulkRateMs) return;
      slow = (takenBytes * 1000) / busyMs < bulkPackBelowBytesPerSecond;
      busyMs = 0;
      takenBytes = 0;
    },
    isSlow: () => slow,
  };
}

const samples = 16;
const sampleBytes = 256;
/** Of 8 bits a byte: above it, what was sampled is compressed or encrypted already. */
const entropyBitsMax = 7.2;
/** What is not at least this much smaller is sent as it is. */
const gainLeast = 0.05;

/** Entropy of 16 samples of 256 bytes: 5 µs that tell archives, images and random bytes from text and programs. */
export function seemsCompressible(bytes: Bytes): boolean {
  if (bytes.byteLength < bulkPackBytesMin) return false;
  const counts = new Uint16Array(256);
  const step = Math.floor((bytes.byteLength - sampleBytes) / (samples - 1));
  for (let sample = 0; sample < samples; sample += 1) {
    for (let at = sample * step, end = at + sampleBytes; at < end; at += 1) {
      const byte = bytes[at] ?? 0;
      counts[byte] = (counts[byte] ?? 0) + 1;
    }
  }
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= count * Math.log2(count / (samples * sampleBytes));
  return bits / (samples * sampleBytes) < entropyBitsMax;
}

/** @returns null where it does not pay. */
export function pack({ id, digest, bytes }: Block): PackedBlock | null {
  if (!seemsCompressible(bytes)) return null;
  const packed = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  if (packed.byteLength > bytes.byteLength * (1 - gainLeast)) return null;
  return { kind: 'packed', id, digest, blockBytes: bytes.byteLength, bytes: packed };
}

/** A window of at most the largest block: a frame may ask for 128 MiB otherwise. */
const windowBitsMax = 21;

/**
 * Never allocates much more than `blockBytes`, which the decoder held against the limit.
 * @throws {P2psyncError} malformed, where it is no zstd of as many bytes.
 */
export function unpack({ id, digest, blockBytes, bytes }: PackedBlock): Block {
  try {
    const unpacked = zstdDecompressSync(bytes, {
      maxOutputLength: Math.max(1, blockBytes),
      params: { [constants.ZSTD_d_windowLogMax]: windowBitsMax },
    });
    if (unpacked.byteLength === blockBytes) return { kind: 'block', id, digest, bytes: ownMemory(unpacked) };
  } catch (cause) {
    throw new P2psyncError('malformed', `a packed block does not unpack: ${messageOf(cause)}`, {}, { cause });
  }
  throw new P2psyncError('malformed', `a packed block does not unpack to ${blockBytes} bytes`);
}

/** Small results come out of Buffer's pool, which must not be transferred to another thread. */
function ownMemory(bytes: Buffer): Bytes {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
