/**
 * A sum over what lies directly in one directory. Equal sums: the same names, and `sameStat` of each. Order does not matter,
 * and what goes is taken away again, so that a sum is kept up to date without a look at the others. Pure.
 * Mixed as MurmurHash3_x86_128 (Appleby 2011) does: against chance, not against somebody who chooses inode numbers and times.
 */
import type { DiskKind, DiskStat } from './stat.ts';

/** Four lanes of 32 bits; all zero where there is nothing. */
export type Fingerprint = Int32Array<ArrayBuffer>;

const lanes = 4;
export const fingerprintBytes = lanes * 4;

export function emptyFingerprint(): Fingerprint {
  return new Int32Array(lanes);
}

export function sameFingerprint(left: Fingerprint, right: Fingerprint): boolean {
  return left.every((lane, at) => lane === right[at]);
}

export function addEntry(sum: Fingerprint, name: string, stat: DiskStat): void {
  mix(wordsOf(name, stat));
  for (let lane = 0; lane < lanes; lane += 1) sum[lane] = (sum[lane] ?? 0) + (state[lane] ?? 0);
}

export function subtractEntry(sum: Fingerprint, name: string, stat: DiskStat): void {
  mix(wordsOf(name, stat));
  for (let lane = 0; lane < lanes; lane += 1) sum[lane] = (sum[lane] ?? 0) - (state[lane] ?? 0);
}

export function addFingerprint(sum: Fingerprint, other: Fingerprint): void {
  for (let lane = 0; lane < lanes; lane += 1) sum[lane] = (sum[lane] ?? 0) + (other[lane] ?? 0);
}

export function encodeFingerprint(sum: Fingerprint): Buffer {
  const bytes = Buffer.alloc(fingerprintBytes);
  for (const [lane, value] of sum.entries()) bytes.writeInt32BE(value, lane * 4);
  return bytes;
}

/** @param bytes of `encodeFingerprint`. */
export function decodeFingerprint(bytes: Uint8Array): Fingerprint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: lanes }, (_, lane) => view.getInt32(lane * 4));
}

// Of one entry at a time; nothing is kept between two calls.
const kindNumbers: Readonly<Record<DiskKind, number>> = { file: 0, directory: 1, symlink: 2, special: 3 };
/** What `sameStat` compares, and the name at two units of UTF-16 a word: the system allows 255 bytes. */
const statWords = 12;
let words = new Int32Array(statWords + 128);
const longs = new BigInt64Array(3);
const longWords = new Int32Array(longs.buffer);
const state = emptyFingerprint();

/** @returns how many of `words` count: a multiple of four, zeros at the end. */
function wordsOf(name: string, stat: DiskStat): number {
  const count = Math.ceil((statWords + Math.ceil(name.length / 2)) / lanes) * lanes;
  if (words.length < count) words = new Int32Array(count);
  const isDirectory = stat.kind === 'directory';
  longs[0] = stat.ino;
  longs[1] = stat.mtimeNs;
  longs[2] = isDirectory ? 0n : stat.ctimeNs;
  const size = isDirectory ? 0 : stat.size;
  words[0] = kindNumbers[stat.kind] | (stat.mode << 2);
  words[1] = stat.uid;
  words[2] = stat.gid;
  words[3] = size;
  words[4] = size / 2 ** 32;
  words[5] = name.length;
  words.set(longWords, 6);
  let at = statWords;
  for (let unit = 0; unit < name.length; unit += 2, at += 1)
    words[at] = name.charCodeAt(unit) | (name.charCodeAt(unit + 1) << 16);
  words.fill(0, at, count);
  return count;
}

function mix(count: number): void {
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  for (let at = 0; at < count; at += lanes) {
    h1 ^= Math.imul(turned(Math.imul(words[at] ?? 0, 0x239b961b), 15), 0xab0e9789);
    h1 = (Math.imul((turned(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(turned(Math.imul(words[at + 1] ?? 0, 0xab0e9789), 16), 0x38b34ae5);
    h2 = (Math.imul((turned(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(turned(Math.imul(words[at + 2] ?? 0, 0x38b34ae5), 17), 0xa1e38b93);
    h3 = (Math.imul((turned(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(turned(Math.imul(words[at + 3] ?? 0, 0xa1e38b93), 18), 0x239b961b);
    h4 = (Math.imul((turned(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = finished((h2 + h1) | 0);
  h3 = finished((h3 + h1) | 0);
  h4 = finished((h4 + h1) | 0);
  h1 = finished(h1);
  h1 = (h1 + h2 + h3 + h4) | 0;
  state[0] = h1;
  state[1] = h2 + h1;
  state[2] = h3 + h1;
  state[3] = h4 + h1;
}

function turned(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function finished(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
