/** Who belongs to a share and who was invited, as `members` lists them. Pure. */
import type { InvitedRole } from '../core/invitation.ts';
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

export type Issued = {
  /** Public half of the invitation's key pair. */
  readonly id: string;
  readonly role: InvitedRole;
  /** ISO 8601. */
  readonly expires: string;
  readonly uses: number;
};

export type InvitationRow = Issued & {
  readonly used: number;
  readonly left: number;
  /** Somebody may come with it yet. */
  readonly open: boolean;
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

/** `issued` and those by which somebody came; one who was removed has used one, too. Open ones first. */
export function invitationRows(
  { members, revoked }: Roster,
  issued: readonly Issued[],
  nowMs: number,
): readonly InvitationRow[] {
  const found = new Map<string, Issued>(
    issued.map(({ id, role, expires, uses }) => [id, { id, role, expires, uses }]),
  );
  const used = new Map<string, number>();
  const count = (id: string): unknown => used.set(id, (used.get(id) ?? 0) + 1);
  for (const { certificate } of members) {
    const terms = certificate.invitation?.terms;
    if (terms === undefined) continue;
    const { invite, role, expiresMs, uses } = terms;
    found.set(invite, { id: invite, role, expires: new Date(expiresMs).toISOString(), uses });
    count(invite);
  }
  for (const { invite } of revoked) if (invite !== null) count(invite);
  const rows = [...found.values()].map((one): InvitationRow => {
    const times = used.get(one.id) ?? 0;
    const left = Math.max(0, one.uses - times);
    return { ...one, used: times, left, open: left > 0 && Date.parse(one.expires) > nowMs };
  });
  return rows.toSorted(
    (one, other) => Number(other.open) - Number(one.open) || compare(one.expires, other.expires),
  );
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
