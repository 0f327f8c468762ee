/** What a big file is put together from, and its text in the stage: a line of JSON. Pure. */

import { P2psyncError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { blockBytesMax } from '../base/limits.ts';
import { type Digest, isDigest } from '../core/digest.ts';
import type { BlockRef } from '../core/entry.ts';

export type PartDescription = {
  readonly content: Digest;
  readonly size: number;
  readonly sparse: boolean;
  readonly blocks: readonly BlockRef[];
};

/** A list that does not fit its file, or a block that is too long: a bug or an attack, never staged. @throws {P2psyncError} malformed. */
export function checkPart({ content, size, blocks }: PartDescription): void {
  const sum = blocks.reduce((total, { length }) => total + length, 0);
  if (sum === size && blocks.every(({ length }) => isBlockLength(length))) return;
  const message = `the blocks of ${content} add up to ${sum} bytes, the file has ${size}`;
  throw new P2psyncError('malformed', message, { content });
}

export function encodeList({ size, sparse, blocks }: PartDescription): string {
  return JSON.stringify([size, sparse, blocks.map(({ digest, length }) => [digest, length])]);
}

/** @returns undefined where a kill cut the text short, or the disk spoiled it. */
export function decodeList(content: Digest, text: string): PartDescription | undefined {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  const [size, sparse, list] = value as readonly unknown[];
  if (typeof size !== 'number' || typeof sparse !== 'boolean' || !Array.isArray(list)) return undefined;
  const blocks: BlockRef[] = [];
  let sum = 0;
  for (const item of list as readonly unknown[]) {
    const [digest, length] = Array.isArray(item) ? (item as readonly unknown[]) : [];
    if (
      typeof digest !== 'string' ||
      typeof length !== 'number' ||
      !isDigest(digest) ||
      !isBlockLength(length)
    )
      return undefined;
    blocks.push({ digest, length });
    sum += length;
  }
  return sum === size ? { content, size, sparse, blocks } : undefined;
}

function isBlockLength(length: number): boolean {
  return Number.isInteger(length) && length > 0 && length <= blockBytesMax;
}
