/** A share's two gossip topics: what is relayed, what is handed on. Checks signatures and grants before anything spreads. */
import { P2psyncError } from '../base/errors.ts';
import { checkHead } from '../core/grant.ts';
import type { PeerId, ShareId } from '../core/keys.ts';
import type { SignedStatement } from '../core/statement.ts';
import type { TopicHandlers } from '../net/host.ts';
import type { HeadMessage } from '../swarm/messages.ts';
import { decodeHeadMessage, decodeStatementMessage } from '../wire/gossip.ts';
import type { Membership } from './membership.ts';

export function headsHandlers(
  share: ShareId,
  membership: Membership,
  deliver: (peer: PeerId, message: HeadMessage) => void,
): TopicHandlers {
  return {
    validate(bytes) {
      const message = parse(() => decodeHeadMessage(bytes));
      if (message === undefined || message.head.head.share !== share) return 'reject';
      return isGranted(message, membership) ? 'accept' : 'ignore';
    },
    deliver(bytes, from) {
      const message = parse(() => decodeHeadMessage(bytes));
      if (message !== undefined) deliver(from, message);
    },
  };
}

export function peersHandlers(
  share: ShareId,
  membership: Membership,
  deliver: (statement: SignedStatement) => void,
): TopicHandlers {
  return {
    validate(bytes) {
      const signed = parse(() => decodeStatementMessage(bytes));
      if (signed === undefined || signed.statement.share !== share) return 'reject';
      return membership.isMember(signed.statement.member) ? 'accept' : 'ignore';
    },
    deliver(bytes) {
      const signed = parse(() => decodeStatementMessage(bytes));
      if (signed !== undefined) deliver(signed);
    },
  };
}

/** Its signature was checked when it was parsed; this says whether its writer may write. */
export function isGranted(message: HeadMessage, membership: Membership): boolean {
  const grant = membership.grant();
  if (grant === null) return false;
  try {
    checkHead(message.head.head, grant.grant);
    return true;
  } catch (error) {
    if (error instanceof P2psyncError) return false;
    throw error;
  }
}

function parse<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof P2psyncError) return undefined;
    throw error;
  }
}
