/**
 * A peer made of the agent's own network code that does as it likes: says what it is told to say, keeps to no rule of a
 * share, and remembers what it was given.
 */
import { randomBytes } from 'node:crypto';
import { certifyByInvitation, type SignedCertificate } from '../../agent/core/certificate.ts';
import type { Invitation } from '../../agent/core/invitation.ts';
import { type KeyPair, keyPairFromSeed, type PeerId, type ShareId } from '../../agent/core/keys.ts';
import { decodeControl, encodeControl } from '../../agent/wire/control.ts';
import { type ControlFrame, protocolNumber } from '../../agent/wire/frames.ts';
import { startTestHost, type TestHost } from '../net/hosts.ts';

export type Guest = {
  readonly name: string;
  readonly host: TestHost;
  readonly keyPair: KeyPair;
  /** A certificate of its own making, as a newcomer's. */
  certify(invitation: Invitation): SignedCertificate;
  /** Dials and says hello with these. Answers pings as long as it is connected. */
  visit(
    peer: PeerId,
    addresses: readonly string[],
    certificates: readonly SignedCertificate[],
  ): Promise<void>;
  say(peer: PeerId, frame: ControlFrame): void;
  /** Every frame it was sent, in order, on all connections. */
  frames(): readonly ControlFrame[];
  /** The first frame that fits, now or later. */
  hears(fits: (frame: ControlFrame) => boolean): Promise<ControlFrame>;
  /** From now on it listens on a topic, and notes what comes as `TOPIC` and bytes. */
  listen(topic: string): void;
  readonly heard: { readonly topic: string; readonly bytes: Uint8Array }[];
  close(): Promise<void>;
};

export async function createGuest(name: string): Promise<Guest> {
  const seed = randomBytes(32);
  const keyPair = keyPairFromSeed(seed);
  const heard: { readonly topic: string; readonly bytes: Uint8Array }[] = [];
  const host = await startTestHost({ seed });
  const frameOf = (event: (typeof host.events)[number]): ControlFrame | null =>
    event.kind === 'control' ? decodeControl(event.frame) : null;
  const say = (peer: PeerId, frame: ControlFrame): void => void host.send(peer, encodeControl(frame));
  let answering: NodeJS.Timeout | undefined;
  let answered = 0;

  /** As every agent does, so that it is not taken for gone. */
  function answerPings(peer: PeerId): void {
    for (; answered < host.events.length; answered += 1) {
      const event = host.events[answered];
      const frame = event === undefined ? null : frameOf(event);
      if (frame?.kind === 'ping') say(peer, { kind: 'pong', id: frame.id });
    }
  }

  return {
    name,
    host,
    keyPair,
    heard,
    say,
    certify: (invitation) =>
      certifyByInvitation(invitation, { member: keyPair.publicKey, name, nowMs: Date.now() }),
    async visit(peer, addresses, certificates) {
      host.admit(peer);
      await host.dial(addresses, { peer, signal: AbortSignal.timeout(8_000) });
      const shares = certificates.map((certificate) => ({
        share: certificate.certificate.share,
        certificate,
        rosterVersion: 0,
        grantEpoch: 0,
      }));
      say(peer, {
        kind: 'hello',
        protocol: protocolNumber,
        agentVersion: '1.0.0',
        name,
        addresses: [],
        shares,
      });
      clearInterval(answering);
      answering = setInterval(() => answerPings(peer), 500);
    },
    frames: () => host.events.map(frameOf).filter((frame) => frame !== null),
    async hears(fits) {
      const event = await host.until((one) => {
        const frame = frameOf(one);
        return frame !== null && fits(frame);
      });
      const frame = frameOf(event);
      if (frame === null) throw new Error('a control frame is one');
      return frame;
    },
    listen(topic) {
      host.joinTopic(topic, {
        admits: () => true,
        validate: () => 'accept',
        deliver: (bytes) => void heard.push({ topic, bytes }),
      });
    },
    async close() {
      clearInterval(answering);
      await host.close();
    },
  };
}

/** That a peer takes its receiver as a member of the share: it says so in its own words. */
export const isTakenIn =
  (share: ShareId) =>
  (frame: ControlFrame): boolean =>
    frame.kind === 'statement' && frame.statement.statement.share === share;
