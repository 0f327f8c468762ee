/** Names of blocks and pages: SHA-256, kept as 64 lower-case hex digits, stored and sent with an algorithm byte. Pure. */
import { hash } from 'node:crypto';
import { type Bytes, toHex } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';

/** 64 lower-case hex digits. */
export type Digest = string & { readonly __brand: 'Digest' };

/** Encoded length: one algorithm byte, 32 bytes of SHA-256. */
export const digestBytes = 33;

/** The algorithm byte, as in multihash: sha2-256. */
export const sha256Code = 0x12;

export function digestOf(bytes: Bytes): Digest {
  return hash('sha256', bytes, 'hex') as Digest;
}

export function encodeDigest(digest: Digest): Bytes {
  const bytes = new Uint8Array(digestBytes);
  bytes[0] = sha256Code;
  bytes.set(Buffer.from(digest, 'hex'), 1);
  return bytes;
}

/** @throws {P2psyncError} malformed, where length or algorithm is another. */
export function decodeDigest(bytes: Bytes): Digest {
  if (bytes.byteLength !== digestBytes || bytes[0] !== sha256Code) {
    throw new P2psyncError('malformed', 'a digest is 33 bytes that start with 0x12 (sha2-256)');
  }
  return toHex(bytes.subarray(1)) as Digest;
}

export function isDigest(text: string): text is Digest {
  return /^[0-9a-f]{64}$/.test(text);
}

/** @throws {P2psyncError} malformed, where the text is not 64 lower-case hex digits. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new P2psyncError('malformed', `not a digest: ${JSON.stringify(text.slice(0, 80))}`);
}
