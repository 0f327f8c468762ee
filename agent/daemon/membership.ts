/**
 * Who belongs to a share, as far as this agent knows: grant, roster, and newcomers that no roster names yet.
 * Owns these documents and their storing; never talks to anyone. Everything it takes is signed, so it may
 * come from whoever is connected.
 */
import { type Bytes, equalBytes } from '../base/bytes.ts';
import { type ErrorCode, P2psyncError } from '../base/errors.ts';
import {
  certificateLifeMs,
  certificateRenewMs,
  clockSkewMs,
  introductionGraceMs,
  revocationsMax,
} from '../base/limits.ts';
import { admit, exclude, type Refusal, revoke } from '../core/admission.ts';
import { type SignedCertificate, verifyCertificate } from '../core/certificate.ts';
import { openGrant, type SignedGrant } from '../core/grant.ts';
import type { KeyPair, PublicKey, Role, ShareId } from '../core/keys.ts';
import { openRemoval, type Removal, type SignedRemoval } from '../core/removal.ts';
import {
  checkRoster,
  compareRosters,
  emptyRoster,
  isMember,
  isRevoked,
  memberOf,
  openRoster,
  type Roster,
  roleOf,
  type SignedRoster,
  signRoster,
} from '../core/roster.ts';
import type { ShareStore } from '../store/share-store.ts';
import {
  type InvitationRow,
  type Issued,
  invitationRows,
  type MemberRow,
  memberRows,
} from './membership-rows.ts';
import {
  readAdmissions,
  readRemovals,
  readRoster,
  writeAdmissions,
  writeRemovals,
  writeRoster,
} from './membership-state.ts';
import { readGrant, writeGrant } from './state.ts';

export type Admitted = { readonly kind: 'member'; readonly news: boolean } | Refusal;

export type Membership = {
  readonly certificate: SignedCertificate;
  grant(): SignedGrant | null;
  /** That another grant of this epoch was heard of, too; the first one holds until there is a higher epoch. */
  dispute(): { readonly code: ErrorCode; readonly message: string } | null;
  roster(): SignedRoster | null;
  /** And its certificate has not expired. */
  isMember(key: PublicKey): boolean;
  isRevoked(key: PublicKey): boolean;
  roleOf(key: PublicKey): Role | undefined;
  certificateOf(key: PublicKey): SignedCertificate | undefined;
  /** That this agent was removed from the share. */
  isOut(): boolean;
  /** Members and revoked ones, this agent too. */
  rows(): readonly MemberRow[];
  /** How many there are, this agent too. */
  count(): number;
  /** Newcomers that no roster names yet: the writer has to hear of them. */
  waiting(): readonly SignedCertificate[];
  /** Invitations by which somebody came, and those that are known to have been `issued` here. */
  invitations(issued: readonly Issued[]): readonly InvitationRow[];
  /**
   * Checks a certificate; a newcomer joins the roster (on the writer) or waits for the writer to take it in.
   * `introduced`: a member says that it came while its invitation was good.
   */
  admit(
    certificate: SignedCertificate,
    addresses: readonly string[],
    options?: { readonly introduced: boolean },
  ): Promise<Admitted>;
  /** @returns whether it was news. @throws {P2psyncError} bad-grant, bad-signature. */
  takeGrant(body: Bytes, signature: Bytes): Promise<boolean>;
  /** @returns whether it was news. @throws {P2psyncError} bad-grant, bad-signature, malformed. */
  takeRoster(body: Bytes, signature: Bytes): Promise<boolean>;
  /** Every removal that was heard of, whatever the roster says. */
  removals(): readonly SignedRemoval[];
  /**
   * Puts one out at once; the writer takes it into the roster, too.
   * @returns whether it was news. @throws {P2psyncError} not-a-member (another share's), bad-signature, malformed.
   */
  takeRemoval(body: Bytes, signature: Bytes): Promise<boolean>;
  /** What the authority would sign to remove this one. @throws {P2psyncError} not-a-member, conflict, limit-exceeded. */
  draftRemoval(key: PublicKey): Removal;
  /** On the writer, when it is time: signs the roster again, so that nobody's certificate expires. @returns whether it has. */
  renew(): Promise<boolean>;
};

export type MembershipOptions = {
  readonly share: ShareId;
  readonly authority: PublicKey;
  readonly self: KeyPair;
  readonly certificate: SignedCertificate;
  readonly store: ShareStore;
};

