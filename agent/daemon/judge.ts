/**
 * Who of the connected peers belongs to which share: certificates are judged, documents taken and passed on,
 * newcomers introduced. Knows the sessions; owns none of the shares' documents.
 */
import type { ErrorCode } from '../base/errors.ts';
import type { SignedCertificate } from '../core/certificate.ts';
import type { SignedBytes } from '../core/document.ts';
import { type PeerId, peerIdOf, publicKeyOfPeer, type ShareId } from '../core/keys.ts';
import type { SignedStatement } from '../core/statement.ts';
import type { Connected, Host } from '../net/host.ts';
import type { Message } from '../swarm/messages.ts';
import type { ControlFrame, Hello, RefusalCode, ShareHello } from '../wire/frames.ts';
import { documentsFor, removalFor, unlistedRemovals } from './documents.ts';
import type { Log } from './log.ts';
import type { Membership } from './membership.ts';

/** What a share hears of its conversations. */
export type ShareSide = {
  readonly id: ShareId;
  readonly membership: Membership;
  /** It is a member of this share, and its control stream is open. */
  joined(peer: PeerId): void;
  left(peer: PeerId): void;
  message(peer: PeerId, message: Message): void;
  statement(statement: SignedStatement): void;
  /** Grant, roster or members changed. */
  documentsChanged(): void;
  /** That peer does not take us as a member. */
  refused(peer: PeerId, code: RefusalCode, text: string): void;
  /** That peer takes us as a member. */
  welcomed(peer: PeerId): void;
};

export type Session = {
  readonly connected: Connected;
  hello: Hello | null;
  readonly joined: Set<ShareId>;
  /** Frames are handled one after the other: what follows a hello waits until it is judged. */
  order: Promise<void>;
  heardMs: number;
  /** When something of a share was said last; a sign of life alone is no use of the connection. */
  usedMs: number;
  rttMs: number | null;
  /** Of the last ping that was answered. */
  rttAtMs: number;
  ping: { readonly id: number; readonly atMs: number } | null;
};

export type JudgePorts = {
  readonly host: () => Host;
  readonly shares: () => Iterable<ShareSide>;
  readonly sessions: ReadonlyMap<PeerId, Session>;
  readonly log: Log;
  readonly send: (peer: PeerId, frame: ControlFrame) => void;
  /** To every connected member of the share, `except` one. */
  readonly broadcast: (share: ShareId, frame: ControlFrame, except?: PeerId) => void;
  readonly hangUp: (peer: PeerId, reason: string) => void;
  /** Told of each peer that is not taken as a member. */
  readonly onRefused?: (refusal: {
    readonly peer: PeerId;
    readonly share: ShareId;
    readonly name: string | null;
    readonly code: ErrorCode;
    readonly reason: string;
  }) => void;
  /** Addresses of a member, as it said them itself. */
  readonly onAddresses: (peer: PeerId, addresses: readonly string[]) => void;
};

type DocumentKind = 'grant' | 'roster' | 'removal';

export type Judge = {
  /** `last`: no documents are to come that could make an unknown certificate known. */
  judge(peer: PeerId, session: Session, options: { readonly last: boolean }): Promise<void>;
  takeDocument(
    peer: PeerId,
    session: Session,
    frame: Extract<ControlFrame, { kind: DocumentKind }>,
  ): Promise<void>;
  /** A removal that was signed here: takes it, and tells everyone. @returns whether it was news. */
  remove(share: ShareId, removal: SignedBytes): Promise<boolean>;
  /** Renews certificates where this agent writes, and closes the connections of those whose have expired. */
  keepCurrent(): Promise<void>;
  introduced(
    peer: PeerId,
    session: Session,
    frame: Extract<ControlFrame, { kind: 'introduce' }>,
  ): Promise<void>;
  /** Closes the connections of those who were put out, or were never taken in. */
  expelRevoked(): void;
};

