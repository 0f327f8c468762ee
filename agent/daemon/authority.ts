/**
 * The authority key of a share: where it lies, and how it leaves a machine or comes to one. A home without it takes part in
 * everything, and neither invites nor removes.
 */
import { hash } from 'node:crypto';
import { chown, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, P2psyncError, systemCode } from '../base/errors.ts';
import { keyFileBytesMax } from '../base/limits.ts';
import { type KeyPair, keyBytes, keyPairFromSeed, shareIdOf } from '../core/keys.ts';
import type { AuthorityReport, AuthorityResult } from '../http/api-members.ts';
import { loadIdentity } from '../store/identity.ts';
import { exportPrivateFile, parsePrivateLine } from '../store/private-file.ts';
import { readSecret, removeSecret, secretPath, writeSecret } from '../store/secrets.ts';
import { readShares, type ShareRecord } from './home.ts';

/** @param command what needs it: `p2psync invite`. @throws {P2psyncError} permission, where the key is not in this home. */
export function authorityOf(home: string, share: ShareRecord, command: string): KeyPair {
  const seed = readSecret(home, { kind: 'authority', share: share.id });
  if (seed !== undefined) return keyPairFromSeed(seed);
  throw new P2psyncError(
    'permission',
    `the authority key of share ${share.name} is not on this machine: type ${command} where it lies (where p2psync init was run, or where it was moved to), or bring it here first with p2psync authority import FILE`,
  );
}

/** Of every share of this home. */
export async function authorityStatus(home: string): Promise<readonly AuthorityReport[]> {
  return (await readShares(home)).map((share) => {
    const name = { kind: 'authority', share: share.id } as const;
    const isHere = readSecret(home, name) !== undefined;
    return {
      share: share.name,
      id: share.id,
      here: isHere,
      path: isHere ? secretPath(home, name) : null,
      fingerprint: fingerprintOf(share),
    };
  });
}

/**
 * Writes the key to a new file. With `move` it is in the home no more once that file is durable and was read again.
 * @throws {P2psyncError} permission, where it is not here; conflict, where the file is there; io.
 */
export async function exportAuthority(
  home: string,
  share: ShareRecord,
  { file, move }: { readonly file: string; readonly move: boolean },
): Promise<AuthorityResult> {
  const { publicKey, seed } = authorityOf(home, share, 'p2psync authority export');
  exportPrivateFile(file, 'authority', seed);
  if (move) {
    const written = keyPairFromSeed(
      parsePrivateLine(await readText(file), { path: file, kind: 'authority' }),
    );
    if (written.publicKey !== publicKey)
      throw new P2psyncError('io', `${file} does not hold what was written to it: the key stays here`);
    removeSecret(home, { kind: 'authority', share: share.id });
  }
  return resultOf(share, file, move ? 'moved' : 'exported');
}

/**
 * The key of a share in which this home takes part; what is there already is no fault.
 * @throws {P2psyncError} malformed, not-found (no such file, or a share that is not here).
 */
export async function importAuthority(home: string, file: string): Promise<AuthorityResult> {
  const seed = parsePrivateLine(await readText(file), { path: file, kind: 'authority' });
  const { publicKey } = keyPairFromSeed(seed);
  const share = (await readShares(home)).find((one) => one.id === shareIdOf(publicKey));
  if (share === undefined) {
    throw new P2psyncError(
      'not-found',
      `${file} holds the authority key of share ${shareIdOf(publicKey)}, in which this agent takes no part: join it first`,
    );
  }
  if (loadIdentity(home) === undefined) throw new P2psyncError('config', `there is no identity in ${home}`);
  const name = { kind: 'authority', share: share.id } as const;
  writeSecret(home, name, seed);
  await giveToOwner(home, secretPath(home, name));
  return resultOf(share, file, 'imported');
}

/** An agent that has given up root reads it, too. */
async function giveToOwner(home: string, path: string): Promise<void> {
  const [owner, file] = [await stat(home), await stat(path)];
  if (owner.uid !== file.uid || owner.gid !== file.gid) await chown(path, owner.uid, owner.gid);
}

function resultOf(share: ShareRecord, file: string, did: AuthorityResult['did']): AuthorityResult {
  return { share: share.name, id: share.id, did, file, fingerprint: fingerprintOf(share) };
}

/** Of the public half, for people to compare. */
function fingerprintOf({ authority }: ShareRecord): string {
  return hash('sha256', keyBytes(authority), 'hex');
}

/** @throws {P2psyncError} not-found, io. */
async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > keyFileBytesMax) throw new P2psyncError('malformed', `${path} is too long to be a key`);
    return await readFile(path, 'latin1');
  } catch (error) {
    if (error instanceof P2psyncError) throw error;
    const code = systemCode(error) === 'ENOENT' ? 'not-found' : 'io';
    throw new P2psyncError(
      code,
      `cannot read ${path}: ${messageOf(error)}; look in ${dirname(path)}`,
      {},
      { cause: error },
    );
  }
}
