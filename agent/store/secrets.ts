/** Secrets of shares, each a file of its own in the home: the authority key of those made here, and their tree's salt. */
import { join } from 'node:path';
import { type Bytes, equalBytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import type { ShareId } from '../core/keys.ts';
import { createPrivateFile, readPrivateFile, removePrivateFile } from './private-file.ts';

/** `authority`: the seed of the key that invites and grants. `salt`: what moves the tree's page boundaries. */
export type SecretKind = 'authority' | 'salt';

export type SecretName = { readonly kind: SecretKind; readonly share: ShareId };

/**
 * @returns undefined where this home has none.
 * @throws {P2psyncError} permission, where others may read it; malformed, where it is damaged.
 */
export function readSecret(home: string, name: SecretName): Bytes | undefined {
  return readPrivateFile(secretPath(home, name), name.kind);
}

/**
 * Durable when it returns. Writing the same again changes nothing.
 * @throws {P2psyncError} conflict, where another secret of that name is there: it is never overwritten.
 */
export function writeSecret(home: string, name: SecretName, secret: Bytes): void {
  const path = secretPath(home, name);
  if (createPrivateFile(path, name.kind, secret)) return;
  const found = readPrivateFile(path, name.kind);
  if (found === undefined || !equalBytes(found, secret)) {
    throw new P2psyncError(
      'conflict',
      `${path} holds another ${name.kind} of this share; move it away first`,
      { path },
    );
  }
}

/** Durable when it returns: it is in this home no more. */
export function removeSecret(home: string, name: SecretName): void {
  removePrivateFile(secretPath(home, name));
}

/** Where the secret lies, for messages: a person moves an authority key by moving its file. */
export function secretPath(home: string, { kind, share }: SecretName): string {
  return join(home, `${kind}-${share}.key`);
}