export function openMembership(options: MembershipOptions): Membership {
  const { share, authority, self, store } = options;

  // Changes while running.
  let grant = readGrant(store, authority);
  let rival: SignedGrant | null = null;
  let roster = readRoster(store);
  let waiting = new Map(readAdmissions(store).map((one) => [one.certificate.member, one]));
  const removals = new Map(readRemovals(store, authority).map((one) => [one.removal.member, one]));
  let effective = combine();

  /** The roster with those who wait for it: what uses and names are judged by. */
  function combine(): Roster {
    // Nobody is known to write: the authority is no member.
    const origin = { share, epoch: 0, writer: authority, timeMs: 0 };
    let all = withoutRemoved(roster?.roster ?? emptyRoster(origin));
    for (const certificate of [options.certificate, ...waiting.values()]) {
      const outcome = admit(all, certificate, Date.now(), []);
      if (outcome.kind === 'changed') all = outcome.roster;
    }
    return all;
  }

  function withoutRemoved(from: Roster): Roster {
    let all = from;
    for (const { removal } of removals.values()) {
      const outcome = exclude(all, removal, Date.now(), writer());
      if (outcome.kind === 'changed') all = outcome.roster;
    }
    return all;
  }

  function writes(): boolean {
    return grant?.grant.writer === self.publicKey;
  }

  function writer(): PublicKey | undefined {
    return grant?.grant.writer ?? roster?.roster.writer;
  }

  /**
   * When its certificate expires: some time after it was made, or after a roster that names it was signed. For the writer
   * the grant speaks, and on the writer nobody's expires.
   */
  function expiryOf(certificate: SignedCertificate): number {
    const { member, issuedMs } = certificate.certificate;
    if (writes() || member === writer() || member === self.publicKey) return Number.POSITIVE_INFINITY;
    const named = roster !== null && isMember(roster.roster, member) ? roster.roster.timeMs : 0;
    return Math.max(issuedMs, named) + certificateLifeMs;
  }

  function hasExpired(certificate: SignedCertificate): boolean {
    return Date.now() > expiryOf(certificate) + clockSkewMs;
  }

  const nameOf = (key: PublicKey): string => memberOf(effective, key)?.certificate.certificate.name ?? key;

  /** Who writes is not known before a grant or a roster came: until then a certificate's word holds. */
  function currentRole(key: PublicKey): Role | undefined {
    const writing = writer();
    if (writing === undefined) return memberOf(effective, key)?.certificate.certificate.role;
    return roleOf(effective, key, writing);
  }

  async function storeRoster(next: SignedRoster): Promise<void> {
    roster = next;
    waiting = new Map(
      [...waiting].filter(([key]) => !isMember(next.roster, key) && !isRevoked(next.roster, key)),
    );
    effective = combine();
    // Whom the roster leaves no place for, the writer will not take in any more.
    waiting = new Map([...waiting].filter(([key]) => isMember(effective, key)));
    await store.writeDurably({
      state: new Map([
        writeRoster(next),
        writeAdmissions(waiting.values()),
        writeRemovals(removals.values()),
      ]),
    });
  }

  async function admitNewcomer(
    certificate: SignedCertificate,
    addresses: readonly string[],
    { introduced } = { introduced: false },
  ): Promise<Admitted> {
    const { member, name } = certificate.certificate;
    const known = isMember(effective, member);
    if (hasExpired(memberOf(effective, member)?.certificate ?? certificate)) {
      const reason = `the certificate of ${name} has expired here: let this agent, or that one, reach the writer, which renews it`;
      return { kind: 'refused', code: 'expired', reason };
    }
    try {
      const graceMs = introduced ? introductionGraceMs : 0;
      verifyCertificate(certificate, { authority, nowMs: known ? null : Date.now(), graceMs });
    } catch (error) {
      if (error instanceof P2psyncError) return { kind: 'refused', code: error.code, reason: error.message };
      throw error;
    }
    if (writes() && roster !== null) {
      const outcome = admit(roster.roster, certificate, Date.now(), addresses);
      if (outcome.kind === 'refused') return outcome;
      if (outcome.kind === 'changed') await storeRoster(signRoster(outcome.roster, self));
      return { kind: 'member', news: outcome.kind === 'changed' };
    }
    const outcome = admit(effective, certificate, Date.now(), addresses);
    if (outcome.kind === 'refused') return outcome;
    if (known) return { kind: 'member', news: false };
    waiting.set(member, certificate);
    effective = combine();
    await store.write({ state: new Map([writeAdmissions(waiting.values())]) });
    return { kind: 'member', news: true };
  }

  return {
    certificate: options.certificate,
    grant: () => grant,
    dispute() {
      if (grant === null || rival === null) return null;
      const [kept, other] = [grant, rival].map(({ grant: { writer: key } }) => nameOf(key));
      const message = `epoch ${grant.grant.epoch} was granted twice, to ${kept} and to ${other}: the authority key was used on two machines, or a home was copied. This agent follows ${kept} until a higher epoch is granted`;
      return { code: 'bad-grant', message };
    },
    roster: () => roster,
    isMember(key) {
      const member = memberOf(effective, key);
      return member !== undefined && !hasExpired(member.certificate);
    },
    isRevoked: (key) => isRevoked(effective, key),
    roleOf: currentRole,
    certificateOf: (key) => memberOf(effective, key)?.certificate,
    isOut: () => isRevoked(effective, self.publicKey),
    rows: () =>
      memberRows({
        effective,
        roster: roster?.roster ?? null,
        roleOf: currentRole,
        expiryOf: ({ certificate }) => expiryOf(certificate),
        removals,
      }),
    count: () => effective.members.length,
    waiting: () => [...waiting.values()],
    invitations: (issued) => invitationRows(effective, issued, Date.now()),
    admit: admitNewcomer,
    async takeGrant(body, signature) {
      const next = openGrant(body, signature, authority);
      if (grant !== null && next.grant.epoch <= grant.grant.epoch) {
        if (next.grant.epoch === grant.grant.epoch && !equalBytes(next.body, grant.body)) rival = next;
        return false;
      }
      grant = next;
      rival = null;
      effective = combine();
      await store.writeDurably({ state: new Map([writeGrant(next)]) });
      return true;
    },
    async takeRoster(body, signature) {
      const next = openRoster(body, signature);
      if (grant === null) return false;
      if (roster !== null && compareRosters(next.roster, roster.roster) <= 0) return false;
      // One of another epoch is not for this grant to judge.
      if (next.roster.epoch !== grant.grant.epoch) return false;
      checkRoster(next.roster, grant.grant);
      await storeRoster(next);
      return true;
    },
    removals: () => [...removals.values()],
    async takeRemoval(body, signature) {
      const next = openRemoval(body, signature, authority);
      const { member } = next.removal;
      const isNews = !removals.has(member);
      if (isNews && removals.size >= revocationsMax) forgetOldest(removals);
      if (isNews) removals.set(member, next);
      const outcome =
        writes() && roster !== null
          ? exclude(roster.roster, next.removal, Date.now(), self.publicKey)
          : ({ kind: 'unchanged' } as const);
      if (outcome.kind === 'changed') {
        await storeRoster(signRoster(outcome.roster, self));
        return true;
      }
      if (!isNews) return false;
      waiting.delete(member);
      effective = combine();
      await store.writeDurably({
        state: new Map([writeRemovals(removals.values()), writeAdmissions(waiting.values())]),
      });
      return true;
    },
    draftRemoval(key) {
      const certified = memberOf(effective, key)?.certificate.certificate;
      const outcome = revoke(effective, key, Date.now(), writer());
      if (outcome.kind === 'refused') throw new P2psyncError(outcome.code, outcome.reason, { member: key });
      const revocation =
        outcome.kind === 'changed' ? outcome.roster.revoked.find((one) => one.member === key) : undefined;
      if (certified === undefined || revocation === undefined) {
        throw new P2psyncError('not-a-member', `${key} was removed before`, { member: key });
      }
      return { ...revocation, share, name: certified.name, role: currentRole(key) ?? certified.role };
    },
    async renew() {
      if (!writes() || roster === null) return false;
      const nowMs = Date.now();
      const { version, timeMs } = roster.roster;
      // Removals may be older than this agent's right to write.
      const next = withoutRemoved(roster.roster);
      if (next === roster.roster && timeMs + certificateLifeMs - nowMs > certificateRenewMs) return false;
      await storeRoster(signRoster({ ...next, version: version + 1, timeMs: nowMs }, self));
      return true;
    },
  };
}

/** The roster has it, or nobody has been asking for it for longest. */
function forgetOldest(removals: Map<PublicKey, SignedRemoval>): void {
  for (const oldest of removals.keys()) {
    removals.delete(oldest);
    return;
  }
}
