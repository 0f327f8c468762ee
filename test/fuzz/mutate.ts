/** What is done to valid bytes: single bytes, lengths, pieces, two of them joined; now and then nothing is left of them. Pure. */

import type { Bytes } from '../../agent/base/bytes.ts';
import { parseJson } from '../../agent/base/json.ts';
import type { Random } from '../sim/random.ts';

type Context = { readonly random: Random; readonly others: readonly Bytes[] };
type Mutation = (bytes: Bytes, context: Context) => Bytes;

/** Longest case, bytes: repeated pieces grow it. */
const caseBytesMax = 64 * 1024;

const bytesOfInterest = [0, 1, 0x0a, 0x20, 0x22, 0x2e, 0x2f, 0x3d, 0x5b, 0x5c, 0x7f, 0x80, 0xc0, 0xff];
/** Numbers where counts and lengths turn over. */
const numbersOfInterest = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x10_0000, 0x7fff_ffff, 0xffff_ffff];
/** Varints: the same number longer than need be, 2^53, 2^64 - 1, one that does not end. */
const varints = [
  [0x80, 0x00],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
];
const words = [
  '../',
  '/',
  '.p2psync/',
  '\0',
  '\ud800',
  '"',
  '[[',
  '%',
  '\\',
  '__proto__',
  '1e309',
  '-0',
  'null',
  '\r\n',
];

const oddValues = [null, true, 0, -1, 1.5, 2 ** 60, '', 'x', [], {}, [null], [[]], { length: 1 }, '2026'];

const mutations: readonly Mutation[] = [
  (bytes, { random }) => replaced(bytes, spot(bytes, random), 1, [random.below(256)]),
  (bytes, { random }) => replaced(bytes, spot(bytes, random), 1, [random.pick(bytesOfInterest)]),
  (bytes, { random }) => {
    const at = spot(bytes, random);
    return replaced(bytes, at, 1, [(bytes[at] ?? 0) ^ (1 << random.below(8))]);
  },
  (bytes, { random }) => replaced(bytes, spot(bytes, random), 0, [random.pick(bytesOfInterest)]),
  (bytes, { random }) => replaced(bytes, spot(bytes, random), 1 + random.below(8), []),
  (bytes, { random }) => bytes.slice(0, spot(bytes, random)),
  (bytes, { random }) => replaced(bytes, spot(bytes, random), 4, u32(random.pick(numbersOfInterest))),
  (bytes, { random }) => replaced(bytes, spot(bytes, random), random.below(3), random.pick(varints)),
  (bytes, { random }) =>
    replaced(bytes, spot(bytes, random), random.below(4), Buffer.from(random.pick(words))),
  repeat,
  splice,
  retype,
  (_bytes, { random }) => Uint8Array.from({ length: random.below(64) }, () => random.below(256)),
];

/** One to four of them, one after the other. */
export function mutate(bytes: Bytes, context: Context): Bytes {
  let mutated = bytes;
  for (let left = 1 + context.random.below(4); left > 0; left -= 1) {
    mutated = context.random.pick(mutations)(mutated, context);
  }
  return mutated;
}

function spot(bytes: Bytes, random: Random): number {
  return random.below(Math.max(1, bytes.byteLength));
}

/** A piece, many times over. */
function repeat(bytes: Bytes, { random }: Context): Bytes {
  const at = spot(bytes, random);
  const piece = bytes.slice(at, at + 1 + random.below(16));
  const times = random.chance(0.1) ? 4096 : 1 + random.below(8);
  const room = Math.max(0, caseBytesMax - bytes.byteLength);
  const grown = Buffer.concat(Array.from({ length: times }, () => piece)).subarray(0, room);
  return replaced(bytes, at, 0, grown);
}

/** In JSON one value gives way to another kind of value. */
function retype(bytes: Bytes, { random }: Context): Bytes {
  let document: unknown;
  try {
    document = parseJson(Buffer.from(bytes).toString('utf8'));
  } catch {
    return bytes;
  }
  const places: { readonly holder: Record<string, unknown>; readonly key: string }[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const holder = value as Record<string, unknown>;
    for (const key of Object.keys(holder)) {
      places.push({ holder, key });
      visit(holder[key]);
    }
  };
  visit(document);
  if (places.length === 0) return Buffer.from(JSON.stringify(random.pick(oddValues)));
  const { holder, key } = random.pick(places);
  holder[key] = structuredClone(random.pick(oddValues));
  return new Uint8Array(Buffer.from(JSON.stringify(document)));
}

/** The beginning of one and the end of another. */
function splice(bytes: Bytes, { random, others }: Context): Bytes {
  const other = random.pick(others);
  return replaced(bytes.slice(0, spot(bytes, random)), bytes.byteLength, 0, other.slice(spot(other, random)));
}

function replaced(bytes: Bytes, at: number, count: number, by: ArrayLike<number>): Bytes {
  const after = bytes.subarray(Math.min(bytes.byteLength, at + count));
  const before = bytes.subarray(0, at);
  const result = new Uint8Array(before.byteLength + by.length + after.byteLength);
  result.set(before);
  result.set(by, before.byteLength);
  result.set(after, before.byteLength + by.length);
  return result;
}

function u32(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
