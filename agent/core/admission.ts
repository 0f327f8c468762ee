/** How a roster changes: who is taken in, who is put out, and why one is refused. Pure; the writer signs the outcome. */
import { assert } from '../base/assert.ts';
import type { ErrorCode } from '../base/errors.ts';
import {
  addressesMax,
  clockSkewMs,
  introductionGraceMs,
  invitationLifeMaxMs,
  membersMax,
  revocationsMax,
  rosterAddressesBytesMax,
} from '../base/limits.ts';
import { certificateId, type SignedCertificate } from './certificate.ts';
import type { PublicKey } from './keys.ts';
import {
  isRevoked,
  keyOfMember,
  keyOfRevocation,
  type Member,
  memberOf,
  type Revocation,
  type Roster,
} from './roster.ts';

export type Refusal = { readonly kind: 'refused'; readonly code: ErrorCode; readonly reason: string };

/** `changed`: the next roster, its version and time raised, to be signed. `unchanged`: it says so already. */
export type RosterOutcome =
  | { readonly kind: 'changed'; readonly roster: Roster }
  | { readonly kind: 'unchanged' }
  | Refusal;

/**
 * Takes a member in, or notes what is new of one: a later certificate, other addresses (an empty list is no news).
 * @param certificate passed `verifyCertificate` with the present time, or with null for one whom the roster names.
 * @param addresses the first eight, up to 384 bytes, are kept.
 */
export function admit(
  roster: Roster,
  certificate: SignedCertificate,
  nowMs: number,
  addresses: readonly string[],
): RosterOutcome {
  assert(certificate.certificate.share === roster.share, "a certificate is of the roster's share");
  const { member } = certificate.certificate;
  const known = memberOf(roster, member);
  const next = merge(known, certificate, nowMs, addresses);
  if (known !== undefined && sameMember(known, next)) return { kind: 'unchanged' };
  const refusal = refusalOf(roster, next.certificate, known === undefined);
  if (refusal !== undefined) return refusal;
  return changed(roster, nowMs, { members: insert(roster.members, next, keyOfMember) });
}

/**
 * Puts a member out for good: this key never comes back.
 * @param writer who may write at present; that one stays.
 */
export function revoke(
  roster: Roster,
  member: PublicKey,
  nowMs: number,
  writer: PublicKey = roster.writer,
): RosterOutcome {
  const known = memberOf(roster, member);
  if (known === undefined && !isRevoked(roster, member)) {
    return refused('not-a-member', `${member} is no member of this share`);
  }
  const invite = known?.certificate.invitation?.terms.invite ?? null;
  return exclude(roster, { member, timeMs: nowMs, invite }, nowMs, writer);
}

/** Enters a revocation, also of one whom the roster does not name: a certificate of that one may be shown yet. */
export function exclude(
  roster: Roster,
  revocation: Revocation,
  nowMs: number,
  writer: PublicKey = roster.writer,
): RosterOutcome {
  const { member, timeMs, invite } = revocation;
  if (isRevoked(roster, member)) return { kind: 'unchanged' };
  const known = memberOf(roster, member);
  if (member === writer) {
    const name = known?.certificate.certificate.name ?? member;
    return refused('conflict', `${name} is the writer: promote another agent first, then remove it`);
  }
  const kept = guarding(roster.revoked, nowMs);
  if (kept.length >= revocationsMax) {
    return refused(
      'limit-exceeded',
      `${revocationsMax} members were removed within a year: start a new share`,
    );
  }
  return changed(roster, nowMs, {
    members: roster.members.filter((other) => other !== known),
    revoked: insert(kept, { member, timeMs, invite }, keyOfRevocation),
  });
}

function merge(
  known: Member | undefined,
  certificate: SignedCertificate,
  nowMs: number,
  addresses: readonly string[],
): Member {
  const fitting = fit(addresses);
  if (known === undefined) return { certificate, admittedMs: nowMs, addresses: fitting };
  // An old certificate may be shown again by anyone who saw it; the latest one holds.
  const later = certificate.certificate.issuedMs > known.certificate.certificate.issuedMs;
  return {
    certificate: later ? certificate : known.certificate,
    admittedMs: known.admittedMs,
    addresses: fitting.length === 0 ? known.addresses : fitting,
  };
}

function refusalOf(roster: Roster, certificate: SignedCertificate, isNew: boolean): Refusal | undefined {
  const { member, name } = certificate.certificate;
  if (isRevoked(roster, member)) {
    return refused(
      'revoked',
      `${name} was removed from this share: it can come back only with a new identity (another --home)`,
    );
  }
  if (isNew && roster.members.length >= membersMax) {
    return refused('limit-exceeded', `this share has ${membersMax} members already: remove one first`);
  }
  const terms = certificate.invitation?.terms;
  if (terms !== undefined && usesOf(roster, terms.invite, member) >= terms.uses) {
    const times = terms.uses === 1 ? 'once' : `${terms.uses} times`;
    return refused(
      'bad-invitation',
      `this invitation was good ${times} and is used up: ask for a new one: p2psync invite`,
    );
  }
  return undefined;
}

/** How often others used an invitation; one who was removed has used it too. */
function usesOf(roster: Roster, invite: PublicKey, member: PublicKey): number {
  let uses = 0;
  for (const other of roster.members) {
    if (other.certificate.invitation?.terms.invite === invite && keyOfMember(other) !== member) uses += 1;
  }
  for (const revocation of roster.revoked) if (revocation.invite === invite) uses += 1;
  return uses;
}

/** Those whose invitation may still live: the others cannot be shown as new any more, removed or not. */
function guarding(revoked: readonly Revocation[], nowMs: number): readonly Revocation[] {
  if (revoked.length < revocationsMax) return revoked;
  const guardedMs = invitationLifeMaxMs + introductionGraceMs + 2 * clockSkewMs;
  return revoked.filter((revocation) => nowMs - revocation.timeMs <= guardedMs);
}

function fit(addresses: readonly string[]): readonly string[] {
  const kept: string[] = [];
  let bytes = 0;
  for (const address of new Set(addresses)) {
    bytes += Buffer.byteLength(address);
    if (kept.length === addressesMax || bytes > rosterAddressesBytesMax) break;
    kept.push(address);
  }
  return kept;
}

function sameMember(left: Member, right: Member): boolean {
  return (
    certificateId(left.certificate) === certificateId(right.certificate) &&
    left.addresses.length === right.addresses.length &&
    left.addresses.every((address, index) => address === right.addresses[index])
  );
}

function changed(
  roster: Roster,
  nowMs: number,
  part: Partial<Pick<Roster, 'members' | 'revoked'>>,
): RosterOutcome {
  return { kind: 'changed', roster: { ...roster, ...part, version: roster.version + 1, timeMs: nowMs } };
}

function refused(code: ErrorCode, reason: string): Refusal {
  return { kind: 'refused', code, reason };
}

/** A copy in which `item` takes its place by key, or that of its like. */
function insert<Item>(items: readonly Item[], item: Item, keyOf: (item: Item) => PublicKey): readonly Item[] {
  const key = keyOf(item);
  const others = items.filter((other) => keyOf(other) !== key);
  const at = others.findIndex((other) => keyOf(other) > key);
  return at < 0 ? [...others, item] : [...others.slice(0, at), item, ...others.slice(at)];
}
