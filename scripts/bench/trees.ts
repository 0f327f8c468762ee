/** Directories to replicate, made from a seed: the same bytes on every machine and in every run. */
import { closeSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** Files of the directory that is renamed. */
export const batchFiles = 1_000;
const filesPerDirectory = 100;
const chunkBytes = MIB;

export type Random = () => number;

/** Mulberry32: whole numbers below 2^32, the same everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Bytes that no compression and no cutter finds twice. */
export function noise(bytes: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  // Xorshift: a gigabyte has to be made in a second.
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b) >>> 0 || 1;
  for (let at = 0; at < words.length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state + at;
  }
  return Buffer.from(words.buffer, 0, bytes);
}

/** Something like source code: it compresses three to one. */
export function prose(bytes: number, seed: number): Buffer {
  const random = randomFrom(seed);
  const words = ['const ', 'return ', 'function ', '(value) ', '{\n', '}\n', '= ', '=> ', 'export ', '; '];
  let text = '';
  while (text.length < bytes) {
    const number = random();
    text += number % 3 === 0 ? `${number.toString(36)} ` : (words[number % words.length] ?? '');
  }
  return Buffer.from(text.slice(0, bytes), 'latin1');
}

/** Where file number `index` of `makeFiles` is. */
export function filePath(index: number): string {
  const directory = Math.floor(index / filesPerDirectory);
  return `d${Math.floor(directory / 100)}/d${directory % 100}/file${index}.html`;
}

/** `count` files of 4 KiB, a hundred a directory, and `batch/` with a thousand more. */
export function makeFiles(top: string, count: number, seed = 1): void {
  const put = putBelow(top);
  for (let index = 0; index < count; index += 1) put(filePath(index), noise(4 * KIB, seed + index));
  for (let index = 0; index < batchFiles; index += 1)
    put(`batch/file${index}.html`, noise(4 * KIB, seed + 1_000_000_000 + index));
}

/** `count` files of 4 KiB and nothing else. */
export function makeSmallFiles(top: string, count: number, seed = 2): void {
  const put = putBelow(top);
  for (let index = 0; index < count; index += 1) put(filePath(index), noise(4 * KIB, seed + index));
}

export function makeLargeFile(top: string, bytes: number, seed = 3): string {
  const path = join(top, 'large.bin');
  const descriptor = openSync(path, 'w');
  for (let offset = 0; offset < bytes; offset += chunkBytes)
    writeSync(descriptor, noise(Math.min(chunkBytes, bytes - offset), seed + offset / chunkBytes));
  closeSync(descriptor);
  return path;
}

/**
 * What `npm install` leaves behind: packages in packages, most files of a few KiB, few of megabytes, links in `.bin`.
 * The mean is 35 KiB a file, as in a tree of 11,104 files with 391 MB that was looked at.
 */
export function makeNpmTree(top: string, files: number, seed = 4): void {
  const put = putBelow(top);
  const random = randomFrom(seed);
  const perPackage = 24;
  for (let index = 0; index < files; index += 1) {
    const owner = Math.floor(index / perPackage);
    const nested = owner % 7 === 3 ? `package${owner - 1}/node_modules/` : '';
    const home = `node_modules/${nested}package${owner}`;
    const place = ['package.json', 'README.md', 'LICENSE'][index % perPackage] ?? `dist/part${random() % 5}/`;
    const name = place.endsWith('/') ? `${place}module${index}.${random() % 2 === 0 ? 'js' : 'd.ts'}` : place;
    put(`${home}/${name}`, contentOfModule(random, index));
    if (index % (2 * perPackage) === 0) {
      mkdirSync(join(top, 'node_modules/.bin'), { recursive: true });
      symlinkSync(`../${nested}package${owner}/dist/cli.js`, join(top, `node_modules/.bin/tool${owner}`));
    }
  }
}

function contentOfModule(random: Random, index: number): Buffer {
  const ticket = random() % 1_000;
  if (ticket < 4) return noise(MIB + (random() % (10 * MIB)), index);
  if (ticket < 100) return prose(20 * KIB + (random() % (100 * KIB)), index);
  return prose(200 + (random() % (8 * KIB)), index);
}

type Put = (path: string, bytes: Buffer) => void;

/** Writes files below `top`, with the directories they need. */
function putBelow(top: string): Put {
  const made = new Set<string>();
  return (path, bytes) => {
    const full = join(top, path);
    const directory = dirname(full);
    if (!made.has(directory)) mkdirSync(directory, { recursive: true });
    made.add(directory);
    writeFileSync(full, bytes);
  };
}
