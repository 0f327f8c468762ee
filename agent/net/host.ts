/**
 * The one libp2p node of an agent: who is who, one control stream a peer, gossip, and the block transport.
 * Decides nothing about shares or members; never redials (that is `dialer.ts`).
 */
import type { Connection, Stream } from '@libp2p/interface';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import type { PeerId } from '../core/keys.ts';
import type { BlockAnswer, SharedRequest } from '../swarm/messages.ts';
import { formatAddress, hostOf, isLoopback, parseAddress, resolveAddress, withPeer } from './address.ts';
import { blocksProtocol } from './blocks/libp2p.ts';
import { createPace, type Pace } from './blocks/pace.ts';
import { createBlockPlane } from './blocks/plane.ts';
import type { BlockRoute, BlockTransport } from './blocks/transport.ts';
import { closeSoon, controlProtocol, createControl, peerIdOf } from './control.ts';
import { dialPeer } from './dial.ts';
import { createGossip } from './gossip.ts';
import { listenFault } from './listen-fault.ts';
import { createNode } from './node.ts';
import { createStrangers, type StreamHandler } from './strangers.ts';
import { openStream } from './streams.ts';
import { createTrafficMeter, type Traffic } from './traffic.ts';
import { createVisits } from './visits.ts';

export type HostOptions = {
  /** Ed25519 seed, 32 bytes; the PeerId follows from it. */
  readonly seed: Bytes;
  /** Multiaddrs or HOST:PORT (`0.0.0.0:8873`, `[::]:8873`, `127.0.0.1:0`). */
  readonly listen: readonly string[];
  /** What others are told to dial, same forms; empty: what is listened on. */
  readonly announce: readonly string[];
  /** TCP port for blocks over TLS, on the same IPs; 0, or one that is taken: the system chooses. Default: 0. */
  readonly bulkPort?: number;
  readonly connectionsMax: number;
  readonly discovery: 'static' | 'gossip' | 'mdns';
  /** Of blocks and pages that are given to others, and of those that come; default: without limit. */
  readonly upload?: Pace;
  readonly download?: Pace;
  /** How long a connection for blocks may stand unused, ms; default: for ever. */
  readonly idleMs?: () => number;
};

export type Direction = 'inbound' | 'outbound';

/** `address`: `IP:PORT` of the other end, an IPv6 one in brackets. */
export type Connected = { readonly peer: PeerId; readonly direction: Direction; readonly address: string };

export type NoteFields = Readonly<Record<string, string | number>>;

/**
 * What the host calls, also from inside calls to it (`expel` says `disconnected`): handlers only note and enqueue,
 * and never throw.
 */
export type HostHandlers = {
  /**
   * First point where an identity is proven: false refuses. `address` is `IP:PORT`. Strangers may be let in to say
   * hello (see `admit`).
   */
  allow(peer: PeerId, address: string, direction: Direction): boolean;
  /** Allow and deny lists: before any handshake, inbound and outbound, and of what stands when they were changed. */
  allowAddress(address: string): boolean;
  /** The control stream is open in both directions and usable. Said once, until `disconnected`. */
  connected(connected: Connected): void;
  /** Exactly one for each `connected`. */
  disconnected(peer: PeerId, reason: string): void;
  /** One frame, at most `controlFrameBytesMax`, in order; adopted by the handler. */
  control(peer: PeerId, frame: Bytes): void;
  blockRequest(peer: PeerId, request: SharedRequest): void;
  /**
   * Nothing more of this request is wanted: the peer says so, or its stream is gone. What is still answered is dropped
   * or refused.
   */
  blockCancelled?(peer: PeerId, id: number): void;
  /** A returned promise is back-pressure: the next answer of that peer waits for it. */
  blockAnswer(peer: PeerId, answer: BlockAnswer): void | Promise<void>;
  /** A bulk stream to this peer broke: nothing more comes for what was asked of it. */
  requestsLost(peer: PeerId): void;
  /** It broke the rules of the bulk plane; `disconnected` follows, where it was connected. */
  violated?(peer: PeerId, reason: string): void;
  /** For the log: what a peer did wrong or what was dropped. */
  note(text: string, fields: NoteFields): void;
  /** `discovery = "mdns"` only: somebody on the LAN says to be there. Addresses are multiaddrs with /p2p/. */
  discovered?(peer: PeerId, addresses: readonly string[]): void;
};

export type TopicHandlers = {
  /** Whether a connected peer may hear and say anything on this topic; where that changes, `review` is to be called. */
  admits(peer: PeerId): boolean;
  /**
   * Synchronous, before anything is relayed: `take` delivers without relaying; `reject` counts against `from`, who
   * relayed it (not who made it).
   */
  validate(bytes: Bytes, from: PeerId): 'accept' | 'take' | 'ignore' | 'reject';
  /** Accepted messages of others, each once; never our own. */
  deliver(bytes: Bytes, from: PeerId): void;
};

