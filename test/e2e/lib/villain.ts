/**
 * A peer that misbehaves, made of the program's own network and wire code: it says and serves what it is told to. Who it is,
 * a member, a stranger or the writer itself, follows from the certificate that it shows.
 */
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import type { Bytes } from '../../../agent/base/bytes.ts';
import { admit } from '../../../agent/core/admission.ts';
import {
  certifyByAuthority,
  certifyByInvitation,
  type SignedCertificate,
} from '../../../agent/core/certificate.ts';
import type { Digest } from '../../../agent/core/digest.ts';
import { signGrant } from '../../../agent/core/grant.ts';
import { type Head, type SignedHead, signHead } from '../../../agent/core/head.ts';
import { createInvitation, readInvitation, writeInvitation } from '../../../agent/core/invitation.ts';
import {
  generateKeyPair,
  type KeyPair,
  type PeerId,
  type ShareId,
  shareIdOf,
} from '../../../agent/core/keys.ts';
import { emptyRoster, type Roster, signRoster } from '../../../agent/core/roster.ts';
import type { StatusReport } from '../../../agent/http/api.ts';
import { type Host, startHost } from '../../../agent/net/host.ts';
import type { HeadMessage, SharedRequest } from '../../../agent/swarm/messages.ts';
import { decodeControl, encodeControl } from '../../../agent/wire/control.ts';
import { type ControlFrame, protocolNumber } from '../../../agent/wire/frames.ts';
import { headsTopic, peersTopic } from '../../../agent/wire/gossip.ts';
import type { Agent } from './mesh.ts';

export type Rogue = {
  readonly host: Host;
  readonly peer: PeerId;
  readonly keyPair: KeyPair;
  readonly share: ShareId;
  /** What it serves, by digest; the bytes may be others than the digest says. */
  readonly library: Map<Digest, Bytes>;
  readonly heard: { readonly peer: PeerId; readonly frame: ControlFrame }[];
  readonly requests: SharedRequest[];
  readonly hangUps: string[];
  readonly connected: Set<PeerId>;
  /** Connects and greets. @returns whose the other end is. */
  meet(agent: Agent): Promise<PeerId>;
  /** @returns false where it is not connected any more. */
  say(peer: PeerId, frame: ControlFrame): boolean;
  close(): Promise<void>;
};

export type RogueOptions = {
  readonly keyPair: KeyPair;
  readonly certificate: SignedCertificate;
  readonly onHello?: (peer: PeerId, certificate: SignedCertificate | undefined) => void;
  /** Instead of serving from the library. */
  readonly onRequest?: (peer: PeerId, request: SharedRequest) => void;
};

export async function startRogue(options: RogueOptions): Promise<Rogue> {
  const { keyPair, certificate } = options;
  const { share } = certificate.certificate;
  const library = new Map<Digest, Bytes>();
  const heard: { peer: PeerId; frame: ControlFrame }[] = [];
  const requests: SharedRequest[] = [];
  const hangUps: string[] = [];
  const connected = new Set<PeerId>();

  async function serve(peer: PeerId, { id, digests }: SharedRequest): Promise<void> {
    for (const digest of digests) {
      const bytes = library.get(digest);
      await host.blocks.answer(
        peer,
        bytes === undefined ? { kind: 'missing', id, digest } : { kind: 'block', id, digest, bytes },
      );
    }
    await host.blocks.answer(peer, { kind: 'done', id });
  }

  const say = (peer: PeerId, frame: ControlFrame): boolean => host.send(peer, encodeControl(frame));
  const host: Host = await startHost(
    {
      seed: keyPair.seed,
      listen: ['127.0.0.1:0'],
      announce: [],
      connectionsMax: 100,
      discovery: 'static',
    },
    {
      allow: () => true,
      allowAddress: () => true,
      connected({ peer }) {
        connected.add(peer);
        host.admit(peer);
        const shares = [{ share, certificate, rosterVersion: 0, grantEpoch: 0 }];
        const names = { agentVersion: '0.0.0', name: certificate.certificate.name };
        say(peer, {
          kind: 'hello',
          protocol: protocolNumber,
          addresses: host.addresses().slice(0, 8),
          shares,
          ...names,
        });
      },
      disconnected(peer, reason) {
        connected.delete(peer);
        hangUps.push(reason);
      },
      control(peer, bytes) {
        const frame = decodeControl(bytes);
        heard.push({ peer, frame });
        if (frame.kind === 'ping') say(peer, { kind: 'pong', id: frame.id });
        if (frame.kind === 'hello') options.onHello?.(peer, frame.shares[0]?.certificate);
      },
      blockRequest(peer, request) {
        requests.push(request);
        if (options.onRequest !== undefined) options.onRequest(peer, request);
        // It may be put out meanwhile.
        else serve(peer, request).catch(() => undefined);
      },
      blockAnswer: () => undefined,
      requestsLost: () => undefined,
      note: () => undefined,
    },
  );
  const silent = { admits: () => true, validate: () => 'accept' as const, deliver: () => undefined };
  host.joinTopic(headsTopic(share), silent);
  host.joinTopic(peersTopic(share), silent);
  return {
    host,
    peer: host.peer,
    keyPair,
    share,
    library,
    heard,
    requests,
    hangUps,
    connected,
    meet: (agent) => host.dial([agent.address], { peer: null, signal: AbortSignal.timeout(20_000) }),
    say,
    close: () => host.close(),
  };
}

