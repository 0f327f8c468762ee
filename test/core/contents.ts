/** Bytes that the tests of the cutter and its vectors are made of: the same everywhere, from a seed. */
import type { Bytes } from '../../agent/base/bytes.ts';

export type ContentKind = 'random' | 'zeros' | 'text';

export function contentOf({ kind, size, seed }: { kind: ContentKind; size: number; seed: number }): Bytes {
  switch (kind) {
    case 'random':
      return randomBytes(size, seed);
    case 'zeros':
      return new Uint8Array(size);
    case 'text':
      return textBytes(size, seed);
  }
}

/** xorshift32 (Marsaglia 2003): state x, not 0; x ^= x << 13; x ^= x >>> 17; x ^= x << 5; the new x is the number. */
export function createXorshift(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Each number gives four bytes, lowest first. */
function randomBytes(size: number, seed: number): Bytes {
  const next = createXorshift(seed);
  const words = new DataView(new ArrayBuffer(Math.ceil(size / 4) * 4));
  for (let at = 0; at < words.byteLength; at += 4) words.setUint32(at, next(), true);
  return new Uint8Array(words.buffer, 0, size);
}

const words = [
  'the',
  'a',
  'block',
  'of',
  'bytes',
  'named',
  'by',
  'its',
  'digest',
  'is',
  'pulled',
  'from',
  'any',
  'peer',
  'that',
  'has',
];

/** Sixteen words, each number's top four bits picking one; after each a space, after every twelfth a newline. */
function textBytes(size: number, seed: number): Bytes {
  const next = createXorshift(seed);
  const parts: string[] = [];
  for (let length = 0, count = 1; length < size; count += 1) {
    const part = `${words[next() >>> 28]}${count % 12 === 0 ? '\n' : ' '}`;
    parts.push(part);
    length += part.length;
  }
  return new TextEncoder().encode(parts.join('')).subarray(0, size);
}
