/**
 * Gossip on topics, over peers that are admitted and whose control stream stands: the host attaches and detaches them.
 * gossipsub's own ways in are shut, because it loses what it has to know: subscriptions are said once, so a peer that
 * is graylisted at that moment would never hear from us, and its outbound stream dies with a connection that lost the
 * election without being opened again on the other. Whom a topic does not admit neither hears nor says anything on it.
 */
import { hash } from 'node:crypto';
import {
  type GossipSub,
  gossipsub,
  type Message,
  StrictNoSign,
  TopicValidatorResult,
} from '@libp2p/gossipsub';
import type { RPC } from '@libp2p/gossipsub/message';
import type { Connection, PeerId as Libp2pPeerId } from '@libp2p/interface';
import type { Bytes } from '../base/bytes.ts';
import { messageOf, P2psyncError } from '../base/errors.ts';
import { floodBytesMax, gossipBytesMax, gossipQueueBytesMax, KIB } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';
import { createGossipDoor } from './gossip-door.ts';
import {
  type Components,
  gatedRegistrar,
  type StreamGate,
  type Topology,
  watchedConnection,
} from './gossip-streams.ts';
import type { NoteFields, TopicHandlers } from './host.ts';

export type GossipHandlers = Pick<StreamGate, 'incoming'> & {
  /** The gossip stream to an attached peer broke, which leaves it deaf. */
  broken(peer: PeerId): void;
  note(text: string, fields: NoteFields): void;
};

export type Gossip = {
  /** Given to libp2p as a service. */
  service(components: Components): GossipSub;
  attach(peer: PeerId, connection: Connection): void;
  detach(peer: PeerId): void;
  /** What a topic's `admits` says of the peer has changed. */
  review(peer: PeerId): void;
  join(topic: string, handlers: TopicHandlers): void;
  leave(topic: string): void;
  publish(topic: string, bytes: Bytes): void;
};

/** What the router has besides its published interface: options at each publish, and one way in for all that comes. */
type Router = GossipSub & {
  publish(topic: string, bytes: Bytes, options: { readonly floodPublish: boolean }): Promise<unknown>;
  handleReceivedRpc(from: Libp2pPeerId, rpc: RPC): Promise<void>;
};

/** Room for the topic, control messages and framing beside one message. */
const rpcBytesMax = gossipBytesMax + 64 * KIB;
/** Below this gossipsub ignores a peer: eight rejected messages. */
const graylistThreshold = -80;
const rejectionScore = -10;
/** Half of a peer's rejections are forgiven after this long, ms. */
const rejectionHalfLifeMs = 60_000;

