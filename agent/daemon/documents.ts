/** Which of a share's documents a peer is to be sent. Pure. */
import type { PublicKey, ShareId } from '../core/keys.ts';
import type { SignedRemoval } from '../core/removal.ts';
import { isRevoked } from '../core/roster.ts';
import type { ControlFrame, ShareHello } from '../wire/frames.ts';
import type { Membership } from './membership.ts';

type ShareDocuments = { readonly id: ShareId; readonly membership: Membership };

/** For a member that has just come: what is newer here than what it has, and the welcome. */
export function documentsFor({ id: share, membership }: ShareDocuments, theirs: ShareHello): ControlFrame[] {
  const grant = membership.grant();
  const roster = membership.roster();
  const rosterVersion = roster?.roster.version ?? 0;
  const grantEpoch = grant?.grant.epoch ?? 0;
  const frames: ControlFrame[] = [];
  if (grant !== null && grantEpoch > theirs.grantEpoch)
    frames.push({ kind: 'grant', share, document: grant });
  const isBehind = rosterVersion > theirs.rosterVersion;
  if (roster !== null && isBehind) frames.push({ kind: 'roster', share, document: roster });
  const removals = isBehind ? membership.removals() : unlistedRemovals(membership);
  for (const document of removals) frames.push({ kind: 'removal', share, document });
  return [...frames, { kind: 'welcome', shares: [{ share, rosterVersion, grantEpoch }] }];
}

/** Removals that the roster does not say: the writer has yet to hear of them. */
export function unlistedRemovals(membership: Membership): readonly SignedRemoval[] {
  const roster = membership.roster()?.roster;
  return membership
    .removals()
    .filter(({ removal }) => roster === undefined || !isRevoked(roster, removal.member));
}

/** What tells one who was put out so for certain, and not by our word alone; null where it was not. */
export function removalFor({ id: share, membership }: ShareDocuments, key: PublicKey): ControlFrame | null {
  const removal = membership.removals().find((one) => one.removal.member === key);
  if (removal !== undefined) return { kind: 'removal', share, document: removal };
  const roster = membership.roster();
  return roster !== null && isRevoked(roster.roster, key)
    ? { kind: 'roster', share, document: roster }
    : null;
}
