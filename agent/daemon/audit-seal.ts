/**
 * `audit.seal` in the home: how far the audit log had come, signed with the agent's key. Without it a log whose end was
 * cut off would look whole. It proves nothing against who has the key, which is the user the agent runs as.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromHex, toHex, utf8 } from '../base/bytes.ts';
import { messageOf, P2psyncError, systemCode } from '../base/errors.ts';
import { type KeyPair, type PublicKey, sign, verify } from '../core/keys.ts';
import type { ChainEnd } from './audit-event.ts';
import { writeDurably } from './home.ts';

export const sealFile = (home: string): string => join(home, 'audit.seal');

const domain = 'p2psync audit v1\0';
const bodyOf = ({ seq, hash }: ChainEnd): Uint8Array => utf8(`${seq} ${hash}`);

/** Durable when it resolves; the old one or the new one is there, whatever happens. */
export async function writeSeal(home: string, end: ChainEnd, keyPair: KeyPair): Promise<void> {
  const signature = toHex(sign(keyPair, domain, bodyOf(end)));
  await writeDurably(sealFile(home), `${JSON.stringify({ ...end, signature })}\n`);
}

/** @returns null where there is none; `wrong` where it is damaged or not signed by that key. @throws {P2psyncError} io. */
export async function readSeal(home: string, publicKey: PublicKey): Promise<ChainEnd | 'wrong' | null> {
  let text: string;
  try {
    text = await readFile(sealFile(home), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw new P2psyncError('io', `cannot read ${sealFile(home)}: ${messageOf(error)}`, {}, { cause: error });
  }
  const match = /^\{"seq":(\d{1,15}),"hash":"([0-9a-f]{64})","signature":"([0-9a-f]{128})"\}\n$/.exec(text);
  const signature = fromHex(match?.[3] ?? '');
  if (match === null || signature === undefined) return 'wrong';
  const end = { seq: Number(match[1]), hash: match[2] ?? '' };
  return verify(publicKey, domain, bodyOf(end), signature) ? end : 'wrong';
}
