/** Agents that talk frames over a table in memory: real sessions, memberships and indexes, and a host that only notes. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { admit } from '../../agent/core/admission.ts';
import {
  certifyByAuthority,
  certifyByInvitation,
  type SignedCertificate,
} from '../../agent/core/certificate.ts';
import { signGrant } from '../../agent/core/grant.ts';
import { createInvitation, type Invitation } from '../../agent/core/invitation.ts';
import {
  generateKeyPair,
  type KeyPair,
  type PeerId,
  peerIdOf,
  type ShareId,
  shareIdOf,
} from '../../agent/core/keys.ts';
import { signRemoval } from '../../agent/core/removal.ts';
import { emptyRoster, type Roster, signRoster } from '../../agent/core/roster.ts';
import type { ShareSide } from '../../agent/daemon/judge.ts';
import { type Membership, openMembership } from '../../agent/daemon/membership.ts';
import { createSessions, type SessionOptions, type Sessions } from '../../agent/daemon/session.ts';
import { packSigned, stateKeys, writeGrant } from '../../agent/daemon/state.ts';
import type { Host } from '../../agent/net/host.ts';
import { openStore } from '../../agent/store/database.ts';
import type { StoreBatch } from '../../agent/store/share-store.ts';
import { decodeControl } from '../../agent/wire/control.ts';
import { createNotebook, type Notebook } from './notebook.ts';

type Refused = Parameters<NonNullable<SessionOptions['onRefused']>>[0];

export type Agent = {
  readonly name: string;
  readonly peer: PeerId;
  readonly keyPair: KeyPair;
  readonly membership: Membership;
  readonly sessions: Sessions;
  readonly notebook: Notebook;
  /** `joined bo`, `left bo`, `refused bo bad-invitation`, `message bo status`, … in order. */
  readonly heard: string[];
  /** How many times it was asked for a sign of life. */
  pings: number;
  readonly admitted: Set<PeerId>;
  readonly expelled: Set<PeerId>;
  /** Names of those it hung up on, and why. */
  readonly hungUp: string[];
  /** Those it did not take as members. */
  readonly refused: Refused[];
  /** It ends no connection itself, whatever it is told. */
  isStubborn: boolean;
  /** Opens its membership anew from what it stored. */
  reopen(): Membership;
};

export type Mesh = {
  readonly authority: KeyPair;
  /** The first one is the writer. */
  add(name: string, invitation?: Invitation): Promise<Agent>;
  invite(options?: {
    readonly uses?: number;
    readonly issuedMs?: number;
    readonly expiresMs?: number;
  }): Invitation;
  connect(left: Agent, right: Agent): Promise<void>;
  disconnect(left: Agent, right: Agent): void;
  /** Signs a new roster as the writer, made from its present one, and sends it from there. */
  publishRoster(writer: Agent, change: (roster: Roster) => Roster): Promise<void>;
  /** Removes `who` with the authority's key, at `by`. */
  remove(by: Agent, who: Agent): Promise<void>;
  /** Bytes as they are, from one to the other. */
  inject(from: Agent, to: Agent, bytes: Uint8Array): Promise<void>;
  /** Everything that is under way is handled. */
  settle(): Promise<void>;
};

/** A writer, and two members that are connected to it. */
export async function addThree(
  mesh: Mesh,
): Promise<{ readonly share: ShareId; readonly writer: Agent; readonly ana: Agent; readonly bo: Agent }> {
  const writer = await mesh.add('writer');
  const ana = await mesh.add('ana', mesh.invite());
  const bo = await mesh.add('bo', mesh.invite());
  await mesh.connect(ana, writer);
  await mesh.connect(bo, writer);
  return { share: shareIdOf(mesh.authority.publicKey), writer, ana, bo };
}