export type { Traffic };

export type Host = {
  readonly peer: PeerId;
  /** Multiaddrs with /p2p/, announced ones first. */
  addresses(): readonly string[];
  /**
   * Multiaddrs or HOST:PORT, tried in order. Resolves when the control stream is usable; at once for a peer that is
   * connected.
   * @throws {P2psyncError} unreachable-peer, cancelled, not-a-member (refused by `allow` or `allowAddress`), config (not
   * an address).
   */
  dial(
    addresses: readonly string[],
    options: { readonly peer: PeerId | null; readonly signal: AbortSignal },
  ): Promise<PeerId>;
  hangUp(peer: PeerId, reason: string): Promise<void>;
  /**
   * Until admitted a peer has the control stream alone, for at most `strangerDeadlineMs` and within a budget of
   * strangers: gossip ignores it and the block protocol refuses it. Admission is by PeerId and outlives connections.
   */
  admit(peer: PeerId): void;
  /**
   * Takes admission back and closes every connection of the peer: it is heard and served no more from this turn on, and has
   * `closeMs` to read what was said on the control stream.
   */
  expel(peer: PeerId): void;
  /** `allowAddress` was changed: whom it refuses is heard and served no more from this turn on. Others who fetch blocks come anew. */
  reviewAddresses(): void;
  /**
   * False: not connected, or it has not read for so long that its queue is full (then it is disconnected, with a note).
   * @throws {P2psyncError} limit-exceeded, above `controlFrameBytesMax`.
   */
  send(peer: PeerId, frame: Bytes): boolean;
  joinTopic(topic: string, handlers: TopicHandlers): void;
  /**
   * A topic's `admits` says something else of this peer than before. One who may not hear a topic any more is sent nothing
   * from this turn on, and is disconnected.
   */
  review(peer: PeerId): void;
  leaveTopic(topic: string): void;
  /** Fire and forget, also with nobody subscribed. @throws {P2psyncError} limit-exceeded, above `gossipBytesMax`. */
  publish(topic: string, bytes: Bytes): void;
  readonly blocks: BlockTransport;
  /** The TCP port of blocks over TLS; null where it cannot be listened on. */
  bulkPort(): number | null;
  /** How blocks travel to and from a connected peer; null where nothing was tried yet. */
  route(peer: PeerId): BlockRoute | null;
  /** Payload of control and bulk, kept after a disconnect; null for a peer never met. */
  traffic(peer: PeerId): Traffic | null;
  close(): Promise<void>;
};

