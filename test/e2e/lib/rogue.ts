/**
 * A member that was invited like any other, made of the program's own network and wire code, and does not behave: it says
 * that it has applied whatever is new, and then answers as it likes. It keeps no share and asks for nothing.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { blockBytesMax } from '../../../agent/base/limits.ts';
import { certifyByInvitation } from '../../../agent/core/certificate.ts';
import type { Digest } from '../../../agent/core/digest.ts';
import { readInvitation } from '../../../agent/core/invitation.ts';
import { keyPairFromSeed, type PeerId } from '../../../agent/core/keys.ts';
import type { Version } from '../../../agent/core/version.ts';
import { type Host, startHost } from '../../../agent/net/host.ts';
import type { BlockAnswer, SharedRequest } from '../../../agent/swarm/messages.ts';
import { decodeControl, encodeControl } from '../../../agent/wire/control.ts';
import { type ControlFrame, protocolNumber } from '../../../agent/wire/frames.ts';

/**
 * Of blocks: wrong bytes, as many as a frame holds; a right one every second; nothing; or the word that it is not here.
 * `turned` gives right ones until it is asked over TLS, and wrong ones from then on. Pages it never has.
 */
export type Manners = 'wrong' | 'too-many' | 'turned' | 'slow' | 'silent' | 'boastful';

export type Rogue = { readonly peer: PeerId; readonly host: Host } & AsyncDisposable;

export type RogueOptions = {
  readonly manners: Manners;
  /** As `p2psync invite` prints it. */
  readonly invitation: string;
  /** HOST:PORT of those whom it joins. */
  readonly dial: readonly string[];
  /** What it would have to have, where it gives anything. */
  readonly blocks: ReadonlyMap<Digest, Uint8Array>;
};

const slowMs = 1000;

export async function startRogue({ manners, invitation, dial, blocks }: RogueOptions): Promise<Rogue> {
  const seed = new Uint8Array(randomBytes(32));
  const { publicKey } = keyPairFromSeed(seed);
  const invited = readInvitation(invitation.trim(), Date.now());
  const { share } = invited.signed.terms;
  const certificate = certifyByInvitation(invited, { member: publicKey, name: 'rogue', nowMs: Date.now() });
  const stop = new AbortController();
  const mayStop = { signal: stop.signal };

  const say = (peer: PeerId, frame: ControlFrame): void => void host.send(peer, encodeControl(frame));

  function hear(peer: PeerId, frame: ControlFrame): void {
    if (frame.kind === 'hello') {
      host.admit(peer);
      say(peer, { kind: 'welcome', shares: [{ share, rosterVersion: 0, grantEpoch: 0 }] });
    } else if (frame.kind === 'ping') say(peer, { kind: 'pong', id: frame.id });
    else if (frame.kind === 'share' && frame.message.kind === 'status') boast(peer, frame.message.head);
  }

  function boast(peer: PeerId, head: Version | null): void {
    say(peer, { kind: 'share', share, message: { kind: 'status', applied: head, head, rosterVersion: 0 } });
  }

  function answerTo(peer: PeerId, { id, plane }: SharedRequest, digest: Digest): BlockAnswer {
    const missing = { kind: 'missing', id, digest } as const;
    const right = blocks.get(digest);
    if (plane === 'page' || right === undefined || manners === 'boastful') return missing;
    const isRight = manners === 'slow' || (manners === 'turned' && host.route(peer) !== 'tls');
    const bytes = new Uint8Array(randomBytes(manners === 'too-many' ? blockBytesMax : right.byteLength));
    return { kind: 'block', id, digest, bytes: isRight ? right : bytes };
  }

  async function serve(peer: PeerId, request: SharedRequest): Promise<void> {
    if (manners === 'silent') return;
    for (const digest of request.digests) {
      if (manners === 'slow' && request.plane === 'block') await delay(slowMs, undefined, mayStop);
      await host.blocks.answer(peer, answerTo(peer, request, digest));
    }
    await host.blocks.answer(peer, { kind: 'done', id: request.id });
  }

  const host = await startHost(
    { seed, listen: ['127.0.0.1:0'], announce: [], connectionsMax: 100, discovery: 'static' },
    {
      allow: () => true,
      allowAddress: () => true,
      connected({ peer }) {
        const shares = [{ share, certificate, rosterVersion: 0, grantEpoch: 0 }];
        const addresses = host.addresses().slice(0, 8);
        const hello = { protocol: protocolNumber, agentVersion: '0.0.0', name: 'rogue', addresses, shares };
        say(peer, { kind: 'hello', ...hello });
      },
      disconnected: () => {},
      control: (peer, frame) => hear(peer, decodeControl(frame)),
      // Who does not want the answer any more closes the stream: that is what it is for.
      blockRequest: (peer, request) => void serve(peer, request).catch(() => {}),
      blockAnswer: () => {},
      requestsLost: () => {},
      note: () => {},
    },
  );
  for (const address of dial) await host.dial([address], { peer: null, signal: AbortSignal.timeout(10_000) });
  return {
    peer: host.peer,
    host,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await host.close();
    },
  };
}
