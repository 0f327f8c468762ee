/**
 * Who may do more than say hello. Owns the set of admitted peers, and the streams that came before their peer was admitted.
 * Never closes a connection.
 */
import type { Connection, Stream } from '@libp2p/interface';
import type { PeerId } from '../core/keys.ts';

export type StreamHandler = (stream: Stream, connection: Connection) => void;

export type Strangers = {
  isAdmitted(peer: PeerId): boolean;
  /** @returns false where it was admitted before. */
  admit(peer: PeerId): boolean;
  expel(peer: PeerId): void;
  /** Keeps a stream, paused, until `release`; of one protocol and peer the newest. */
  hold(
    peer: PeerId,
    held: { stream: Stream; connection: Connection; protocol: string; handle: StreamHandler },
  ): void;
  /** Hands over what was held of this peer. */
  release(peer: PeerId): void;
};

type Held = { readonly stream: Stream; readonly connection: Connection; readonly handle: StreamHandler };

export function createStrangers(): Strangers {
  // Changes while running.
  const admitted = new Set<PeerId>();
  const waiting = new Map<PeerId, Map<string, Held>>();

  function forget(peer: PeerId, protocol: string, stream: Stream): void {
    const byProtocol = waiting.get(peer);
    if (byProtocol?.get(protocol)?.stream !== stream) return;
    byProtocol.delete(protocol);
    if (byProtocol.size === 0) waiting.delete(peer);
  }

  return {
    isAdmitted: (peer) => admitted.has(peer),
    admit(peer) {
      const added = !admitted.has(peer);
      admitted.add(peer);
      return added;
    },
    expel(peer) {
      admitted.delete(peer);
    },
    hold(peer, { stream, connection, protocol, handle }) {
      let byProtocol = waiting.get(peer);
      if (byProtocol === undefined) {
        byProtocol = new Map();
        waiting.set(peer, byProtocol);
      }
      const older = byProtocol.get(protocol);
      byProtocol.set(protocol, { stream, connection, handle });
      older?.stream.abort(new Error('replaced by a newer stream'));
      stream.addEventListener('close', () => forget(peer, protocol, stream));
      // Paused, so that at most one window of it is ever buffered.
      if (stream.status === 'open') stream.pause();
      else forget(peer, protocol, stream);
    },
    release(peer) {
      const byProtocol = waiting.get(peer);
      waiting.delete(peer);
      for (const { stream, connection, handle } of byProtocol?.values() ?? []) {
        if (stream.status !== 'open') continue;
        handle(stream, connection);
        if (stream.readStatus === 'paused') stream.resume();
      }
    },
  };
}
