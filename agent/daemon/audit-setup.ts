/** What `init`, `join`, `invite` and `authority` leave in the audit log, whether an agent runs or not. */
import { P2psyncError } from '../base/errors.ts';
import { readInvitation } from '../core/invitation.ts';
import { keyPairFromSeed } from '../core/keys.ts';
import type { InviteResult, SetupResult } from '../http/api.ts';
import type { AuthorityNote } from '../http/api-members.ts';
import { loadIdentity } from '../store/identity.ts';
import type { AuditEvent } from './audit-event.ts';
import { openAudit } from './audit-log.ts';

export function setupEvent(
  event: 'share-created' | 'share-joined',
  { share, id, path, role }: SetupResult,
): AuditEvent {
  return { event, share, id, path, role };
}

export function invitedEvent({ invitation, share, role, uses, expires }: InviteResult): AuditEvent {
  const { invite } = readInvitation(invitation, Date.now()).signed.terms;
  return { event: 'invited', share, role, uses, expires, invitation: invite };
}

export function authorityEvent({ did, share, fingerprint }: AuthorityNote): AuditEvent {
  return { event: `authority-${did}`, share, fingerprint };
}

/**
 * For a command, while no agent runs; durable when it resolves.
 * @throws {P2psyncError} locked, where an agent has started meanwhile; config, where the home has no identity.
 */
export async function recordAlone(home: string, event: AuditEvent): Promise<void> {
  const identity = loadIdentity(home);
  if (identity === undefined) throw new P2psyncError('config', `there is no identity in ${home}`);
  const audit = await openAudit({ home, keyPair: keyPairFromSeed(identity.seed) });
  try {
    await audit.record(event);
  } finally {
    await audit.close();
  }
}
