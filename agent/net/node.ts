/** The libp2p node, configured: every limit chosen, everything that acts on its own switched off. */
import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { GossipSub } from '@libp2p/gossipsub';
import { type Identify, identify } from '@libp2p/identify';
import type { ConnectionGater, Libp2p } from '@libp2p/interface';
import { mdns } from '@libp2p/mdns';
import { type Ping, ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { createLibp2p } from 'libp2p';
import type { Bytes } from '../base/bytes.ts';
import {
  dialAddressMs,
  dialMs,
  dialsAtOnceMax,
  inboundHandshakeMs,
  inboundPendingMax,
  inboundPerSecondMax,
  strangersMax,
} from '../base/limits.ts';
import type { Gossip } from './gossip.ts';
import { guardedYamux } from './muxer.ts';

export type Services = { readonly identify: Identify; readonly ping: Ping; readonly pubsub: GossipSub };
export type Node = Libp2p<Services>;

export type NodeOptions = {
  readonly seed: Bytes;
  /** Multiaddrs. */
  readonly listen: readonly string[];
  readonly connectionsMax: number;
  readonly mdns: boolean;
  readonly gater: ConnectionGater;
  readonly gossip: Gossip;
};

/** Not started yet, so that handlers can be set before the first connection. */
export async function createNode(options: NodeOptions): Promise<Node> {
  return await createLibp2p<Services>({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.seed),
    nodeInfo: { name: 'p2psync', userAgent: 'p2psync' },
    addresses: { listen: [...options.listen] },
    transports: [tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })],
    connectionEncrypters: [noise()],
    streamMuxers: [guardedYamux()],
    connectionGater: options.gater,
    peerDiscovery: options.mdns ? [mdns()] : [],
    services: {
      // Answered, not asked: who speaks what is settled by the control stream.
      identify: identify({ runOnConnectionOpen: false }),
      ping: ping(),
      pubsub: options.gossip.service,
    },
    connectionManager: {
      // Full is refused by the gater; libp2p's own answer would be to close the newest, whoever that is.
      maxConnections: options.connectionsMax + strangersMax + inboundPendingMax,
      inboundConnectionThreshold: inboundPerSecondMax,
      // Who is to go when they are too many says the gater, by address; libp2p's own answer would be the newest.
      maxIncomingPendingConnections: 2 * inboundPendingMax,
      inboundUpgradeTimeout: inboundHandshakeMs,
      maxParallelDials: dialsAtOnceMax,
      maxDialQueueLength: 4 * dialsAtOnceMax,
      dialTimeout: dialMs,
      addressDialTimeout: dialAddressMs,
      reconnectRetries: 0,
    },
    // It pings behind bulk data and then takes a slow link for a dead one.
    connectionMonitor: { enabled: false },
    peerStore: { maxAddressAge: Number.POSITIVE_INFINITY, maxPeerAge: Number.POSITIVE_INFINITY },
  });
}