/** With a true invitation, as anybody who was invited. */
export async function startMember(invitation: string, options: Partial<RogueOptions> = {}): Promise<Rogue> {
  const keyPair = generateKeyPair();
  const opened = readInvitation(invitation, Date.now());
  const newcomer = { member: keyPair.publicKey, name: 'rogue', nowMs: Date.now() };
  return startRogue({ keyPair, certificate: certifyByInvitation(opened, newcomer), ...options });
}

export type RogueWriter = Rogue & {
  readonly salt: Bytes;
  invitation(): string;
  /** The next version, unless told; pages and blocks go into the library. */
  head(root: Digest, change?: Partial<Head>, signer?: KeyPair): SignedHead;
  /** To everybody it is connected to, with word that it has all of it. */
  publish(head: SignedHead): void;
};

/** The writer of a share of its own, and the authority: everything it signs holds. */
export async function startRogueWriter(): Promise<RogueWriter> {
  const authority = generateKeyPair();
  const keyPair = generateKeyPair();
  const share = shareIdOf(authority.publicKey);
  const salt = new Uint8Array(32).fill(3);
  const timeMs = Date.now();
  const writer = keyPair.publicKey;
  const certificate = certifyByAuthority(
    { share, member: writer, name: 'writer', role: 'writer', issuedMs: timeMs },
    authority,
  );
  const grant = signGrant({ share, epoch: 1, writer, base: null, timeMs }, authority);
  let roster = admitted(emptyRoster({ share, epoch: 1, writer, timeMs }), certificate);
  let sequence = 0;
  let latest: SignedHead | null = null;

  function admitted(before: Roster, shown: SignedCertificate): Roster {
    const outcome = admit(before, shown, Date.now(), []);
    return outcome.kind === 'changed' ? outcome.roster : before;
  }

  const rogue = await startRogue({
    keyPair,
    certificate,
    onHello(peer, shown) {
      if (shown !== undefined) roster = admitted(roster, shown);
      rogue.say(peer, { kind: 'grant', share, document: grant });
      rogue.say(peer, { kind: 'roster', share, document: signRoster(roster, keyPair) });
      if (latest !== null) tell(peer, latest);
    },
  });

  // Who has just come may not listen yet.
  const beat = setInterval(tellAll, 300);

  function tellAll(): void {
    for (const peer of rogue.connected) if (latest !== null) tell(peer, latest);
  }

  function tell(peer: PeerId, head: SignedHead): void {
    const message: HeadMessage = { kind: 'head', head, operations: null };
    const { version } = head.head;
    rogue.say(peer, { kind: 'share', share, message });
    rogue.say(peer, {
      kind: 'share',
      share,
      message: { kind: 'status', applied: version, head: version, rosterVersion: 1 },
    });
  }

  return {
    ...rogue,
    salt,
    invitation() {
      const nowMs = Date.now();
      const made = createInvitation(
        {
          shareName: 'www',
          role: 'replica',
          issuedMs: nowMs,
          expiresMs: nowMs + 3_600_000,
          uses: 5,
          salt,
          addresses: rogue.host.addresses().slice(0, 1),
        },
        authority,
      );
      return writeInvitation(made);
    },
    head(root, change = {}, signer = keyPair) {
      sequence += 1;
      const counts = { entries: 0, files: 0, bytes: 0 };
      const version = { epoch: 1, sequence };
      const own = {
        share,
        version,
        previous: null,
        root,
        counts,
        timeMs: Date.now(),
        rosterVersion: 1,
        writer: signer.publicKey,
      };
      return signHead({ ...own, ...change }, signer);
    },
    publish(head) {
      latest = head;
      tellAll();
    },
    async close() {
      clearInterval(beat);
      await rogue.close();
    },
  };
}

/** `status` over the control socket: a process for each would take most of a test's time. */
export function statusOf(agent: Agent): Promise<StatusReport> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(
      { socketPath: join(agent.home, 'control.sock'), path: '/api/v1/status', timeout: 20_000 },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString()) as StatusReport));
      },
    );
    asked.on('error', reject);
    asked.on('timeout', () => asked.destroy(new Error(`${agent.name} does not answer`)));
    asked.end();
  });
}

export async function peerOf(agent: Agent): Promise<PeerId> {
  return (await statusOf(agent)).agent.peerId as PeerId;
}
