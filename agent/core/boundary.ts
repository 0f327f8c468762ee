/**
 * Where a page of the tree ends. Pure; a page's end depends on the keys from its start up to that end, never on
 * content, so a change of content moves no end, and whatever the order of edits the ends are the same.
 * After Auvolat & Taïani 2019 (Merkle search trees) and the prolly trees of Noms.
 */
import { hash } from 'node:crypto';
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import {
  accountNameBytesMax,
  linkTargetBytesMax,
  pageBytesMax,
  pageKeysAverageBits,
  pageKeysMax,
  pathBytesMax,
  treeLevelsMax,
} from '../base/limits.ts';
import type { Entry } from './entry.ts';

/** True where the hash alone ends a page of this level after this key. */
export type HashBoundary = (level: number, key: string) => boolean;

/** What a page holds so far. */
export type Fill = { keys: number; weight: number };

/** Bytes of a record beside texts: tag, three varint lengths, mode, two owners' numbers, time, size, counts, digest. */
const fixedBytesMax = 100;
const ownerBytesMax = 2 * accountNameBytesMax;
/** No record weighs more. */
const weightMax = pathBytesMax + linkTargetBytesMax + ownerBytesMax + fixedBytesMax;
/** A page that weighs this much ends: one more record of any weight would still have fitted. */
const pageWeightFull = pageBytesMax - weightMax;

/**
 * The low `pageKeysAverageBits` bits of SHA-256(salt ‖ level ‖ key) are zero. The salt is the share's secret, so
 * that those who name files cannot grind ends of pages. The top level has none: there the caps alone end a page,
 * so that every tree has a single root within `treeLevelsMax`.
 */
export function createHashBoundary(salt: Bytes): HashBoundary {
  const levelAt = salt.byteLength;
  const scratch = Buffer.alloc(levelAt + 1 + pathBytesMax);
  scratch.set(salt);
  const mask = (1 << pageKeysAverageBits) - 1;
  return (level, key) => {
    if (level === treeLevelsMax - 1) return false;
    scratch[levelAt] = level;
    const keyBytes = scratch.write(key, levelAt + 1);
    const digest = hash('sha256', scratch.subarray(0, levelAt + 1 + keyBytes), 'hex');
    return (Number.parseInt(digest.slice(-4), 16) & mask) === 0;
  };
}

/**
 * Most bytes that an entry of this path and kind can take, so that a page's weight bounds its bytes whatever its
 * content becomes. Only links have room for a target: else a page of files could hold a fifth of its keys.
 */
export function weightOfEntry(entry: Entry): number {
  const isLink = entry.kind === 'symlink' || entry.kind === 'hardlink';
  return Buffer.byteLength(entry.path) + fixedBytesMax + ownerBytesMax + (isLink ? linkTargetBytesMax : 0);
}

export function weightOfChild(lastKey: string): number {
  return Buffer.byteLength(lastKey) + fixedBytesMax;
}

/** True where the caps by rank and by bytes end a page, whatever the hash says. */
export function isFull(fill: Fill): boolean {
  assert(fill.keys <= pageKeysMax && fill.weight <= pageBytesMax, 'a page ends where it is full');
  return fill.keys === pageKeysMax || fill.weight >= pageWeightFull;
}
