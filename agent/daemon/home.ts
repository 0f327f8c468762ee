/** The files of an agent's home that say which shares it takes part in. Owns `shares.json`; never opens the index. */

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, P2psyncError, systemCode } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import type { PublicKey, ShareId } from '../core/keys.ts';

/** A share as this agent takes part in it. */
export type ShareRecord = {
  readonly id: ShareId;
  readonly name: string;
  /** Absolute path of the replicated directory. */
  readonly path: string;
  readonly authority: PublicKey;
};

export const indexDirectory = (home: string): string => join(home, 'index');
export const socketPath = (home: string): string => join(home, 'control.sock');
const sharesFile = (home: string): string => join(home, 'shares.json');

/** @throws {P2psyncError} io, where the file is there and cannot be read as what it is. */
export async function readShares(home: string): Promise<readonly ShareRecord[]> {
  let text: string;
  try {
    text = await readFile(sharesFile(home), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new P2psyncError(
      'io',
      `cannot read ${sharesFile(home)}: ${messageOf(error)}`,
      {},
      { cause: error },
    );
  }
  try {
    const shares = parseJson(text);
    if (Array.isArray(shares) && shares.every(isShareRecord)) return shares;
  } catch {
    // Told below, like any other content that is not ours.
  }
  throw new P2psyncError(
    'io',
    `${sharesFile(home)} is damaged: restore it from a backup of the home, or join anew`,
  );
}

/** Replaces the list at once: a crash leaves the old one or the new one. */
export async function writeShares(home: string, shares: readonly ShareRecord[]): Promise<void> {
  await writeDurably(sharesFile(home), `${JSON.stringify(shares, null, 2)}\n`);
}

export async function makeHome(home: string): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
}

/** Temporary file, fsync, rename, fsync of the directory. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const directory = await open(join(path, '..'), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function isShareRecord(value: unknown): value is ShareRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record: Partial<Record<keyof ShareRecord, unknown>> = value;
  return [record.id, record.name, record.path, record.authority].every((field) => typeof field === 'string');
}