export function createGossip(handlers: GossipHandlers): Gossip {
  const topics = new Map<string, TopicHandlers>();
  const attached = new Map<PeerId, Libp2pPeerId>();
  const rejections = createRejections();
  const door = createGossipDoor((topic, peer) => topics.get(topic)?.admits(peer) === true);
  let pubsub: Router | undefined;
  let topology: Topology | undefined;
  let take: Router['handleReceivedRpc'] = async () => undefined;

  function started(): Router {
    if (pubsub === undefined) throw new P2psyncError('not-running', 'gossip before the node is made');
    return pubsub;
  }

  function validate(topic: string, from: PeerId, bytes: Bytes): TopicValidatorResult {
    switch (topics.get(topic)?.validate(bytes, from)) {
      case 'accept':
        return TopicValidatorResult.Accept;
      case 'take':
        topics.get(topic)?.deliver(bytes, from);
        return TopicValidatorResult.Ignore;
      case 'reject':
        rejections.add(from, Date.now());
        return TopicValidatorResult.Reject;
      default:
        return TopicValidatorResult.Ignore;
    }
  }

  /** The id is the content: a cheaper one in front a member could make collide, and have a true head taken for a duplicate. */
  function messageId(message: Message): Bytes {
    const id = hash('sha256', Buffer.concat([Buffer.from(`${message.topic}\0`), message.data]), 'buffer');
    door.sawMessage(id, message.topic);
    return id;
  }

  function review(peer: PeerId): void {
    const remote = attached.get(peer);
    if (remote === undefined) return;
    const found = door.review(peer);
    if (found.kind === 'let in') void take(remote, found.rpc);
    if (found.kind !== 'put out') return;
    // The router unlearns one topic of a peer only with the peer; it may come back on another connection.
    detach(peer);
    handlers.broken(peer);
  }

  function detach(peer: PeerId): void {
    const remote = attached.get(peer);
    if (remote === undefined) return;
    attached.delete(peer);
    door.detach(peer);
    void topology?.onDisconnect?.(remote);
  }

  return {
    service(components) {
      const registrar: Components['registrar'] = gatedRegistrar(components.registrar, {
        incoming: handlers.incoming,
        registered: (given) => {
          topology = given;
        },
      });
      pubsub = gossipsub({
        // Messages are signed by their makers; the id is their content.
        globalSignaturePolicy: StrictNoSign,
        msgIdFn: messageId,
        fallbackToFloodsub: false,
        tagMeshPeers: false,
        allowPublishToZeroTopicPeers: true,
        ignoreDuplicatePublishError: true,
        // Chosen at each publish, by what it would cost.
        floodPublish: false,
        // A head with its operations is sent twice sooner than it is asked not to be.
        idontwantMinDataSize: gossipBytesMax,
        maxInboundDataLength: rpcBytesMax,
        maxOutboundBufferSize: gossipQueueBytesMax,
        maxTopicBytesPerPeer: 256 * KIB,
        // A full mesh of 24 must not refuse a newcomer for a minute because its contact has enough already.
        D: 8,
        Dlo: 6,
        Dhi: 16,
        Dscore: 4,
        Dout: 3,
        Dlazy: 8,
        pruneBackoff: 10_000,
        scoreParams: {
          // Agents behind one address are the rule here; the default silences all of them from the fourteenth on.
          IPColocationFactorWeight: 0,
          // A busy event loop breaks a few IWANT promises; the default graylists at three.
          behaviourPenaltyThreshold: 10,
          appSpecificWeight: 1,
          appSpecificScore: (peer) => rejectionScore * rejections.of(peer as PeerId, Date.now()),
        },
        scoreThresholds: { graylistThreshold },
      })({
        privateKey: components.privateKey,
        peerId: components.peerId,
        peerStore: components.peerStore,
        connectionManager: components.connectionManager,
        logger: components.logger,
        registrar,
      }) as Router;
      take = pubsub.handleReceivedRpc.bind(pubsub);
      pubsub.handleReceivedRpc = async (from, rpc) => {
        const peer = from.toString() as PeerId;
        if (attached.has(peer)) await take(from, door.pass(peer, rpc));
      };
      pubsub.addEventListener('gossipsub:message', (event) => {
        const { msg, propagationSource } = event.detail;
        topics.get(msg.topic)?.deliver(msg.data, propagationSource.toString() as PeerId);
      });
      return pubsub;
    },
    attach(peer, connection) {
      if (attached.has(peer) || connection.status !== 'open') return;
      attached.set(peer, connection.remotePeer);
      door.attach(peer);
      const watched = watchedConnection(connection, () => {
        if (attached.has(peer)) handlers.broken(peer);
      });
      void topology?.onConnect?.(connection.remotePeer, watched);
    },
    detach,
    review,
    join(topic, topicHandlers) {
      topics.set(topic, topicHandlers);
      started().topicValidators.set(topic, (from, message) => {
        return validate(topic, from.toString() as PeerId, message.data);
      });
      started().subscribe(topic);
      for (const peer of attached.keys()) review(peer);
    },
    leave(topic) {
      topics.delete(topic);
      started().unsubscribe(topic);
      started().topicValidators.delete(topic);
    },
    publish(topic, bytes) {
      if (bytes.byteLength > gossipBytesMax) {
        throw new P2psyncError(
          'limit-exceeded',
          `a gossip message of ${bytes.byteLength} bytes; at most ${gossipBytesMax}: send its name and let others fetch it`,
          { topic, bytes: bytes.byteLength },
        );
      }
      const subscribers = started().getSubscribers(topic).length;
      // To everyone at once where that is cheap, else through the mesh: one hop less, or a writer's link less busy.
      const floodPublish = bytes.byteLength * subscribers <= floodBytesMax;
      started()
        .publish(topic, bytes, { floodPublish })
        .catch((error: unknown) => handlers.note('gossip not sent', { topic, reason: messageOf(error) }));
    },
  };
}

/** How often a peer relayed what is not valid, fading. */
function createRejections(): {
  add(peer: PeerId, nowMs: number): void;
  of(peer: PeerId, nowMs: number): number;
} {
  const counts = new Map<PeerId, { count: number; atMs: number }>();
  function of(peer: PeerId, nowMs: number): number {
    const found = counts.get(peer);
    if (found === undefined) return 0;
    const count = found.count * 2 ** ((found.atMs - nowMs) / rejectionHalfLifeMs);
    if (count < 0.1) counts.delete(peer);
    return count;
  }
  return {
    of,
    add(peer, nowMs) {
      counts.set(peer, { count: of(peer, nowMs) + 1, atMs: nowMs });
    },
  };
}
