/** Gossipsub's view of libp2p: streams and peers reach it only through the host. Decides nothing. */
import type { gossipsub } from '@libp2p/gossipsub';
import type { Connection, Stream } from '@libp2p/interface';
import type { StreamHandler } from './strangers.ts';
import { openStream } from './streams.ts';

export type Components = Parameters<ReturnType<typeof gossipsub>>[0];
export type Topology = Parameters<Components['registrar']['register']>[1];

export type StreamGate = {
  /** A peer opened a gossip stream: `handle` is to be called once the peer may gossip. */
  incoming(stream: Stream, connection: Connection, protocol: string, handle: StreamHandler): void;
  /** What is to be told of peers that come and go. */
  registered(topology: Topology): void;
};

export function gatedRegistrar(
  registrar: Components['registrar'],
  gate: StreamGate,
): Components['registrar'] {
  return {
    getProtocols: () => registrar.getProtocols(),
    getHandler: (protocol) => registrar.getHandler(protocol),
    getTopologies: (protocol) => registrar.getTopologies(protocol),
    use: (protocol, middleware) => registrar.use(protocol, middleware),
    unuse: (protocol) => registrar.unuse(protocol),
    getMiddleware: (protocol) => registrar.getMiddleware(protocol),
    unhandle: (protocols, options) => registrar.unhandle(protocols, options),
    handle(protocol, handler, options) {
      const gated = (stream: Stream, connection: Connection) => {
        gate.incoming(
          stream,
          connection,
          protocol,
          (held, heldConnection) => void handler(held, heldConnection),
        );
      };
      return registrar.handle(protocol, gated, options);
    },
    register(protocol, topology) {
      gate.registered(topology);
      return Promise.resolve(protocol);
    },
    unregister() {},
  };
}

/** The connection as gossipsub uses it, with word of the end of the stream it opens. */
export function watchedConnection(connection: Connection, ended: () => void): Connection {
  const newStream: Connection['newStream'] = async (protocols) => {
    try {
      const stream = await openStream(connection, protocols);
      stream.addEventListener('close', ended);
      return stream;
    } catch (error) {
      ended();
      throw error;
    }
  };
  return Object.create(connection, { newStream: { value: newStream } });
}
