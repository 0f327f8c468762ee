/**
 * The cutter's inner loop in WebAssembly, twice as fast as in JavaScript: the same cuts, for bytes that lie in its memory.
 * Owns that memory. The module is put together here, instruction by instruction, so that nobody has to believe a binary.
 */
import { type Bytes, utf8 } from '../base/bytes.ts';
import { gear, type Scan } from './block.ts';

export type FastScan = {
  /** To be filled by the caller; grown never, so that it stays where it is. */
  readonly window: Bytes;
  /** As of `nextCut`, for `window` alone. */
  readonly scan: Scan;
};

/** Of WebAssembly's memory, bytes. */
const pageBytes = 65_536;
/** Where the tables and the window begin. */
const gearAt = 0;
const doubledAt = 1024;
const windowAt = pageBytes;

export function createFastScan(windowBytes: number): FastScan {
  const pages = (windowAt + windowBytes) / pageBytes;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  new Int32Array(memory.buffer, gearAt, 256).set(gear);
  new Int32Array(memory.buffer, doubledAt, 256).set(gear.map((value) => value << 1));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes()), { '': { '': memory } });
  const scan = instance.exports['scan'] as (
    from: number,
    limit: number,
    mask: number,
    hash: number,
  ) => number;
  return {
    window: new Uint8Array(memory.buffer, windowAt, windowBytes),
    scan(_bytes, from, limit, mask, hash) {
      const found = scan(windowAt + from, windowAt + limit, mask, hash);
      return found === 0 ? 0 : found - windowAt;
    },
  };
}

/** Locals: the four parameters, and the mask for hashes that are kept doubled. */
const [at, limit, mask, hash, doubled] = [0, 1, 2, 3, 4];
const i32 = 0x7f;

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const constant = (value: number): number[] => [0x41, ...signed(value)];
const add = 0x6a;
const and = 0x71;
const shiftLeft = 0x74;
const isZero = 0x45;
const isAbove = 0x4b;
const end = 0x0b;
const returns = 0x0f;
const block = [0x02, 0x40];
const loop = [0x03, 0x40];
const when = [0x04, 0x40];
/** To the end of the block, or the start of the loop, so many levels up. */
const leave = (level: number): number[] => [0x0c, level];
const leaveWhen = (level: number): number[] => [0x0d, level];

/** Of the byte at `at + ahead`, its entry in a table. */
function entryOf(ahead: number, table: number): number[] {
  return [...get(at), 0x2d, 0, ...unsigned(ahead), ...constant(2), shiftLeft, 0x28, 2, ...unsigned(table)];
}

/** Gives the offset after that byte where the hash has all bits of the mask zero. */
function giveWhere(maskLocal: number, ahead: number): number[] {
  const found = [...get(at), ...constant(ahead + 1), add, returns];
  return [...get(hash), ...get(maskLocal), and, isZero, ...when, ...found, end];
}

/** Two bytes: as in `block.ts`, the hash after the first is kept doubled. */
function twoBytes(ahead: number): number[] {
  const first = [...get(hash), ...constant(2), shiftLeft, ...entryOf(ahead, doubledAt), add, ...set(hash)];
  const second = [...get(hash), ...entryOf(ahead + 1, gearAt), add, ...set(hash)];
  return [...first, ...giveWhere(doubled, ahead), ...second, ...giveWhere(mask, ahead + 1)];
}

/** As long as `step` bytes are left. */
function eachStep(step: number, body: readonly number[]): number[] {
  const isOver = [...get(at), ...constant(step), add, ...get(limit), isAbove];
  const next = [...get(at), ...constant(step), add, ...set(at)];
  return [...block, ...loop, ...isOver, ...leaveWhen(1), ...body, ...next, ...leave(0), end, end];
}

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const oneByte = [...get(hash), ...constant(1), shiftLeft, ...entryOf(0, gearAt), add, ...set(hash)];
  const start = [...get(mask), ...constant(1), shiftLeft, ...set(doubled)];
  const code = [
    ...start,
    ...eachStep(4, [...twoBytes(0), ...twoBytes(2)]),
    ...eachStep(1, [...oneByte, ...giveWhere(mask, 0)]),
    ...constant(0),
    end,
  ];
  const locals = [1, 1, i32];
  const sections = [
    // One type of function, the memory of the caller, one function, its name, its code.
    section(1, [1, 0x60, 4, i32, i32, i32, i32, 1, i32]),
    section(2, [1, 0, 0, 0x02, 0, 0]),
    section(3, [1, 0]),
    section(7, [1, 4, ...utf8('scan'), 0x00, 0]),
    section(10, [1, ...unsigned(locals.length + code.length), ...locals, ...code]),
  ];
  return new Uint8Array([...utf8('\0asm'), 1, 0, 0, 0, ...sections.flat()]);
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

/** The same for small numbers that are not negative, which must not look so. */
function signed(value: number): number[] {
  return value < 64 ? [value] : [(value & 127) | 128, ...signed(value >>> 7)];
}
