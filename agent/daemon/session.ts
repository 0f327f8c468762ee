/**
 * Conversations with connected peers: hello, admission to shares, documents, and which share a frame belongs
 * to. Owns what a peer said of itself on this connection; decides about members only through each share's
 * membership.
 */

import { unreachable } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { type ErrorCode, hasCode, messageOf, P2psyncError } from '../base/errors.ts';
import { neighbourSilentMs, pingMs } from '../base/limits.ts';
import type { SignedCertificate } from '../core/certificate.ts';
import type { SignedBytes } from '../core/document.ts';
import { type PeerId, publicKeyOfPeer, type ShareId } from '../core/keys.ts';
import type { SignedStatement } from '../core/statement.ts';
import type { Connected, Host } from '../net/host.ts';
import type { Message } from '../swarm/messages.ts';
import { decodeControl, encodeControl } from '../wire/control.ts';
import {
  type ControlFrame,
  type Hello,
  protocolNumber,
  type RefusalCode,
  type ShareHello,
} from '../wire/frames.ts';
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
};

export type PeerInfo = {
  readonly connected: Connected;
  readonly name: string | null;
  readonly agentVersion: string | null;
  readonly addresses: readonly string[];
  readonly rttMs: number | null;
};

export type Sessions = {
  connected(connected: Connected): void;
  disconnected(peer: PeerId): void;
  control(peer: PeerId, frame: Bytes): void;
  send(peer: PeerId, share: ShareId, message: Message): void;
  sendFrame(peer: PeerId, frame: ControlFrame): void;
  /** To every connected member of the share, `except` one. */
  broadcast(share: ShareId, frame: ControlFrame, except?: PeerId): void;
  /** A share was added while running. */
  greetAll(): void;
  /** Closes the connections of those who are members of nothing any more. */
  expelRevoked(): void;
  info(peer: PeerId): PeerInfo | undefined;
  /** Says goodbye to everyone. */
  close(): void;
};

export type SessionOptions = {
  readonly host: () => Host;
  readonly shares: () => Iterable<ShareSide>;
  readonly name: string;
  readonly agentVersion: string;
  readonly log: Log;
  /** Addresses of a member, as somebody said them. */
  readonly onAddresses: (peer: PeerId, addresses: readonly string[]) => void;
};

type Session = {
  readonly connected: Connected;
  hello: Hello | null;
  readonly joined: Set<ShareId>;
  /** Frames are handled one after the other: what follows a hello waits until it is judged. */
  order: Promise<void>;
  heardMs: number;
  rttMs: number | null;
  ping: { readonly id: number; readonly atMs: number } | null;
};

