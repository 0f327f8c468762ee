/**
 * Who belongs to a share, as far as this agent knows: grant, roster, and newcomers that no roster names yet.
 * Owns these documents and their storing; never talks to anyone. Everything it takes is signed, so it may
 * come from whoever is connected.
 */
import { type Bytes, equalBytes } from '../base/bytes.ts';
import { type ErrorCode, P2psyncError } from '../base/errors.ts';
import { documentBytesMax, introductionGraceMs, membersMax } from '../base/limits.ts';
import { admit, type Refusal } from '../core/admission.ts';
import {
  decodeCertificate,
  encodeCertificate,
  type SignedCertificate,
  verifyCertificate,
} from '../core/certificate.ts';
import { createReader, createWriter } from '../core/codec.ts';
import { openGrant, type SignedGrant } from '../core/grant.ts';
import {
  type KeyPair,
  type PeerId,
  type PublicKey,
  peerIdOf,
  type Role,
  type ShareId,
} from '../core/keys.ts';
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
import { packSigned, readGrant, stateKeys, unpackSigned, writeGrant } from './state.ts';

export type Admitted = { readonly kind: 'member'; readonly news: boolean } | Refusal;

export type MemberRow = {
  readonly key: PublicKey;
  readonly peer: PeerId;
  readonly name: string;
  readonly role: Role;
  /** null where no roster names it yet. */
  readonly admittedMs: number | null;
  readonly addresses: readonly string[];
  readonly revoked: boolean;
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

export type Membership = {
  readonly certificate: SignedCertificate;
  grant(): SignedGrant | null;
  /** That another grant of this epoch was heard of, too; the first one holds until there is a higher epoch. */
  dispute(): { readonly code: ErrorCode; readonly message: string } | null;
  roster(): SignedRoster | null;
  isMember(key: PublicKey): boolean;
  isRevoked(key: PublicKey): boolean;
  roleOf(key: PublicKey): Role | undefined;
  certificateOf(key: PublicKey): SignedCertificate | undefined;
  /** Members and revoked ones, this agent too. */
  rows(): readonly MemberRow[];
  /** How many there are, this agent too. */
  count(): number;
  /** Newcomers that no roster names yet: the writer has to hear of them. */
  waiting(): readonly SignedCertificate[];
  /** Invitations by which somebody came; others are known only to who wrote them. */
  invitations(): readonly InvitationRow[];
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
  let effective = combine();

  /** The roster with those who wait for it: what uses and names are judged by. */
  function combine(): Roster {
    // Nobody is known to write: the authority is no member.
    const origin = { share, epoch: 0, writer: authority, timeMs: 0 };
    let all = roster?.roster ?? emptyRoster(origin);
    for (const certificate of [options.certificate, ...waiting.values()]) {
      const outcome = admit(all, certificate, Date.now(), []);
      if (outcome.kind === 'changed') all = outcome.roster;
    }
    return all;
  }

  const writes = (): boolean => grant?.grant.writer === self.publicKey;
  const writer = (): PublicKey | undefined => grant?.grant.writer ?? roster?.roster.writer;

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
      state: new Map([[stateKeys.roster, packSigned(next)], writeAdmissions(waiting.values())]),
    });
  }

  async function admitNewcomer(
    certificate: SignedCertificate,
    addresses: readonly string[],
    { introduced } = { introduced: false },
  ): Promise<Admitted> {
    const { member } = certificate.certificate;
    const known = isMember(effective, member);
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
    isMember: (key) => isMember(effective, key),
    isRevoked: (key) => isRevoked(effective, key),
    roleOf: currentRole,
    certificateOf: (key) => memberOf(effective, key)?.certificate,
    rows() {
      const named = roster?.roster;
      const rows = effective.members.map((member): MemberRow => {
        const { member: key, name, role } = member.certificate.certificate;
        const inRoster = named === undefined ? undefined : memberOf(named, key);
        const current = currentRole(key) ?? role;
        return {
          key,
          peer: peerIdOf(key),
          name,
          role: current,
          admittedMs: inRoster?.admittedMs ?? null,
          addresses: member.addresses,
          revoked: false,
        };
      });
      return rows;
    },
    count: () => effective.members.length,
    waiting: () => [...waiting.values()],
    invitations() {
      const found = new Map<string, InvitationRow>();
      for (const { certificate } of effective.members) {
        const terms = certificate.invitation?.terms;
        if (terms === undefined) continue;
        const { invite, role, expiresMs, uses } = terms;
        const used = (found.get(invite)?.used ?? 0) + 1;
        found.set(invite, { id: invite, role, expires: new Date(expiresMs).toISOString(), uses, used });
      }
      return [...found.values()];
    },
    admit: admitNewcomer,
    async takeGrant(body, signature) {
      const next = openGrant(body, signature, authority);
      if (grant !== null && next.grant.epoch <= grant.grant.epoch) {
        if (next.grant.epoch === grant.grant.epoch && !equalBytes(next.body, grant.body)) rival = next;
        return false;
      }
      grant = next;
      rival = null;
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
  };
}

function readRoster(store: ShareStore): SignedRoster | null {
  const packed = unpackSigned(store.state(stateKeys.roster));
  return packed === null ? null : openRoster(packed.body, packed.signature);
}

function readAdmissions(store: ShareStore): SignedCertificate[] {
  const stored = store.state(stateKeys.admissions);
  if (stored === undefined) return [];
  const reader = createReader(stored, 'the stored admissions');
  const count = reader.varint();
  const found: SignedCertificate[] = [];
  while (found.length < Math.min(count, membersMax))
    found.push(decodeCertificate(reader.bytes(documentBytesMax)));
  return found;
}

function writeAdmissions(certificates: Iterable<SignedCertificate>): readonly [string, Bytes] {
  const all = [...certificates];
  const writer = createWriter();
  writer.varint(all.length);
  for (const certificate of all) writer.bytes(encodeCertificate(certificate));
  return [stateKeys.admissions, writer.finish()];
}
