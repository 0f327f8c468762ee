/** What `status` says where this agent is no member any more, or knows no more who is. Decides nothing. */
import { certificateLifeMs, clockSkewMs } from '../base/limits.ts';
import { peerIdOf } from '../core/keys.ts';
import type { Fault, Faults } from './faults.ts';
import type { Membership } from './membership.ts';

const dayMs = 24 * 3600 * 1000;

/** To be called when documents came, and every now and then: certificates expire by themselves. */
export function tellStanding(share: string, membership: Membership, faults: Faults): void {
  const isOut = membership.isOut();
  faults.setShare('removed', isOut ? removedFault(share, membership) : null);
  faults.setShare('expired', isOut ? null : expiredFault(membership));
  faults.setShare('grants', membership.dispute());
  if (isOut) faults.setShare('refused', null);
}

function removedFault(share: string, { certificate, rows }: Membership): Fault {
  const { member } = certificate.certificate;
  const self = rows().find(({ key }) => key === member);
  const since = self?.removedMs === undefined ? '' : ` on ${new Date(self.removedMs).toISOString()}`;
  return {
    code: 'revoked',
    message: `this agent (${peerIdOf(member)}) was removed from share ${share}${since}. Its files stay as they are, and nothing of the share comes or goes any more. To come back, stop it, ask for an invitation, and join as another agent: p2psync join INVITATION DIR --force --home ANOTHER`,
  };
}

function expiredFault(membership: Membership): Fault | null {
  const roster = membership.roster()?.roster;
  const writer = membership.grant()?.grant.writer;
  if (roster === undefined || writer === membership.certificate.certificate.member) return null;
  const ageMs = Date.now() - roster.timeMs;
  if (ageMs <= certificateLifeMs + clockSkewMs) return null;
  return {
    code: 'expired',
    message: `the members' certificates have expired: this agent's list of them is ${Math.floor(ageMs / dayMs)} days old. The writer renews them as soon as it is reached: start it, or promote another agent; and look at this machine's clock`,
  };
}
