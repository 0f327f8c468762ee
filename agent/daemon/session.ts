/**
 * Conversations with connected peers: hello, admission to shares, documents, and which share a frame belongs
 * to. Owns what a peer said of itself on this connection; decides about members only through each share's
 * membership.
 */

import { unreachable } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { hasCode, messageOf, P2psyncError } from '../base/errors.ts';
import { neighbourIdleMsMin, neighbourSilentMs, pingMs, roundTripAgeMs } from '../base/limits.ts';
import type { SignedBytes } from '../core/document.ts';
import { type PeerId, type ShareId } from '../core/keys.ts';
import type { Connected, Host } from '../net/host.ts';
import type { Message } from '../swarm/messages.ts';
import { decodeControl, encodeControl } from '../wire/control.ts';
import { type ControlFrame, protocolNumber, type ShareHello } from '../wire/frames.ts';
import { createJudge, type JudgePorts, type Session, type ShareSide } from './judge.ts';
import type { Log } from './log.ts';

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
  /** Takes a removal that the authority signed here, and tells everyone. @returns whether it was news. */
  remove(share: ShareId, removal: SignedBytes): Promise<boolean>;
  /** Done at each beat: renews certificates where this agent writes, closes connections of those whose have expired. */
  keepCurrent(): Promise<void>;
  /** Closes the connections of those who are members of nothing any more. */
  expelRevoked(): void;
  info(peer: PeerId): PeerInfo | undefined;
  /** Says goodbye to everyone. Resolves when nothing is being judged any more, and nothing will be. */
  close(): Promise<void>;
};

export type SessionOptions = {
  readonly host: () => Host;
  readonly shares: () => Iterable<ShareSide>;
  readonly name: string;
  readonly agentVersion: string;
  readonly log: Log;
  readonly onRefused?: NonNullable<JudgePorts['onRefused']>;
  /** A connection on which nothing of a share is said for so long is closed. */
  readonly idleMs: () => number;
  /** A clock that never goes back, ms. */
  readonly nowMs?: () => number;
  /** Addresses of a member, as somebody said them. */
  readonly onAddresses: (peer: PeerId, addresses: readonly string[]) => void;
};

export function createSessions(options: SessionOptions): Sessions {
  const { log, nowMs = () => performance.now() } = options;

  // Changes while running.
  const sessions = new Map<PeerId, Session>();
  const underWay = new Set<Promise<void>>();
  let isClosed = false;
  let pings = 0;
  const timer = setInterval(beat, pingMs);
  timer.unref();

  const send = (peer: PeerId, frame: ControlFrame): void =>
    void options.host().send(peer, encodeControl(frame));
  const judge = createJudge({ ...options, sessions, send, broadcast, hangUp });
  const shareOf = (id: ShareId): ShareSide | undefined =>
    [...options.shares()].find((share) => share.id === id);

  function during(work: Promise<void>): void {
    const mine = work.finally(() => underWay.delete(mine));
    underWay.add(mine);
  }

  function beat(): void {
    const now = nowMs();
    during(
      judge
        .keepCurrent()
        .catch((error: unknown) => log.error({ err: error }, 'certificates could not be renewed')),
    );
    for (const [peer, session] of sessions) {
      if (now - session.heardMs > neighbourSilentMs) hangUp(peer, 'it has been silent for too long');
      else if (
        now - session.usedMs >
        Math.max(options.idleMs(), session.joined.size > 0 ? neighbourIdleMsMin : 0)
      )
        hangUp(peer, 'nothing was said on it for idle_timeout');
      else if (isPingDue(session, now)) {
        pings += 1;
        session.ping = { id: pings, atMs: now };
        send(peer, { kind: 'ping', id: pings });
      }
    }
  }

  /** Who says something by himself is alive. */
  function isPingDue({ ping, heardMs, rttAtMs }: Session, now: number): boolean {
    if (ping !== null) return now - ping.atMs > pingMs * 2;
    return now - heardMs >= pingMs || now - rttAtMs >= roundTripAgeMs;
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
    // Of a connection that is gone, or nobody is here to answer.
    if (isClosed || sessions.get(peer) !== session) return;
    switch (frame.kind) {
      case 'hello':
        if (frame.protocol !== protocolNumber) {
          return hangUp(
            peer,
            `it speaks protocol ${frame.protocol}, this agent ${protocolNumber}: upgrade the older one`,
          );
        }
        session.hello = frame;
        return judge.judge(peer, session, { last: false });
      case 'welcome':
        for (const { share } of frame.shares) shareOf(share)?.welcomed(peer);
        return;
      case 'refused':
        return shareOf(frame.share)?.refused(peer, frame.code, frame.text);
      case 'grant':
      case 'roster':
      case 'removal':
        return judge.takeDocument(peer, session, frame);
      case 'introduce':
        return judge.introduced(peer, session, frame);
      case 'share':
        if (!session.joined.has(frame.share)) return;
        session.usedMs = nowMs();
        return shareOf(frame.share)?.message(peer, frame.message);
      case 'statement': {
        const { share } = frame.statement.statement;
        if (!session.joined.has(share)) return;
        session.usedMs = nowMs();
        return shareOf(share)?.statement(frame.statement);
      }
      case 'ping':
        return send(peer, { kind: 'pong', id: frame.id });
      case 'pong':
        if (session.ping?.id === frame.id) {
          session.rttMs = nowMs() - session.ping.atMs;
          session.rttAtMs = nowMs();
          session.ping = null;
        }
        return;
      case 'goodbye':
        log.debug({ peer, reason: frame.reason }, 'the peer says goodbye');
        return;
      // The host answers these itself.
      case 'bulkWanted':
      case 'bulkOffer':
      case 'unknown':
        return;
      default:
        return unreachable(frame);
    }
  }

  function broadcast(share: ShareId, frame: ControlFrame, except?: PeerId): void {
    const bytes = encodeControl(frame);
    for (const [peer, session] of sessions) {
      if (peer !== except && session.joined.has(share)) options.host().send(peer, bytes);
    }
  }

  return {
    connected(connected) {
      sessions.set(connected.peer, {
        connected,
        hello: null,
        joined: new Set(),
        order: Promise.resolve(),
        heardMs: nowMs(),
        usedMs: nowMs(),
        rttMs: null,
        rttAtMs: Number.NEGATIVE_INFINITY,
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
      session.heardMs = nowMs();
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
      during(session.order);
    },
    send: (peer, share, message) => send(peer, { kind: 'share', share, message }),
    sendFrame: send,
    broadcast,
    greetAll() {
      for (const peer of sessions.keys()) greet(peer);
    },
    remove: (share, removal) => judge.remove(share, removal),
    keepCurrent: () => judge.keepCurrent(),
    expelRevoked: () => judge.expelRevoked(),
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
    async close() {
      isClosed = true;
      clearInterval(timer);
      for (const peer of sessions.keys()) send(peer, { kind: 'goodbye', reason: 'the agent stops' });
      await Promise.all(underWay);
    },
  };
}
