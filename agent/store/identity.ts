/** The agent's own key, `identity.key` in its home: the seed of its Ed25519 key pair. Made once, never changed. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { createPrivateFile, readPrivateFile } from './private-file.ts';

const seedBytes = 32;

export type Identity = { /** 32 bytes, an Ed25519 seed. */ readonly seed: Bytes };

/**
 * Makes the home and the identity where there are none. Of two processes that do so at once both get the same.
 * @throws {P2psyncError} permission, where others may read the file; malformed, where it is damaged.
 */
export function loadOrCreateIdentity(home: string): Identity {
  const found = loadIdentity(home);
  if (found !== undefined) return found;
  createPrivateFile(identityPath(home), 'identity', new Uint8Array(randomBytes(seedBytes)));
  const made = loadIdentity(home);
  assert(made !== undefined, 'an identity that was made can be read');
  return made;
}

/** @throws {P2psyncError} as `loadOrCreateIdentity`. */
export function loadIdentity(home: string): Identity | undefined {
  const path = identityPath(home);
  const seed = readPrivateFile(path, 'identity');
  if (seed === undefined) return undefined;
  if (seed.byteLength !== seedBytes) {
    throw new P2psyncError(
      'malformed',
      `${path} is damaged: put it back from a backup; it cannot be made again`,
      { path },
    );
  }
  return { seed };
}

function identityPath(home: string): string {
  return join(home, 'identity.key');
}
