/** A share's two gossip topics: what is relayed, what is handed on. Checks signatures and grants before anything spreads. */
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { fullMeshMembersMax, membersMax, statementRelayMs } from '../base/limits.ts';
import { checkHead } from '../core/grant.ts';
import { type PeerId, type PublicKey, peerIdOf, type ShareId } from '../core/keys.ts';
import type { SignedStatement } from '../core/statement.ts';
import type { TopicHandlers } from '../net/host.ts';
import type { HeadMessage } from '../swarm/messages.ts';
import { decodeHeadMessage, decodeStatementMessage } from '../wire/gossip.ts';
import type { Membership } from './membership.ts';

/** `admits`: the peer's certificate for this share was taken on its connection, and still holds. */
export type TopicOptions = {
  readonly share: ShareId;
  readonly membership: Membership;
  readonly admits: (peer: PeerId) => boolean;
  /** A clock that never goes back, ms. */
  readonly nowMs?: () => number;
};

export function headsHandlers(
  { share, membership, admits }: TopicOptions,
  deliver: (peer: PeerId, message: HeadMessage) => void,
): TopicHandlers {
  const read = remembering((bytes) => parse(() => decodeHeadMessage(bytes)));
  return {
    admits,
    validate(bytes, from) {
      const message = read(bytes);
      if (message === undefined || message.head.head.share !== share) return 'reject';
      if (!isGranted(message, membership)) return 'ignore';
      // In a small mesh the writer tells everyone itself, and neighbours push to whoever does not show it soon.
      const isFirstHand = peerIdOf(message.head.head.writer) === from;
      return isFirstHand && membership.count() <= fullMeshMembersMax ? 'take' : 'accept';
    },
    deliver(bytes, from) {
      const message = read(bytes);
      if (message !== undefined) deliver(from, message);
    },
  };
}

export function peersHandlers(
  { share, membership, admits, nowMs = () => performance.now() }: TopicOptions,
  deliver: (statement: SignedStatement) => void,
): TopicHandlers {
  const read = remembering((bytes) => parse(() => decodeStatementMessage(bytes)));
  /** When a statement of a member that it sent itself was passed on last. */
  const relayedMs = new Map<PublicKey, number>();

  function isForUsOnly(member: PublicKey, from: PeerId): boolean {
    if (peerIdOf(member) !== from || membership.count() > fullMeshMembersMax) return false;
    const now = nowMs();
    if (now < (relayedMs.get(member) ?? Number.NEGATIVE_INFINITY) + statementRelayMs) return true;
    // Members come and go.
    if (relayedMs.size >= membersMax) relayedMs.clear();
    relayedMs.set(member, now);
    return false;
  }

  return {
    admits,
    validate(bytes, from) {
      const signed = read(bytes);
      if (signed === undefined || signed.statement.share !== share) return 'reject';
      const { member } = signed.statement;
      if (!membership.isMember(member)) return 'ignore';
      // In a small mesh it tells everyone itself; who has lost it for a while hears of it from others now and then.
      return isForUsOnly(member, from) ? 'take' : 'accept';
    },
    deliver(bytes) {
      const signed = read(bytes);
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

/** What is delivered was validated a moment ago: its signature is checked once. */
function remembering<Value>(work: (bytes: Bytes) => Value): (bytes: Bytes) => Value {
  let last: { readonly bytes: Bytes; readonly value: Value } | undefined;
  return (bytes) => {
    if (last?.bytes !== bytes) last = { bytes, value: work(bytes) };
    return last.value;
  };
}

function parse<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof P2psyncError) return undefined;
    throw error;
  }
}
