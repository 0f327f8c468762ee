/** A plain libp2p node that speaks noise and yamux but none of our manners. */
import { noise } from '@chainsafe/libp2p-noise';
import type { Connection, Libp2p, StreamMuxerFactory } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { PeerId } from '../../agent/core/keys.ts';
import type { TestHost } from './hosts.ts';

export type Bare = {
  readonly node: Libp2p;
  readonly peer: PeerId;
  dial(host: TestHost): Promise<Connection>;
};

export async function startBare(muxer: () => StreamMuxerFactory = yamux()): Promise<Bare> {
  const node = await createLibp2p({
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [muxer],
    connectionMonitor: { enabled: false },
  });
  return {
    node,
    peer: node.peerId.toString() as PeerId,
    dial: (host) => node.dial(multiaddr(host.addresses()[0])),
  };
}

export function closed(connection: Connection): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  connection.addEventListener('close', () => resolve());
  if (connection.status !== 'open') resolve();
  return promise;
}