export function createSessions(options: SessionOptions): Sessions {
  const { log } = options;

  // Changes while running.
  const sessions = new Map<PeerId, Session>();
  let pings = 0;
  const timer = setInterval(beat, pingMs);
  timer.unref();

  const send = (peer: PeerId, frame: ControlFrame): void =>
    void options.host().send(peer, encodeControl(frame));
  const shareOf = (id: ShareId): ShareSide | undefined =>
    [...options.shares()].find((share) => share.id === id);

  function beat(): void {
    const now = performance.now();
    for (const [peer, session] of sessions) {
      if (now - session.heardMs > neighbourSilentMs) hangUp(peer, 'it has been silent for too long');
      else if (session.ping === null || now - session.ping.atMs > pingMs * 2) {
        pings += 1;
        session.ping = { id: pings, atMs: now };
        send(peer, { kind: 'ping', id: pings });
      }
    }
  }

  function hangUp(peer: PeerId, reason: string): void {
    log.info({ peer, reason }, 'hanging up');
    options
      .host()
      .hangUp(peer, reason)
      .catch((error: unknown) => log.debug({ peer, err: error }, 'hanging up failed'));
  }

  function greet(peer: PeerId): void {
    const shares = [...options.shares()].map(
      ({ id, membership }): ShareHello => ({
        share: id,
        certificate: membership.certificate,
        rosterVersion: membership.roster()?.roster.version ?? 0,
        grantEpoch: membership.grant()?.grant.epoch ?? 0,
      }),
    );
    const { name, agentVersion } = options;
    const addresses = options.host().addresses().slice(0, 8);
    send(peer, { kind: 'hello', protocol: protocolNumber, agentVersion, name, addresses, shares });
  }

  async function handle(peer: PeerId, session: Session, frame: ControlFrame): Promise<void> {
    switch (frame.kind) {
      case 'hello':
        if (frame.protocol !== protocolNumber) {
          return hangUp(
            peer,
            `it speaks protocol ${frame.protocol}, this agent ${protocolNumber}: upgrade the older one`,
          );
        }
        session.hello = frame;
        return judge(peer, session, { last: false });
      case 'welcome':
        return;
      case 'refused':
        return shareOf(frame.share)?.refused(peer, frame.code, frame.text);
      case 'grant':
      case 'roster':
        return takeDocument(peer, session, frame.share, frame.kind, frame.document);
      case 'introduce':
        return introduced(peer, session, frame.share, frame.certificate, frame.addresses);
      case 'share':
        if (session.joined.has(frame.share)) shareOf(frame.share)?.message(peer, frame.message);
        return;
      case 'statement': {
        const { share } = frame.statement.statement;
        if (session.joined.has(share)) shareOf(share)?.statement(frame.statement);
        return;
      }
      case 'ping':
        return send(peer, { kind: 'pong', id: frame.id });
      case 'pong':
        if (session.ping?.id === frame.id) {
          session.rttMs = performance.now() - session.ping.atMs;
          session.ping = null;
        }
        return;
      case 'goodbye':
        log.debug({ peer, reason: frame.reason }, 'the peer says goodbye');
        return;
      case 'unknown':
        return;
      default:
        return unreachable(frame);
    }
  }

  /**
   * Goes through the shares that both have. One whose certificate cannot be judged yet (no roster here) gets
   * another look when documents come.
   */
  async function judge(peer: PeerId, session: Session, { last }: { readonly last: boolean }): Promise<void> {
    const { hello } = session;
    if (hello === null) return;
    let common = false;
    for (const side of options.shares()) {
      const theirs = hello.shares.find((one) => one.share === side.id);
      if (theirs === undefined) continue;
      common = true;
      if (!session.joined.has(side.id)) await judgeShare(peer, session, side, theirs, hello, last);
    }
    if (!common) {
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
      const early = membership.roster() === null && outcome.code === 'expired' && !last;
      if (!early) refuse(peer, side, outcome);
      return;
    }
    session.joined.add(side.id);
    options.host().admit(peer);
    options.onAddresses(peer, hello.addresses);
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
    log.warn({ peer, share: side.id, ...refusal }, 'refused');
    const code: RefusalCode = isRefusalCode(refusal.code) ? refusal.code : 'not-a-member';
    send(peer, { kind: 'refused', share: side.id, code, text: refusal.reason });
  }

  function sendDocuments(peer: PeerId, side: ShareSide, theirs: ShareHello): void {
    const { membership } = side;
    const grant = membership.grant();
    const roster = membership.roster();
    if (grant !== null && grant.grant.epoch > theirs.grantEpoch) {
      send(peer, { kind: 'grant', share: side.id, document: grant });
    }
    if (roster !== null && roster.roster.version > theirs.rosterVersion) {
      send(peer, { kind: 'roster', share: side.id, document: roster });
    }
    const shares = [
      { share: side.id, rosterVersion: roster?.roster.version ?? 0, grantEpoch: grant?.grant.epoch ?? 0 },
    ];
    send(peer, { kind: 'welcome', shares });
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
    kind: 'grant' | 'roster',
    document: SignedBytes,
  ): Promise<void> {
    const side = shareOf(share);
    if (side === undefined) return;
    const { membership } = side;
    const news =
      kind === 'grant'
        ? await membership.takeGrant(document.body, document.signature)
        : await membership.takeRoster(document.body, document.signature);
    if (!news) return judge(peer, session, { last: kind === 'roster' });
    broadcast(share, { kind, share, document }, peer);
    side.documentsChanged();
    expelRevoked();
    for (const [other, theirs] of sessions)
      await judge(other, theirs, { last: kind === 'roster' && other === peer });
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
    const outcome = await side.membership.admit(certificate, addresses);
    if (outcome.kind === 'refused') {
      log.info(
        { peer, member: certificate.certificate.name, reason: outcome.reason },
        'an introduced newcomer is refused',
      );
    } else if (outcome.news) announce(side, certificate, addresses, peer);
  }

  function broadcast(share: ShareId, frame: ControlFrame, except?: PeerId): void {
    const bytes = encodeControl(frame);
    for (const [peer, session] of sessions) {
      if (peer !== except && session.joined.has(share)) options.host().send(peer, bytes);
    }
  }

  function expelRevoked(): void {
    for (const [peer, session] of sessions) {
      const key = publicKeyOfPeer(peer);
      for (const side of options.shares()) {
        if (side.membership.isRevoked(key) && session.joined.delete(side.id)) side.left(peer);
      }
      if (
        session.hello !== null &&
        session.joined.size === 0 &&
        [...options.shares()].some((side) => side.membership.isRevoked(key))
      ) {
        options.host().expel(peer);
      }
    }
  }

  return {
    connected(connected) {
      sessions.set(connected.peer, {
        connected,
        hello: null,
        joined: new Set(),
        order: Promise.resolve(),
        heardMs: performance.now(),
        rttMs: null,
        ping: null,
      });
      greet(connected.peer);
    },
    disconnected(peer) {
      const session = sessions.get(peer);
      sessions.delete(peer);
      for (const share of session?.joined ?? []) shareOf(share)?.left(peer);
    },
    control(peer, bytes) {
      const session = sessions.get(peer);
      if (session === undefined) return;
      session.heardMs = performance.now();
      let frame: ControlFrame;
      try {
        frame = decodeControl(bytes);
      } catch (error) {
        if (!(error instanceof P2psyncError)) throw error;
        log.warn({ peer, code: error.code, reason: error.message }, 'a control frame that makes no sense');
        return hangUp(peer, `it sent a frame that makes no sense: ${error.message}`);
      }
      session.order = session.order
        .then(() => handle(peer, session, frame))
        .catch((error: unknown) => {
          // A document that does not hold what it claims is the sender's fault, or an old one of an honest sender.
          if (hasCode(error, 'bad-signature') || hasCode(error, 'bad-grant') || hasCode(error, 'malformed')) {
            return hangUp(peer, messageOf(error));
          }
          log.error({ peer, err: error }, 'a control frame could not be handled');
        });
    },
    send: (peer, share, message) => send(peer, { kind: 'share', share, message }),
    sendFrame: send,
    broadcast,
    greetAll() {
      for (const peer of sessions.keys()) greet(peer);
    },
    expelRevoked,
    info(peer) {
      const session = sessions.get(peer);
      if (session === undefined) return undefined;
      const { connected, hello, rttMs } = session;
      return {
        connected,
        rttMs,
        name: hello?.name ?? null,
        agentVersion: hello?.agentVersion ?? null,
        addresses: hello?.addresses ?? [],
      };
    },
    close() {
      clearInterval(timer);
      for (const peer of sessions.keys()) send(peer, { kind: 'goodbye', reason: 'the agent stops' });
    },
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
