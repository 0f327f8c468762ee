/** Who belongs to a share and who was invited, as `members` lists them. Pure. */
import { type PeerId, type PublicKey, peerIdOf, type Role } from '../core/keys.ts';
import type { SignedRemoval } from '../core/removal.ts';
import { type Member, memberOf, type Roster } from '../core/roster.ts';

export type MemberRow = {
  readonly key: PublicKey;
  readonly peer: PeerId;
  readonly name: string;
  readonly role: Role;
  /** null where no roster names it yet. */
  readonly admittedMs: number | null;
  readonly addresses: readonly string[];
  /** Until when it counts where no newer roster comes, ms since 1970; null for the writer, and for one who was removed. */
  readonly expiresMs: number | null;
  readonly revoked: boolean;
  /** Of one who was removed: when, ms since 1970. */
  readonly removedMs?: number;
};

export type InvitationRow = {
  /** Public half of the invitation's key pair. */
  readonly id: string;
  readonly role: Role;
  /** ISO 8601. */
  readonly expires: string;
  readonly uses: number;
  readonly used: number;
};

export type MembersView = {
  /** With those whom no roster names yet. */
  readonly effective: Roster;
  readonly roster: Roster | null;
  readonly roleOf: (key: PublicKey) => Role | undefined;
  /** ms since 1970, or infinity. */
  readonly expiryOf: (member: Member) => number;
  readonly removals: ReadonlyMap<PublicKey, SignedRemoval>;
};

/** Members, then those who were removed. */
export function memberRows(view: MembersView): readonly MemberRow[] {
  const members = view.effective.members.map((member): MemberRow => {
    const { member: key, name, role } = member.certificate.certificate;
    const inRoster = view.roster === null ? undefined : memberOf(view.roster, key);
    const expiresMs = view.expiryOf(member);
    return {
      key,
      peer: peerIdOf(key),
      name,
      role: view.roleOf(key) ?? role,
      admittedMs: inRoster?.admittedMs ?? null,
      addresses: member.addresses,
      expiresMs: Number.isFinite(expiresMs) ? expiresMs : null,
      revoked: false,
    };
  });
  const revoked = view.effective.revoked.map(({ member: key, timeMs }): MemberRow => {
    const peer = peerIdOf(key);
    // A roster says no more of one who is out than its key.
    const { name, role } = view.removals.get(key)?.removal ?? { name: peer, role: 'replica' };
    const gone = { admittedMs: null, addresses: [], expiresMs: null, revoked: true, removedMs: timeMs };
    return { key, peer, name, role, ...gone };
  });
  return [...members, ...revoked];
}

/** Those by which somebody came; who was removed has used one, too. */
export function invitationRows({ members, revoked }: Roster): readonly InvitationRow[] {
  const found = new Map<string, InvitationRow>();
  for (const { certificate } of members) {
    const terms = certificate.invitation?.terms;
    if (terms === undefined) continue;
    const { invite, role, expiresMs, uses } = terms;
    const used = (found.get(invite)?.used ?? 0) + 1;
    found.set(invite, { id: invite, role, expires: new Date(expiresMs).toISOString(), uses, used });
  }
  for (const { invite } of revoked) {
    const row = invite === null ? undefined : found.get(invite);
    if (row !== undefined) found.set(row.id, { ...row, used: row.used + 1 });
  }
  return [...found.values()];
}
