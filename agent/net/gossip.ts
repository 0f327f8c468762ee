/**
 * Gossip on topics, over peers that are admitted and whose control stream stands: the host attaches and detaches them.
 * gossipsub's own ways in are shut, because it loses what it has to know: subscriptions are said once, so a peer that
 * is graylisted at that moment would never hear from us, and its outbound stream dies with a connection that lost the
 * election without being opened again on the other.
 */
import { hash } from 'node:crypto';
import {
  type GossipSub,
  gossipsub,
  type Message,
  StrictNoSign,
  TopicValidatorResult,
} from '@libp2p/gossipsub';
import type { Connection, PeerId as Libp2pPeerId } from '@libp2p/interface';
import type { Bytes } from '../base/bytes.ts';
import { messageOf, P2psyncError } from '../base/errors.ts';
import { floodBytesMax, gossipBytesMax, gossipQueueBytesMax, KIB } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';
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
  join(topic: string, handlers: TopicHandlers): void;
  leave(topic: string): void;
  publish(topic: string, bytes: Bytes): void;
};

/** The router takes options at each publish; its published interface does not say so. */
type Router = GossipSub & {
  publish(topic: string, bytes: Bytes, options: { readonly floodPublish: boolean }): Promise<unknown>;
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
  let pubsub: Router | undefined;
  let topology: Topology | undefined;

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
      pubsub.addEventListener('gossipsub:message', (event) => {
        const { msg, propagationSource } = event.detail;
        topics.get(msg.topic)?.deliver(msg.data, propagationSource.toString() as PeerId);
      });
      return pubsub;
    },
    attach(peer, connection) {
      if (attached.has(peer) || connection.status !== 'open') return;
      attached.set(peer, connection.remotePeer);
      const watched = watchedConnection(connection, () => {
        if (attached.has(peer)) handlers.broken(peer);
      });
      void topology?.onConnect?.(connection.remotePeer, watched);
    },
    detach(peer) {
      const remote = attached.get(peer);
      if (remote === undefined) return;
      attached.delete(peer);
      void topology?.onDisconnect?.(remote);
    },
    join(topic, topicHandlers) {
      topics.set(topic, topicHandlers);
      started().topicValidators.set(topic, (from, message) => {
        return validate(topic, from.toString() as PeerId, message.data);
      });
      started().subscribe(topic);
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

/** No cheaper id in front of this one: a member could make it collide and have a true head taken for a duplicate. */
function messageId(message: Message): Bytes {
  return hash('sha256', Buffer.concat([Buffer.from(`${message.topic}\0`), message.data]), 'buffer');
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
