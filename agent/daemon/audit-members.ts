/**
 * Notes in the audit log who joined a share, was removed from it or writes it now: before anybody else is told, since a
 * membership's calls resolve only when that is durable. Decides nothing.
 */
import { type PublicKey, peerIdOf } from '../core/keys.ts';
import type { AuditEvent } from './audit-event.ts';
import type { Membership } from './membership.ts';

export type AuditedMembership = {
  readonly membership: Membership;
  /** Notes what has changed since the last look, by whatever way. */
  look(): Promise<void>;
};

export function auditMembership(
  membership: Membership,
  ports: { readonly share: string; readonly record: (event: AuditEvent) => Promise<void> },
): AuditedMembership {
  const { share, record } = ports;
  const membersNow = () => membership.rows().filter(({ revoked }) => !revoked);
  const namesNow = (): Map<PublicKey, string> => new Map(membersNow().map(({ key, name }) => [key, name]));

  // Changes while running.
  let known = namesNow();
  let epoch = membership.grant()?.grant.epoch ?? null;

  async function look(): Promise<void> {
    const before = known;
    const events: AuditEvent[] = [];
    known = namesNow();
    for (const { key, peer, name, role } of membersNow()) {
      if (before.has(key)) continue;
      const invitation = membership.certificateOf(key)?.invitation?.terms.invite ?? null;
      events.push({ event: 'joined', share, peer, name, role, invitation });
    }
    for (const [key, name] of before) {
      if (!known.has(key)) events.push({ event: 'removed', share, peer: peerIdOf(key), name });
    }
    const grant = membership.grant()?.grant;
    // The first one that is heard of promotes nobody.
    if (grant !== undefined && epoch !== null && grant.epoch > epoch) {
      const name = known.get(grant.writer) ?? '';
      events.push({ event: 'promoted', share, epoch: grant.epoch, peer: peerIdOf(grant.writer), name });
    }
    epoch = grant?.epoch ?? null;
    await Promise.all(events.map(record));
  }

  /** What the call resolves to, once its news are written down. */
  async function noted<Answer>(answer: Promise<Answer>, isNews: (value: Answer) => boolean): Promise<Answer> {
    const value = await answer;
    if (isNews(value)) await look();
    return value;
  }

  return {
    look,
    membership: {
      ...membership,
      admit: (certificate, addresses, options) =>
        noted(membership.admit(certificate, addresses, options), ({ kind }) => kind === 'member'),
      takeGrant: (body, signature) => noted(membership.takeGrant(body, signature), Boolean),
      takeRoster: (body, signature) => noted(membership.takeRoster(body, signature), Boolean),
      takeRemoval: (body, signature) => noted(membership.takeRemoval(body, signature), Boolean),
    },
  };
}
