/**
 * Connections from their first byte to their last: who may begin a handshake, what a proven identity is worth, and how
 * long one may stay without a control stream. Owns the budgets of handshakes and connections; knows no frame.
 */
import type { Connection, ConnectionGater, MultiaddrConnection } from '@libp2p/interface';
import {
  inboundPendingMax,
  inboundPendingPerAddressMax,
  strangerDeadlineMs,
  strangersMax,
  strangersPerAddressMax,
} from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';
import { formatAddress } from './address.ts';
import { peerIdOf } from './control.ts';
import type { Direction, HostHandlers } from './host.ts';
import { createPlaces } from './places.ts';
import type { Strangers } from './strangers.ts';

export type VisitOptions = {
  readonly connectionsMax: number;
  readonly strangers: Strangers;
  readonly handlers: Pick<HostHandlers, 'allow' | 'allowAddress' | 'note'>;
  /** The connection whose control stream stands, or null. */
  readonly linkOf: (peer: PeerId) => Connection | null;
  /** The last connection of a peer is closed. */
  readonly gone: (connection: Connection) => void;
};

export type Visits = {
  /** For the node: whom it refuses, before and after the handshake. */
  readonly gater: ConnectionGater;
  /** @returns false where it is closed at once, for want of a place. */
  opened(connection: Connection): boolean;
  of(peer: PeerId): Connection[];
  all(): readonly Connection[];
  /** Those whose address is not allowed any more. */
  refused(): readonly Connection[];
  /** Its peer is admitted: it needs no place among the strangers. */
  settle(peer: PeerId): void;
  /** From now on everybody is refused. */
  close(): void;
  /** After the last connection. */
  clear(): void;
};

export function createVisits(options: VisitOptions): Visits {
  const { strangers, handlers, linkOf } = options;
  // Changes while running.
  /** Of each open connection its deadline. */
  const visits = new Map<Connection, NodeJS.Timeout>();
  let closing = false;
  /** Handshakes that others began and that are not done. */
  const handshakes = createPlaces<MultiaddrConnection>({
    max: inboundPendingMax,
    perAddressMax: inboundPendingPerAddressMax,
    evict: (raw) => raw.abort(new Error('others wait')),
  });
  const unknown = createPlaces<Connection>({
    max: strangersMax,
    perAddressMax: strangersPerAddressMax,
    evict: (connection) => connection.abort(new Error('others wait')),
  });

  /** Before a byte is read. One address cannot take all the places in which others would shake hands. */
  function denyArrival(raw: MultiaddrConnection): boolean {
    const address = formatAddress(raw.remoteAddr);
    if (closing || !handlers.allowAddress(address)) return true;
    if (!handshakes.take(raw, address)) return true;
    raw.addEventListener('close', () => handshakes.leave(raw), { once: true });
    return false;
  }

  function denyIdentity(peer: string, raw: MultiaddrConnection, direction: Direction): boolean {
    if (direction === 'inbound') handshakes.leave(raw);
    // Strangers have places of their own, so that they cannot keep members out.
    const full = direction === 'inbound' && visits.size - unknown.taken() >= options.connectionsMax;
    return closing || full || !handlers.allow(peer as PeerId, formatAddress(raw.remoteAddr), direction);
  }

  function overdue(connection: Connection): void {
    const peer = peerIdOf(connection);
    const elected = linkOf(peer) === connection;
    if (elected && strangers.isAdmitted(peer)) return;
    if (elected) handlers.note('stranger hung up', { peer, deadlineMs: strangerDeadlineMs });
    connection.abort(new Error(elected ? 'not admitted in time' : 'no control stream'));
  }

  function isAllowed(connection: Connection): boolean {
    return handlers.allowAddress(formatAddress(connection.remoteAddr));
  }

  function of(peer: PeerId): Connection[] {
    return [...visits.keys()].filter((connection) => peerIdOf(connection) === peer);
  }

  return {
    gater: {
      denyInboundConnection: denyArrival,
      denyInboundEncryptedConnection: (id, raw) => denyIdentity(id.toString(), raw, 'inbound'),
      denyOutboundEncryptedConnection: (id, raw) => denyIdentity(id.toString(), raw, 'outbound'),
    },
    opened(connection) {
      const peer = peerIdOf(connection);
      // The lists may have been changed during the handshake.
      if (!isAllowed(connection)) {
        connection.abort(new Error('refused by the access lists here'));
        return false;
      }
      const stranger = connection.direction === 'inbound' && !strangers.isAdmitted(peer);
      const address = formatAddress(connection.remoteAddr);
      if (stranger && !unknown.take(connection, address)) {
        handlers.note('too many strangers', { peer, address });
        connection.abort(new Error('too many strangers'));
        return false;
      }
      const timer = setTimeout(() => overdue(connection), strangerDeadlineMs);
      visits.set(connection, timer);
      connection.addEventListener('close', () => {
        unknown.leave(connection);
        clearTimeout(timer);
        visits.delete(connection);
        if (of(peer).length === 0) options.gone(connection);
      });
      return true;
    },
    of,
    all: () => [...visits.keys()],
    refused: () => [...visits.keys()].filter((connection) => !isAllowed(connection)),
    settle(peer) {
      for (const connection of of(peer)) unknown.leave(connection);
    },
    close() {
      closing = true;
    },
    clear() {
      for (const timer of visits.values()) clearTimeout(timer);
    },
  };
}
