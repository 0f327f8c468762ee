/** `p2psync remove`: which member is meant, and the removal that the authority signs. */
import { P2psyncError } from '../base/errors.ts';
import { decodeCertificate } from '../core/certificate.ts';
import { keyPairFromSeed, type PeerId } from '../core/keys.ts';
import { type SignedRemoval, signRemoval } from '../core/removal.ts';
import type { AtHome } from '../http/api.ts';
import type { RemoveRequest, RemoveResult } from '../http/api-members.ts';
import { openStore } from '../store/database.ts';
import { loadIdentity } from '../store/identity.ts';
import { lockHome } from '../store/lock.ts';
import { openAudit } from './audit-log.ts';
import { authorityOf } from './authority.ts';
import { indexDirectory, readShares, type ShareRecord } from './home.ts';
import { type Membership, openMembership } from './membership.ts';
import type { MemberRow } from './membership-rows.ts';
import { pickShare } from './setup.ts';
import { stateKeys } from './state.ts';

/**
 * Signs, and does nothing else yet.
 * @throws {P2psyncError} permission (the authority key is not here), not-found, usage (several fit), conflict (the writer, or
 * this agent itself), not-a-member (removed before).
 */
export function draftRemoval(
  home: string,
  share: ShareRecord,
  membership: Membership,
  named: string,
): { readonly removal: SignedRemoval; readonly peerId: PeerId } {
  const authority = authorityOf(home, share, 'p2psync remove');
  const { key, peer, name, revoked } = pickMember(membership.rows(), named);
  if (revoked) throw new P2psyncError('not-a-member', `${name} was removed from share ${share.name} before`);
  if (key === membership.certificate.certificate.member) {
    throw new P2psyncError(
      'conflict',
      `${name} is this agent itself: remove it from another member, to which the authority key was moved`,
    );
  }
  return { removal: signRemoval(membership.draftRemoval(key), authority), peerId: peer };
}

export function removeResult(
  share: ShareRecord,
  { removal, peerId }: ReturnType<typeof draftRemoval>,
  told: number,
): RemoveResult {
  const { name, role, timeMs } = removal.removal;
  return { share: share.name, peerId, name, role, time: new Date(timeMs).toISOString(), told };
}

/** Where no agent runs: noted, and told to everyone from its next start on. @throws as `draftRemoval`, and locked. */
export async function removeAlone(request: AtHome<RemoveRequest>): Promise<RemoveResult> {
  const { home } = request;
  const record = pickShare(await readShares(home), request.share);
  const identity = loadIdentity(home);
  if (identity === undefined) throw new P2psyncError('config', `there is no identity in ${home}`);
  await using closers = new AsyncDisposableStack();
  const lock = await lockHome(home);
  closers.defer(() => lock.release());
  const keyPair = keyPairFromSeed(identity.seed);
  const audit = await openAudit({ home, keyPair });
  closers.defer(() => audit.close());
  const index = openStore(indexDirectory(home));
  closers.defer(() => index.close());
  const store = index.share(record.id);
  const certificate = store.state(stateKeys.certificate);
  if (certificate === undefined) {
    throw new P2psyncError('config', `share ${record.name} is not whole in ${home}: join it anew`);
  }
  const membership = openMembership({
    share: record.id,
    authority: record.authority,
    self: keyPair,
    certificate: decodeCertificate(certificate),
    store,
  });
  const drafted = draftRemoval(home, record, membership, request.peer);
  const { body, signature, removal } = drafted.removal;
  await membership.takeRemoval(body, signature);
  const { name } = removal;
  await audit.record({ event: 'removed', share: record.name, peer: drafted.peerId, name });
  return removeResult(record, drafted, 0);
}

/** By id, by name, or by the beginning of an id, with or without what all ids begin with. @throws {P2psyncError} not-found, usage. */
export function pickMember(rows: readonly MemberRow[], named: string): MemberRow {
  const fits: readonly ((row: MemberRow) => boolean)[] = [
    ({ peer }) => peer === named,
    ({ name, revoked }) => name === named && !revoked,
    ({ peer, revoked }) => isPrefix(named, peer) && !revoked,
    ({ name, peer }) => name === named || isPrefix(named, peer),
  ];
  for (const fit of fits) {
    const [found, ...others] = rows.filter(fit);
    if (found === undefined) continue;
    if (others.length === 0) return found;
    const all = [found, ...others].map(({ name, peer }) => `${peer} (${name})`);
    const shown = all.length > 8 ? [...all.slice(0, 8), `and ${all.length - 8} more`] : all;
    throw new P2psyncError(
      'usage',
      `${named} may be several members: say the id of one: ${shown.join(', ')}`,
    );
  }
  throw new P2psyncError('not-found', `there is no member ${named}: see p2psync members`);
}

const idStart = '12D3KooW';

function isPrefix(text: string, peer: PeerId): boolean {
  if (text === '') return false;
  return peer.startsWith(text) || peer.startsWith(`${idStart}${text}`);
}
