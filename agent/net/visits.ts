/**
 * Connections from their first byte to their last: who may begin a handshake, what a proven identity is worth, and how
 * long one may stay without a control stream. Owns the budgets of handshakes and connections; knows no frame.
 */
import type { Connection, ConnectionGater, MultiaddrConnection } from '@libp2p/interface';
import { inboundPendingPerAddressMax, strangerDeadlineMs } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';
import { formatAddress, ipOf } from './address.ts';
import { peerIdOf } from './control.ts';
import type { Direction, HostHandlers } from './host.ts';
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
  /** Its peer is admitted: it needs no place among the strangers. */
  settle(peer: PeerId): void;
  /** From now on everybody is refused. */
  close(): void;
  /** After the last connection. */
  clear(): void;
};

type Visit = { readonly leave: () => void; readonly timer: NodeJS.Timeout };

export function createVisits(options: VisitOptions): Visits {
  const { strangers, handlers, linkOf } = options;
  // Changes while running.
  /** Of each open connection: what gives its place among the strangers back, and its deadline. */
  const visits = new Map<Connection, Visit>();
  /** Handshakes that others began and that are not done, by IP. */
  const handshakes = new Map<string, Set<MultiaddrConnection>>();
  let closing = false;

  /** Before a byte is read. One address cannot take all the places in which others would shake hands. */
  function denyArrival(raw: MultiaddrConnection): boolean {
    const address = formatAddress(raw.remoteAddr);
    if (closing || !handlers.allowAddress(address)) return true;
    const ip = ipOf(address);
    const here = handshakes.get(ip) ?? new Set();
    if (here.size >= inboundPendingPerAddressMax) return true;
    handshakes.set(ip, here.add(raw));
    raw.addEventListener('close', () => endHandshake(raw), { once: true });
    return false;
  }

  function endHandshake(raw: MultiaddrConnection): void {
    const ip = ipOf(formatAddress(raw.remoteAddr));
    const here = handshakes.get(ip);
    here?.delete(raw);
    if (here?.size === 0) handshakes.delete(ip);
  }

  function denyIdentity(peer: string, raw: MultiaddrConnection, direction: Direction): boolean {
    if (direction === 'inbound') endHandshake(raw);
    // Strangers have places of their own, so that they cannot keep members out.
    const full = direction === 'inbound' && visits.size - strangers.placesTaken() >= options.connectionsMax;
    return closing || full || !handlers.allow(peer as PeerId, formatAddress(raw.remoteAddr), direction);
  }

  function overdue(connection: Connection): void {
    const peer = peerIdOf(connection);
    const elected = linkOf(peer) === connection;
    if (elected && strangers.isAdmitted(peer)) return;
    if (elected) handlers.note('stranger hung up', { peer, deadlineMs: strangerDeadlineMs });
    connection.abort(new Error(elected ? 'not admitted in time' : 'no control stream'));
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
      const stranger = connection.direction === 'inbound' && !strangers.isAdmitted(peer);
      const address = formatAddress(connection.remoteAddr);
      const leave = stranger ? strangers.takePlace(address) : () => {};
      if (leave === null) {
        handlers.note('too many strangers', { peer, address });
        connection.abort(new Error('too many strangers'));
        return false;
      }
      const timer = setTimeout(() => overdue(connection), strangerDeadlineMs);
      visits.set(connection, { leave, timer });
      connection.addEventListener('close', () => {
        leave();
        clearTimeout(timer);
        visits.delete(connection);
        if (of(peer).length === 0) options.gone(connection);
      });
      return true;
    },
    of,
    all: () => [...visits.keys()],
    settle(peer) {
      for (const connection of of(peer)) visits.get(connection)?.leave();
    },
    close() {
      closing = true;
    },
    clear() {
      for (const { timer } of visits.values()) clearTimeout(timer);
    },
  };
}
