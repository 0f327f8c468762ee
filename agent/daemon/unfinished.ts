/** What a crash in the middle of `init` or `join` left behind, so that saying it again finishes it. Reads only. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
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
  if (shareIdOf(authority.publicKey) !== share || !existsSync(join(indexDirectory(home), share))) return null;
  const store = openStore(indexDirectory(home), { readOnly: true });
  try {
    const state = store.share(share);
    const certificate = state.state(stateKeys.certificate);
    // Both were stored in one piece before the directory was marked.
    if (certificate === undefined || state.state(stateKeys.grant) === undefined) return null;
    return { authority, certificate: decodeCertificate(certificate) };
  } finally {
    await store.close();
  }
}
