/** How far `init` and `join` have come: a crash may have cut them short, and a newcomer has yet to be taken in. Reads only. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Bytes } from '../base/bytes.ts';
import { decodeCertificate, type SignedCertificate } from '../core/certificate.ts';
import { type KeyPair, keyPairFromSeed, type ShareId, shareIdOf } from '../core/keys.ts';
import { openStore } from '../store/database.ts';
import { readSecret } from '../store/secrets.ts';
import { readConfig } from './config.ts';
import { indexDirectory, readShares } from './home.ts';
import { stateKeys } from './state.ts';

export type Unfinished = {
  readonly authority: KeyPair;
  readonly certificate: SignedCertificate;
};

/** The configuration is what is written last: a share that it does not name was never set up to the end. */
export async function isSetUp(home: string, share: ShareId): Promise<boolean> {
  const record = (await readShares(home)).find((one) => one.id === share);
  if (record === undefined) return false;
  const { shares } = await readConfig(home);
  return shares.some(({ name }) => name === record.name);
}

/** A member has told this agent who writes: it does so when it takes one in. */
export async function isTakenIn(home: string, share: ShareId): Promise<boolean> {
  return (await stateOf(home, share))?.grant !== undefined;
}

/**
 * The share that `init` was making over a directory with this marker.
 * @returns null where it was made to the end, or elsewhere.
 */
export async function findUnfinished(home: string, marker: string): Promise<Unfinished | null> {
  if (!/^[0-9a-f]{1,64}$/.test(marker)) return null;
  const share = marker as ShareId;
  const seed = readSecret(home, { kind: 'authority', share });
  if (seed === undefined || (await isSetUp(home, share))) return null;
  const authority = keyPairFromSeed(seed);
  if (shareIdOf(authority.publicKey) !== share) return null;
  const stored = await stateOf(home, share);
  // Both were stored in one piece before the directory was marked.
  if (stored?.certificate === undefined || stored.grant === undefined) return null;
  return { authority, certificate: decodeCertificate(stored.certificate) };
}

/** @returns null where there is no index. */
async function stateOf(
  home: string,
  share: ShareId,
): Promise<{ readonly certificate: Bytes | undefined; readonly grant: Bytes | undefined } | null> {
  if (!existsSync(join(indexDirectory(home), share))) return null;
  const store = openStore(indexDirectory(home), { readOnly: true });
  try {
    const one = store.share(share);
    return { certificate: one.state(stateKeys.certificate), grant: one.state(stateKeys.grant) };
  } finally {
    await store.close();
  }
}