export function createJudge(ports: JudgePorts): Judge {
  const { log, sessions, send, broadcast, hangUp } = ports;
  const shareOf = (id: ShareId): ShareSide | undefined =>
    [...ports.shares()].find((share) => share.id === id);

  /**
   * Goes through the shares that both have. One whose certificate cannot be judged yet (no roster here) gets
   * another look when documents come.
   */
  async function judge(peer: PeerId, session: Session, { last }: { readonly last: boolean }): Promise<void> {
    const { hello } = session;
    if (hello === null) return;
    let common = 0;
    let removed = 0;
    for (const side of ports.shares()) {
      const theirs = hello.shares.find((one) => one.share === side.id);
      if (theirs === undefined) continue;
      common += 1;
      // Where this agent was put out it takes nobody in; the others tell it so.
      if (!session.joined.has(side.id) && !side.membership.isOut())
        await judgeShare(peer, session, side, theirs, hello, last);
      if (side.membership.isRevoked(publicKeyOfPeer(peer))) removed += 1;
    }
    // Also its admission, which outlives connections.
    if (common > 0 && common === removed) return ports.host().expel(peer);
    if (common === 0) {
      for (const { share } of hello.shares) {
        send(peer, {
          kind: 'refused',
          share,
          code: 'not-found',
          text: 'this agent does not take part in the share',
        });
      }
      hangUp(peer, 'no share in common');
    }
  }

  async function judgeShare(
    peer: PeerId,
    session: Session,
    side: ShareSide,
    theirs: ShareHello,
    hello: Hello,
    last: boolean,
  ): Promise<void> {
    const { membership } = side;
    if (theirs.certificate.certificate.member !== publicKeyOfPeer(peer)) {
      return refuse(peer, side, { code: 'not-a-member', reason: 'the certificate is of another agent' });
    }
    const outcome = await membership.admit(theirs.certificate, hello.addresses);
    if (sessions.get(peer) !== session) return;
    if (outcome.kind === 'refused') {
      const known = membership.roster()?.roster.version;
      const isBehind = known === undefined || known < theirs.rosterVersion;
      const early = isBehind && outcome.code === 'expired' && !last;
      if (!early) refuse(peer, side, outcome);
      return;
    }
    session.joined.add(side.id);
    ports.host().admit(peer);
    ports.onAddresses(peer, hello.addresses);
    log.info({ peer, name: hello.name, share: side.id }, 'member connected');
    sendDocuments(peer, side, theirs);
    if (outcome.news) announce(side, theirs.certificate, hello.addresses, peer);
    side.joined(peer);
  }

  function refuse(
    peer: PeerId,
    side: ShareSide,
    refusal: { readonly code: ErrorCode; readonly reason: string },
  ): void {
    const { code: why, reason } = refusal;
    const name = sessions.get(peer)?.hello?.name ?? null;
    ports.onRefused?.({ peer, share: side.id, name, code: why, reason });
    log.warn({ peer, share: side.id, ...refusal }, 'refused');
    const code: RefusalCode = isRefusalCode(refusal.code) ? refusal.code : 'not-a-member';
    tellRemoval(peer, side);
    send(peer, { kind: 'refused', share: side.id, code, text: refusal.reason });
  }

  function tellRemoval(peer: PeerId, side: ShareSide): void {
    const frame = removalFor(side, publicKeyOfPeer(peer));
    if (frame !== null) send(peer, frame);
  }

  function sendDocuments(peer: PeerId, side: ShareSide, theirs: ShareHello): void {
    for (const frame of documentsFor(side, theirs)) send(peer, frame);
    for (const certificate of side.membership.waiting()) {
      const newcomer = peerIdOf(certificate.certificate.member);
      if (newcomer === peer) continue;
      const addresses = sessions.get(newcomer)?.hello?.addresses ?? [];
      send(peer, { kind: 'introduce', share: side.id, certificate, addresses });
    }
  }

  /** A newcomer: the writer has a new roster for everyone, others pass its certificate on. */
  function announce(
    side: ShareSide,
    certificate: SignedCertificate,
    addresses: readonly string[],
    from: PeerId,
  ): void {
    const { member } = certificate.certificate;
    const roster = side.membership.roster();
    const inRoster =
      roster?.roster.members.some((one) => one.certificate.certificate.member === member) === true;
    if (inRoster && roster !== null) broadcast(side.id, { kind: 'roster', share: side.id, document: roster });
    else broadcast(side.id, { kind: 'introduce', share: side.id, certificate, addresses }, from);
    side.documentsChanged();
  }

  async function takeDocument(
    peer: PeerId,
    session: Session,
    share: ShareId,
    kind: DocumentKind,
    document: SignedBytes,
  ): Promise<void> {
    const side = shareOf(share);
    if (side === undefined) return;
    const { membership } = side;
    const known = membership.dispute()?.message;
    const news = await take(side, kind, document, peer);
    const dispute = membership.dispute()?.message;
    if (dispute !== undefined && dispute !== known) {
      log.warn({ peer, share }, dispute);
      side.documentsChanged();
    }
    if (!news) return judge(peer, session, { last: kind === 'roster' });
    for (const [other, theirs] of sessions)
      await judge(other, theirs, { last: kind === 'roster' && other === peer });
  }

  /** What is news is passed on, to one who is put out by it as well, before it acts. @returns whether it was. */
  async function take(
    side: ShareSide,
    kind: DocumentKind,
    document: SignedBytes,
    from?: PeerId,
  ): Promise<boolean> {
    const { id: share, membership } = side;
    const { body, signature } = document;
    const rosterBefore = membership.roster();
    const news =
      kind === 'grant'
        ? await membership.takeGrant(body, signature)
        : kind === 'roster'
          ? await membership.takeRoster(body, signature)
          : await membership.takeRemoval(body, signature);
    if (!news) return false;
    broadcast(share, { kind, share, document }, from);
    const roster = membership.roster();
    // The writer has entered a removal.
    if (kind === 'removal' && roster !== null && roster !== rosterBefore)
      broadcast(share, { kind: 'roster', share, document: roster });
    if (kind === 'roster')
      for (const removal of unlistedRemovals(membership))
        broadcast(share, { kind: 'removal', share, document: removal });
    side.documentsChanged();
    expelRevoked();
    return true;
  }

  async function introduced(
    peer: PeerId,
    session: Session,
    share: ShareId,
    certificate: SignedCertificate,
    addresses: readonly string[],
  ): Promise<void> {
    const side = shareOf(share);
    if (side === undefined || !session.joined.has(share)) return;
    const outcome = await side.membership.admit(certificate, addresses, { introduced: true });
    if (outcome.kind === 'refused') {
      log.info(
        { peer, member: certificate.certificate.name, reason: outcome.reason },
        'an introduced newcomer is refused',
      );
    } else if (outcome.news) {
      announce(side, certificate, addresses, peer);
      // It may be here already, refused until now.
      const newcomer = peerIdOf(certificate.certificate.member);
      const waiting = sessions.get(newcomer);
      if (waiting !== undefined) await judge(newcomer, waiting, { last: true });
    }
  }

  function expelRevoked(): void {
    for (const [peer, session] of sessions) {
      const key = publicKeyOfPeer(peer);
      let isOut = false;
      let hasLeft = false;
      for (const side of ports.shares()) {
        const { membership } = side;
        if (membership.isMember(key) && !membership.isRevoked(key) && !membership.isOut()) continue;
        isOut ||= membership.isRevoked(key);
        if (!session.joined.delete(side.id)) continue;
        isOut = true;
        hasLeft = true;
        tellRemoval(peer, side);
        side.left(peer);
      }
      if (isOut && session.hello !== null && session.joined.size === 0) ports.host().expel(peer);
      // What is on its way of that share ends with the connection; for the others it comes back.
      else if (hasLeft) hangUp(peer, 'it is no member of one of the shares any more');
    }
  }

  return {
    judge,
    takeDocument: (peer, session, { share, kind, document }) =>
      takeDocument(peer, session, share, kind, document),
    introduced: (peer, session, { share, certificate, addresses }) =>
      introduced(peer, session, share, certificate, addresses),
    async remove(share, removal) {
      const side = shareOf(share);
      return side !== undefined && (await take(side, 'removal', removal));
    },
    async keepCurrent() {
      for (const side of ports.shares()) {
        if (!(await side.membership.renew())) continue;
        const document = side.membership.roster();
        if (document !== null) broadcast(side.id, { kind: 'roster', share: side.id, document });
        side.documentsChanged();
      }
      expelRevoked();
    },
    expelRevoked,
  };
}

const refusalCodes: Readonly<Record<RefusalCode, true>> = {
  'not-a-member': true,
  revoked: true,
  expired: true,
  'bad-invitation': true,
  'bad-signature': true,
  conflict: true,
  'limit-exceeded': true,
  'protocol-mismatch': true,
  'not-found': true,
};

function isRefusalCode(code: ErrorCode): code is RefusalCode {
  return code in refusalCodes;
}
