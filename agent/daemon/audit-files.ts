/** The files of a home's audit log, oldest first, and their lines. Reads only. */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, P2psyncError, systemCode } from '../base/errors.ts';
import { logLineBytesMax } from '../base/limits.ts';

export const auditFile = (home: string): string => join(home, 'audit.log');

/** A file that is full is named after its last line: `audit.log.40210`. @throws {P2psyncError} io. */
export async function auditFiles(home: string): Promise<readonly string[]> {
  let names: string[];
  try {
    names = await readdir(home);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new P2psyncError('io', `cannot look into ${home}: ${messageOf(error)}`, {}, { cause: error });
  }
  const numberOf = (name: string): number => Number(/^audit\.log\.(\d{1,15})$/.exec(name)?.[1] ?? Number.NaN);
  const older = names.filter((name) => !Number.isNaN(numberOf(name)));
  older.sort((left, right) => numberOf(left) - numberOf(right));
  return [...older, ...names.filter((name) => name === 'audit.log')].map((name) => join(home, name));
}

export type FileLine = {
  /** Without its newline. */
  readonly bytes: Buffer;
  /** From 1. */
  readonly number: number;
  /** False of a last line without its end, and of one that is longer than any of ours. */
  readonly isWhole: boolean;
};

export async function* linesOf(path: string): AsyncGenerator<FileLine> {
  let rest: Buffer = Buffer.alloc(0);
  let number = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a)) {
      number += 1;
      yield { bytes: bytes.subarray(0, at), number, isWhole: true };
      bytes = bytes.subarray(at + 1);
    }
    rest = bytes;
    if (rest.length > logLineBytesMax) break;
  }
  if (rest.length > 0) yield { bytes: rest, number: number + 1, isWhole: false };
}