/** @throws {P2psyncError} config (an address that cannot be read or listened on). */
export async function startHost(options: HostOptions, handlers: HostHandlers): Promise<Host> {
  // Fixed at start.
  const announce = options.announce.map(parseAddress);
  const listen = (await Promise.all(options.listen.map(resolveAddress))).flat();
  const traffic = createTrafficMeter();
  const strangers = createStrangers();
  const gossip = createGossip({ incoming: whenReady, broken: gossipBroken, note: handlers.note });
  const blocks = createBlockPlane({
    open: openBlocks,
    send: (peer, frame) => void control.send(peer, frame),
    ipOf: ipOfAdmitted,
    violated,
    handlers,
    traffic,
    upload: options.upload ?? createPace(),
    download: options.download ?? createPace(),
    idleMs: options.idleMs ?? (() => Number.POSITIVE_INFINITY),
  });
  const visits = createVisits({
    connectionsMax: options.connectionsMax,
    strangers,
    handlers,
    linkOf: (peer) => control.linkOf(peer),
    gone: forget,
  });
  const node = await createNode({
    seed: options.seed,
    listen: listen.map(String),
    connectionsMax: options.connectionsMax,
    mdns: options.discovery === 'mdns',
    gossip,
    gater: visits.gater,
  });
  const self = node.peerId.toString() as PeerId;
  const control = createControl(self, {
    up: linkUp,
    down: linkDown,
    frame: (peer, frame) => {
      if (!blocks.control(peer, frame)) handlers.control(peer, frame);
    },
    sent: traffic.sent,
    received: traffic.received,
    note: handlers.note,
  });

  function opened(connection: Connection): void {
    if (visits.opened(connection) && connection.direction === 'outbound') void control.open(connection);
  }

  /** libp2p remembers everyone it ever met; whoever makes up identities would fill the memory. */
  function forget(connection: Connection): void {
    const peer = peerIdOf(connection);
    if (!strangers.isAdmitted(peer)) traffic.forget(peer);
    node.peerStore.delete(connection.remotePeer).catch(() => {});
  }

  function linkUp(peer: PeerId, connection: Connection): void {
    handlers.connected({
      peer,
      direction: connection.direction,
      address: formatAddress(connection.remoteAddr),
    });
    becomeReady(peer);
  }

  function linkDown(peer: PeerId, reason: string): void {
    gossip.detach(peer);
    blocks.lost(peer);
    handlers.disconnected(peer, reason);
  }

  function becomeReady(peer: PeerId): void {
    const connection = control.linkOf(peer);
    if (connection === null || !strangers.isAdmitted(peer)) return;
    gossip.attach(peer, connection);
    strangers.release(peer);
    blocks.ready(peer);
  }

  function ipOfAdmitted(peer: PeerId): string | null {
    const connection = control.linkOf(peer);
    return connection === null || !strangers.isAdmitted(peer) ? null : hostOf(connection.remoteAddr);
  }

  /** Streams beside control wait until their peer is admitted: it may know so before we do. */
  function whenReady(stream: Stream, connection: Connection, protocol: string, handle: StreamHandler): void {
    const peer = peerIdOf(connection);
    if (strangers.isAdmitted(peer) && control.linkOf(peer) !== null) handle(stream, connection);
    else strangers.hold(peer, { stream, connection, protocol, handle });
  }

  function gossipBroken(peer: PeerId): void {
    const connection = control.linkOf(peer);
    if (connection === null) return;
    // Mostly the connection is closing, and says so itself in this turn.
    setImmediate(() => {
      if (control.linkOf(peer) !== connection || connection.status !== 'open') return;
      handlers.note('gossip stream broke', { peer });
      control.drop(peer, 'its gossip stream broke');
    });
  }

  async function openBlocks(peer: PeerId): Promise<Stream> {
    const connection = control.linkOf(peer);
    if (connection === null) throw new P2psyncError('unreachable-peer', `${peer} is not connected`, { peer });
    return await openStream(connection, blocksProtocol);
  }

  function cut(connections: readonly Connection[], reason: string): void {
    for (const connection of connections) {
      const peer = peerIdOf(connection);
      // Nothing of it is heard or served from here on; what it was told last may still get out.
      if (control.linkOf(peer) === connection) control.drop(peer, reason);
      else connection.abort(new Error(reason));
    }
  }

  function violated(peer: PeerId, error: P2psyncError): void {
    handlers.note('bulk stream refused', { peer, code: error.code, reason: error.message });
    handlers.violated?.(peer, error.message);
    control.linkOf(peer)?.abort(error);
    control.drop(peer, error.message);
  }

  node.addEventListener('connection:open', (event) => opened(event.detail));
  node.addEventListener('peer:discovery', (event) => {
    const peer = event.detail.id.toString() as PeerId;
    handlers.discovered?.(
      peer,
      event.detail.multiaddrs.map((address) => withPeer(address, peer).toString()),
    );
  });
  const streams = { maxInboundStreams: 2, maxOutboundStreams: 2 };
  const serve: StreamHandler = (stream, connection) => blocks.accept(peerIdOf(connection), stream);
  await node.handle(controlProtocol, (...opened) => void control.accept(...opened), streams);
  await node.handle(
    blocksProtocol,
    (stream, connection) => whenReady(stream, connection, blocksProtocol, serve),
    streams,
  );
  try {
    await node.start();
  } catch (error) {
    await Promise.all([node.stop(), blocks.close()]);
    throw listenFault(options.listen, error);
  }

  await blocks.listen([...new Set(listen.map(hostOf))], options.bulkPort ?? 0);

  return {
    peer: self,
    blocks,
    bulkPort: () => blocks.port(),
    route: (peer) => blocks.route(peer),
    addresses() {
      const own = node
        .getMultiaddrs()
        .sort((one, other) => Number(isLoopback(one)) - Number(isLoopback(other)));
      return [...new Set([...announce, ...own].map((address) => withPeer(address, self).toString()))];
    },
    dial: (addresses, target) =>
      dialPeer(
        { node, control, allowAddress: (address) => handlers.allowAddress(address) },
        addresses,
        target,
      ),
    async hangUp(peer, reason) {
      control.drop(peer, reason);
      await Promise.all(visits.of(peer).map(closeSoon));
    },
    admit(peer) {
      if (!strangers.admit(peer)) return;
      visits.settle(peer);
      becomeReady(peer);
    },
    expel(peer) {
      strangers.expel(peer);
      cut(visits.of(peer), 'expelled');
    },
    reviewAddresses() {
      blocks.reviewAddresses();
      cut(visits.refused(), 'the access lists refuse its address');
    },
    send: (peer, frame) => control.send(peer, frame),
    joinTopic: (topic, topicHandlers) => gossip.join(topic, topicHandlers),
    leaveTopic: (topic) => gossip.leave(topic),
    review: (peer) => gossip.review(peer),
    publish: (topic, bytes) => gossip.publish(topic, bytes),
    traffic: (peer) => traffic.of(peer),
    async close() {
      visits.close();
      for (const peer of control.peers()) control.drop(peer, 'this agent stops');
      await Promise.all(visits.all().map(closeSoon));
      await Promise.all([node.stop(), blocks.close()]);
      visits.clear();
    },
  };
}
