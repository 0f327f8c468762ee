/** What must hold of every decoder: a value or an error of ours, nothing out of proportion, and the value's bytes give the value. */
import { isDeepStrictEqual } from 'node:util';
import { type Bytes, equalBytes, toHex } from '../../agent/base/bytes.ts';
import { type ErrorCode, P2psyncError } from '../../agent/base/errors.ts';
import type { Target } from './engine.ts';

export type Reading<Value> = {
  readonly name: string;
  readonly seeds: readonly Bytes[];
  readonly read: (bytes: Bytes) => Value;
  /** The value's bytes; left out where nothing writes it. */
  readonly write?: (value: Value) => Bytes;
  /** There is one way to write each value, and reading accepts no other. */
  readonly canonical?: boolean;
  /** What the value may weigh beyond what every value may, bytes: where the reader is told how much may come of it. */
  readonly extraBytes?: number;
  /** With which it may refuse. */
  readonly codes: readonly ErrorCode[];
};

/** What a value may weigh: a prefix of 4 KiB is a byte in the next record of a page, a digest twice its bytes as text. */
const weightPerByteMax = 512;
const weightMin = 16 * 1024;

export function reading<Value>({
  name,
  seeds,
  read,
  write,
  canonical,
  extraBytes = 0,
  codes,
}: Reading<Value>): Target {
  return {
    name,
    seeds,
    check(bytes) {
      const given = new Uint8Array(bytes);
      const value = attempt(() => read(given), codes);
      if (!equalBytes(given, bytes)) throw new Error('it changes the bytes that it reads');
      if (value === undefined) return;
      const weight = weigh(value.value);
      if (weight > weightMin + extraBytes + weightPerByteMax * bytes.byteLength)
        throw new Error(`${bytes.byteLength} bytes become a value of ${weight}`);
      if (write === undefined) return;
      const written = write(value.value);
      if (canonical === true && !equalBytes(written, bytes))
        throw new Error(`the value is written otherwise: ${toHex(written)}`);
      if (!isDeepStrictEqual(read(written), value.value))
        throw new Error('what is written gives another value');
    },
  };
}

/** @returns undefined where it was refused as it should be. @throws whatever else was thrown. */
export function attempt<Value>(
  act: () => Value,
  codes: readonly ErrorCode[],
): { readonly value: Value } | undefined {
  try {
    return { value: act() };
  } catch (error) {
    if (error instanceof P2psyncError && codes.includes(error.code)) return undefined;
    throw error;
  }
}

/** About how much memory it takes, bytes. */
function weigh(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (value instanceof Map) return weigh([...value.entries()]);
  if (value instanceof Set) return weigh([...value]);
  let sum = 32;
  for (const field of Object.values(value)) sum += weigh(field);
  return sum;
}

export const textOf = (bytes: Bytes): string => Buffer.from(bytes).toString('utf8');
export const bytesOf = (text: string): Bytes => new Uint8Array(Buffer.from(text));