/** @param clock of the conversations, where a test turns it. */
export async function withMesh(
  use: (mesh: Mesh) => Promise<void>,
  clock: { readonly idleMs?: () => number; readonly nowMs?: () => number } = {},
): Promise<void> {
  const top = mkdtempSync(join(realpathSync(tmpdir()), 'p2psync-agents-'));
  const authority = generateKeyPair();
  const share = shareIdOf(authority.publicKey);
  const salt = new Uint8Array(32).fill(1);
  const agents = new Map<PeerId, Agent>();
  const links = new Set<string>();
  const closers: (() => Promise<void>)[] = [];
  let underWay = 0;

  const linkOf = (left: PeerId, right: PeerId): string => [left, right].sort().join();
  const nameOf = (peer: PeerId): string => agents.get(peer)?.name ?? peer;

  async function add(name: string, invitation?: Invitation): Promise<Agent> {
    const index = openStore(join(top, name));
    closers.push(() => index.close());
    const opened = index.share(share);
    const write = async (batch: StoreBatch): Promise<void> => {
      underWay += 1;
      await opened.write(batch).finally(() => {
        underWay -= 1;
      });
    };
    const store = { ...opened, write, writeDurably: write };
    const keyPair = generateKeyPair();
    const peer = peerIdOf(keyPair.publicKey);
    const nowMs = Date.now();
    let certificate: SignedCertificate;
    if (invitation === undefined) {
      const { publicKey: writer } = keyPair;
      certificate = certifyByAuthority(
        { share, member: writer, name, role: 'writer', issuedMs: nowMs },
        authority,
      );
      const grant = signGrant({ share, epoch: 1, writer, base: null, timeMs: nowMs }, authority);
      const first = admit(emptyRoster({ share, epoch: 1, writer, timeMs: nowMs }), certificate, nowMs, []);
      if (first.kind !== 'changed') throw new Error('the writer is admitted');
      const roster = packSigned(signRoster(first.roster, keyPair));
      await store.write({ state: new Map([writeGrant(grant), [stateKeys.roster, roster] as const]) });
    } else certificate = certifyByInvitation(invitation, { member: keyPair.publicKey, name, nowMs });
    const reopen = (): Membership =>
      openMembership({ share, authority: authority.publicKey, self: keyPair, certificate, store });
    const membership = reopen();
    const heard: string[] = [];
    const notebook = createNotebook();
    const side: ShareSide = {
      id: share,
      membership,
      joined: (other) => void heard.push(`joined ${nameOf(other)}`),
      left: (other) => void heard.push(`left ${nameOf(other)}`),
      message: (other, message) => void heard.push(`message ${nameOf(other)} ${message.kind}`),
      statement: (statement) => void heard.push(`statement ${statement.statement.name}`),
      documentsChanged: () => void heard.push('documents changed'),
      refused: (other, code) => void heard.push(`refused ${nameOf(other)} ${code}`),
      welcomed: () => undefined,
    };
    const admitted = new Set<PeerId>();
    const expelled = new Set<PeerId>();
    const hungUp: string[] = [];
    const refused: Refused[] = [];
    const host = {
      peer,
      addresses: () => [`/ip4/127.0.0.1/tcp/1/p2p/${peer}`],
      send(to: PeerId, frame: Uint8Array) {
        const target = agents.get(to);
        if (target === undefined || !links.has(linkOf(peer, to))) return false;
        underWay += 1;
        if (decodeControl(frame).kind === 'ping') target.pings += 1;
        queueMicrotask(() => {
          underWay -= 1;
          target.sessions.control(peer, frame);
        });
        return true;
      },
      async hangUp(to: PeerId, reason: string) {
        hungUp.push(`${nameOf(to)}: ${reason}`);
        if (!agent.isStubborn) cut(peer, to);
      },
      admit: (to: PeerId) => void admitted.add(to),
      expel(to: PeerId) {
        expelled.add(to);
        if (!agent.isStubborn) cut(peer, to);
      },
    };
    const sessions = createSessions({
      host: () => host as unknown as Host,
      shares: () => [side],
      name,
      agentVersion: '1.0.0',
      log: notebook.log,
      onRefused: (refusal) => void refused.push(refusal),
      idleMs: () => Number.POSITIVE_INFINITY,
      ...clock,
      onAddresses: () => undefined,
    });
    closers.push(() => sessions.close());
    const agent: Agent = {
      isStubborn: false,
      pings: 0,
      name,
      peer,
      keyPair,
      membership,
      sessions,
      notebook,
      heard,
      admitted,
      expelled,
      hungUp,
      refused,
      reopen,
    };
    agents.set(peer, agent);
    return agent;
  }

  function cut(left: PeerId, right: PeerId): void {
    if (!links.delete(linkOf(left, right))) return;
    agents.get(left)?.sessions.disconnected(right);
    // What was said before is heard, as by a connection that is closed politely.
    underWay += 1;
    setImmediate(() => {
      underWay -= 1;
      if (!links.has(linkOf(left, right))) agents.get(right)?.sessions.disconnected(left);
    });
  }

  /** Frames and writes are counted; between the two there are but a few turns of the loop. */
  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < 5; quiet += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (underWay > 0) quiet = 0;
    }
  }

  const mesh: Mesh = {
    authority,
    add,
    invite({ uses = 1, issuedMs = Date.now(), expiresMs = issuedMs + 3_600_000 } = {}) {
      const options = {
        shareName: 'www',
        role: 'replica',
        issuedMs,
        expiresMs,
        uses,
        salt,
        addresses: [],
      } as const;
      return createInvitation(options, authority);
    },
    async connect(left, right) {
      links.add(linkOf(left.peer, right.peer));
      for (const [one, other] of [
        [left, right],
        [right, left],
      ] as const)
        one.sessions.connected({ peer: other.peer, direction: 'outbound', address: '127.0.0.1:1' });
      await settle();
    },
    disconnect(left, right) {
      if (!links.delete(linkOf(left.peer, right.peer))) return;
      left.sessions.disconnected(right.peer);
      right.sessions.disconnected(left.peer);
    },
    async publishRoster(writer, change) {
      const now = writer.membership.roster()?.roster;
      if (now === undefined) throw new Error('the writer has a roster');
      const document = signRoster(
        { ...change(now), version: now.version + 1, timeMs: Date.now() },
        writer.keyPair,
      );
      await writer.membership.takeRoster(document.body, document.signature);
      writer.sessions.broadcast(share, { kind: 'roster', share, document });
      writer.sessions.expelRevoked();
      await settle();
    },
    async remove(by, who) {
      const removal = signRemoval(by.membership.draftRemoval(who.keyPair.publicKey), authority);
      await by.sessions.remove(share, removal);
      await settle();
    },
    async inject(from, to, bytes) {
      to.sessions.control(from.peer, bytes);
      await settle();
    },
    settle,
  };
  try {
    await use(mesh);
  } finally {
    for (const close of closers.reverse()) await close();
    rmSync(top, { recursive: true, force: true });
  }
}
